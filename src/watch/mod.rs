//! Floor 7: watch mode: a script is run again whenever it, or what it imports, has changed. Draws nothing: what happens is told
//! as [`News`], what is wanted comes as an [`Order`].

mod news;
mod task;
mod watching;

pub use news::{News, Order};
pub use watching::{Plan, watch};
