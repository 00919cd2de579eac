//! What can go wrong with watching files.

/// Files cannot be watched. That a file is missing or cannot be read is no error: it is a state that it can leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The system gives no watcher, or takes a folder no more.
    #[error("files cannot be watched: {0}")]
    Unavailable(String),
    /// This user watches as many folders as the system allows.
    #[error("the system allows no further folder to be watched")]
    Limit,
}

impl FilesError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "watch_failed",
            Self::Limit => "watch_limit",
        }
    }
}

impl From<notify::Error> for FilesError {
    fn from(error: notify::Error) -> Self {
        match error.kind {
            notify::ErrorKind::MaxFilesWatch => Self::Limit,
            notify::ErrorKind::Io(error) => Self::Unavailable(error.to_string()),
            // Its own text repeats the paths.
            notify::ErrorKind::Generic(reason) => Self::Unavailable(reason),
            other => Self::Unavailable(format!("{other:?}")),
        }
    }
}
