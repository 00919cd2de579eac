//! Text on its way into a page: plain, or a secret that no log may show.

use std::fmt;

use super::Secret;

/// What a verb types or fills in. Its `Display` is safe to log.
#[derive(Debug, Clone)]
pub enum Input {
    /// Ordinary text.
    Plain(String),
    /// A value that is shown by name only.
    Secret(Secret),
}

impl Input {
    /// The text itself, for the browser only.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "{text:?}"),
            Self::Secret(secret) => write!(f, "***{}***", secret.name()),
        }
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}
