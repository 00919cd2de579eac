//! What a verb answers when it fails: what was wanted, what was found, and the call log.

use crate::browser::BrowserError;
use crate::document::DocumentError;

use super::{CallLog, SelectorError};

/// Why a verb failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The deadline passed. `waiting_for` says what was still missing.
    #[error("timeout of {} while waiting for {waiting_for}", crate::base::show_duration(*.after))]
    Timeout {
        /// The deadline's span.
        after: std::time::Duration,
        /// What was missing, in words.
        waiting_for: String,
    },
    /// More than one element where one was wanted.
    #[error("{selector} matches {count} elements, one was wanted")]
    StrictViolation {
        /// The selector as written.
        selector: String,
        /// How many matched.
        count: usize,
        /// For each (the first ten): a selector that would be unique, and a preview of the element.
        matches: Vec<(String, String)>,
    },
    /// A selector that cannot be read.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// The element cannot take the action whatever the wait (filling a checkbox, selecting in a div).
    #[error("{0}")]
    NotActionable(String),
    /// A page could not be loaded.
    #[error("{url} did not load: {reason}")]
    Navigation {
        /// Where to.
        url: String,
        /// Chromium's words (`net::ERR_..`).
        reason: String,
    },
    /// JavaScript in the page threw.
    #[error("JavaScript failed: {0}")]
    JavaScript(String),
    /// A field of an extraction was not found or did not convert.
    #[error("{0}")]
    Extract(String),
    /// An argument that cannot be.
    #[error("{0}")]
    Argument(String),
    /// The page has been closed.
    #[error("the page has been closed")]
    PageClosed,
    /// The page's renderer crashed.
    #[error("the page crashed")]
    PageCrashed,
    /// A file could not be written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// More than the caller takes; it was not sent.
    #[error("the page has {found} characters of HTML, {most} bytes are the most")]
    TooLarge {
        /// How long it is, in UTF-16 units: no more than its bytes are.
        found: usize,
        /// The most, in bytes.
        most: usize,
    },
    /// What JavaScript answered is more than the caller takes; it was not sent.
    #[error("what the JavaScript answers is too large: it has more than {most} characters; let it answer less")]
    LargeResult {
        /// The most, in UTF-16 units.
        most: usize,
    },
    /// The document could not be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The browser failed under it.
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

impl PageError {
    /// Of a page that has `found` characters where no more than `most` bytes were wanted.
    pub(super) fn too_large(found: usize, most: Option<usize>) -> Self {
        Self::TooLarge { found, most: most.unwrap_or_default() }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::StrictViolation { .. } => "strict_violation",
            Self::Selector(_) => "invalid_selector",
            Self::NotActionable(_) => "not_actionable",
            Self::Navigation { .. } => "navigation_failed",
            Self::JavaScript(_) => "javascript_error",
            Self::Extract(_) => "extract_failed",
            Self::Argument(_) => "invalid_argument",
            Self::PageClosed => "page_closed",
            Self::PageCrashed => "page_crashed",
            Self::File { .. } => "file_error",
            Self::TooLarge { .. } | Self::LargeResult { .. } => "result_too_large",
            Self::Document(error) => error.code(),
            Self::Browser(error) => error.code(),
        }
    }
}

/// A verb's failure with its call log. Boxed where it travels, so that the good way stays small.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct VerbError {
    /// Why.
    pub error: PageError,
    /// What was tried, what was found, why it was not good enough.
    pub log: CallLog,
    /// The elements closest to what was asked for (a selector and a preview each), where nothing matched.
    pub closest: Vec<(String, String)>,
}

impl From<PageError> for VerbError {
    fn from(error: PageError) -> Self {
        Self { error, log: CallLog::default(), closest: Vec::new() }
    }
}
