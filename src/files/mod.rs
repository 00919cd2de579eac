//! Floor 1: watching files: which of a set of files have other contents than before, however an editor saved them. Also new files
//! beside others. Knows no scripts.

mod burst;
mod error;
mod new;
mod places;
mod tree;
mod watch;

pub use error::FilesError;
pub use new::write_numbered;
pub use tree::Tree;
pub use watch::Watch;
