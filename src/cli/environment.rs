//! The process's environment as a value, so that everything above it can be tried without one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::error::CliError;

/// Variables, the working folder and the platform's folders.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// The working folder; empty where it cannot be told.
    pub working_folder: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect(), working_folder: std::env::current_dir().unwrap_or_default() }
    }

    #[cfg(test)]
    pub fn of(variables: &[(&str, &str)], working_folder: &std::path::Path) -> Self {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, working_folder: working_folder.to_owned() }
    }

    /// A variable as text; an empty one counts as unset.
    pub fn text(&self, name: &str) -> Result<Option<String>, CliError> {
        match self.variables.get(std::ffi::OsStr::new(name)) {
            Some(value) if !value.is_empty() => {
                let text = value.to_str().ok_or_else(|| CliError::VariableNotText(name.to_owned()))?;
                Ok(Some(text.to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// A variable as a path; an empty one counts as unset.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Whether a variable is there and not empty.
    pub fn is_set(&self, name: &str) -> bool {
        self.path(name).is_some()
    }

    /// Names and values of the variables that begin with `prefix`, the names without it.
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = (String, Result<String, CliError>)> {
        self.variables.iter().filter_map(move |(name, value)| {
            let name = name.to_str()?;
            let short = name.strip_prefix(prefix).filter(|short| !short.is_empty())?;
            let value = value.to_str().map(str::to_owned).ok_or_else(|| CliError::VariableNotText(name.to_owned()));
            Some((short.to_owned(), value))
        })
    }
}
