//! Floor 6: a failure, an outcome, a report as people and machines read them. Pure functions from values to text: knows
//! neither the terminal nor the file system, prints nothing and decides nothing.

mod excerpt;
mod exit;
mod failure;
mod harmless;
mod hints;
mod markdown;
mod outcome;
mod outside;
mod reference;
mod style;
mod table;
mod visible;

pub use exit::{exit_code, report_exit_code, saving_exit_code};
pub use failure::{Script, render};
pub use harmless::harmless;
pub use hints::hint;
pub use markdown::{markdown, paragraph};
pub use outcome::{after_failure, document, session_lines};
pub use outside::{browser_failure, session_failure, store_failure, usage_failure};
pub use reference::{receivers, reference};
pub use style::{Style, Tone};
pub use table::{table, table_of};
pub use visible::{blanked, cut, visible, visible_json, visible_line};
