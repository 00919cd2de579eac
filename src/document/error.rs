//! Why a document could not be read.

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is larger than what is read.
    #[error("the document is too large: {0}")]
    TooLarge(String),
    /// A selector that only a browser can follow.
    #[error("{selector:?} needs a browser: {reason}")]
    SelectorUnsupported {
        /// As written.
        selector: String,
        /// What it is that needs one.
        reason: String,
    },
    /// A selector that cannot be read.
    #[error("{0:?} is not a CSS selector")]
    InvalidSelector(String),
    /// A field whose description cannot be.
    #[error("{0}")]
    InvalidField(String),
    /// The system gave no thread.
    #[error("no thread to read the document on: {0}")]
    NoThread(String),
    /// Reading it took longer than anybody waited.
    #[error("the document was not read in time")]
    Late,
    /// Reading it broke down.
    #[error("the document could not be read: a part that reads HTML broke down on it")]
    Broken,
}

impl DocumentError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "document_too_large",
            Self::SelectorUnsupported { .. } => "selectors_unsupported",
            Self::InvalidSelector(_) => "invalid_selector",
            Self::InvalidField(_) => "invalid_argument",
            Self::NoThread(_) => "runtime",
            Self::Late => "timeout",
            Self::Broken => "document_unreadable",
        }
    }
}
