//! Floor 0: validated newtypes, deadlines, secrets and their redaction. Knows nothing of browsers, stores or scripts.

mod causes;
mod deadline;
mod ids;
mod input;
mod point;
mod process;
mod redact;
mod suggest;

pub use causes::{causes, with_causes};
pub use deadline::{Deadline, DurationError, parse_duration, show_duration};
pub use ids::{Fence, IdError, SessionId, Tenant, Version};
pub use input::Input;
pub use point::{POINTS, reached};
pub use process::ProcessId;
pub use redact::{Redactor, Secret};
pub use suggest::closest;
