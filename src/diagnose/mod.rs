//! Floor 6: a failure, an outcome, a report as people and machines read them. Pure functions from values to text: knows
//! neither the terminal nor the file system, prints nothing and decides nothing.

mod excerpt;
mod exit;
mod failure;
mod hints;
mod outcome;
mod outside;
mod style;

pub use exit::{exit_code, report_exit_code};
pub use failure::{Script, render};
pub use hints::hint;
pub use outcome::{document, session_lines};
pub use outside::{browser_failure, session_failure, usage_failure};
pub use style::{Style, Tone};
