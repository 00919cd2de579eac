//! What watch mode tells, and what it can be told.

use std::path::PathBuf;

use crate::browser::LaunchOptions;
use crate::run::{Event, Failure, Report};

/// Something that happened. Redacted: no secret's value is in it.
#[derive(Debug)]
pub enum News {
    /// A run begins.
    Started {
        /// The files whose change led to it; none for the first run and for one that was asked for.
        changed: Vec<PathBuf>,
    },
    /// Told by the script that runs.
    Event(Event),
    /// The run is over.
    Ended {
        /// What it came to; with `keep_state` what was saved too.
        report: Box<Report>,
        /// It was stopped for a newer one, which starts now.
        superseded: bool,
    },
    /// The script cannot run as it is now. Nothing else happens: a run that is under way goes on.
    Refused {
        /// The files that changed.
        changed: Vec<PathBuf>,
        /// Why.
        report: Box<Report>,
    },
    /// Changes wait from now on, or no longer.
    Paused(bool),
    /// The page as it is now: PNG.
    Screenshot(Vec<u8>),
    /// There is no page to take a screenshot of.
    NoPage,
    /// No screenshot could be taken.
    ScreenshotFailed(Box<Failure>),
    /// The browser ended between two runs; another one starts.
    BrowserGone,
}

/// Something that is wanted.
#[derive(Debug)]
pub enum Order {
    /// Run the script again as it is.
    Rerun,
    /// Let changes wait, or no longer.
    Pause,
    /// Run it again in another browser, started like this.
    Restart(Box<LaunchOptions>),
    /// Take a screenshot of the page.
    Screenshot,
}
