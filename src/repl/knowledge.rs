//! What completion knows beside the table of functions: variables, sessions, secrets. Pure data, renewed after every input.

use crate::script::Variable;

/// Names that come from this dialogue and not from the table.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The variables in scope.
    pub variables: Vec<Variable>,
    /// The ids of stored and open sessions.
    pub sessions: Vec<String>,
    /// The names of the secrets that are set.
    pub secrets: Vec<String>,
    /// The names of the environment variables that scripts may read.
    pub env: Vec<String>,
    /// Modules below the folder that imports resolve in.
    pub modules: Vec<String>,
}

impl Knowledge {
    /// The type of a variable.
    pub(super) fn kind(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|variable| variable.name == name).map(|variable| variable.kind.as_str())
    }
}
