//! What can be wrong with how the program was called or configured.

use std::path::PathBuf;

use crate::diagnose;
use crate::run::Failure;

/// A mistake in arguments, environment or configuration, or a file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CliError {
    /// A variable with bytes that are no text.
    #[error("the variable {0} is not valid text (UTF-8)")]
    VariableNotText(String),
    /// No folder for data, e.g. because HOME is not set.
    #[error("there is no home folder to keep sessions in: {0}")]
    NoHome(String),
    /// An argument, variable or setting with a value that cannot be.
    #[error("{what}: {reason}")]
    Value {
        /// Which.
        what: String,
        /// Why it cannot be.
        reason: String,
    },
    /// A configuration file that cannot be read.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file named on the command line.
    #[error("{what} {} cannot be {verb}: {reason}", path.display())]
    File {
        /// What it was to be: `the script`, `the report` ...
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// The system's words.
        reason: String,
    },
    /// A file that would have been overwritten.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A secrets file with a mode that lets others read it.
    #[error("{} can be read by other users (mode {mode:04o})", path.display())]
    SecretsReadable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line of a secrets file.
    #[error("line {line} of {} is not NAME=VALUE", path.display())]
    SecretsLine {
        /// The file.
        path: PathBuf,
        /// From 1. The line itself may hold a secret and is not shown.
        line: usize,
    },
    /// A server that cannot listen.
    #[error("{address} cannot be listened on: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// A program that we started.
    #[error("`{command}` did not end well: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Exit status or the system's words.
        reason: String,
    },
    /// A question without somebody to answer it.
    #[error("{what} needs a yes and there is no terminal to ask on")]
    NotConfirmed {
        /// What was to be done.
        what: String,
    },
    /// A window is wanted where none can be shown.
    #[error("there is no display to show a window on")]
    NoDisplay,
    /// The same, where a window is all that is wanted.
    #[error("there is no display to show a window on: {0}")]
    NoWindow(String),
    /// A name that is not known.
    #[error("there is no {kind} {name:?}")]
    Unknown {
        /// Of what kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest ones that there are.
        near: Vec<String>,
    },
}

impl CliError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::VariableNotText(_) | Self::Value { .. } => "invalid_argument",
            Self::NoHome(_) | Self::Config { .. } => "invalid_config",
            Self::File { .. } => "file_error",
            Self::Exists { .. } => "file_exists",
            Self::SecretsReadable { .. } | Self::SecretsLine { .. } => "secrets_file",
            Self::Listen { .. } => "listen_failed",
            Self::Command { .. } => "command_failed",
            Self::NotConfirmed { .. } => "not_confirmed",
            Self::NoDisplay | Self::NoWindow(_) => "no_display",
            Self::Unknown { .. } => "not_found",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHome(_) => "set RHAVEN_HOME to a folder of yours, or give --home FOLDER".to_owned(),
            Self::Config { hint, .. } => return hint.clone(),
            Self::Exists { .. } => "give another name, or move that one away first: nothing is overwritten".to_owned(),
            Self::SecretsReadable { path, .. } => format!("chmod 600 {}", path.display()),
            Self::SecretsLine { .. } => "one NAME=VALUE per line, taken literally; # begins a comment line".to_owned(),
            Self::Listen { .. } => "another port: --port 7420, or --port 0 for any free one".to_owned(),
            Self::NotConfirmed { .. } => "give --yes".to_owned(),
            Self::NoDisplay => "set DISPLAY, use xvfb-run, or leave --headed out".to_owned(),
            Self::NoWindow(_) => {
                "`--live` serves a page to sign in on; over ssh: ssh -X; nobody has to look: xvfb-run; or sign in where there is a display, then \
                                  `rhaven session export` there and `rhaven session import` here"
                    .to_owned()
            }
            Self::Unknown { near, .. } if !near.is_empty() => format!("did you mean {}?", near.join(", ")),
            _ => return None,
        })
    }
}

impl From<CliError> for Box<Failure> {
    fn from(error: CliError) -> Self {
        Box::new(error.into())
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        diagnose::usage_failure(error.code(), error.to_string(), error.hint())
    }
}
