//! Floor 1: what a document says, from its HTML alone: Markdown, tables, structured data, links, values by CSS selector or by
//! description. Pure functions, but for the language model that may be asked; knows neither browsers nor pages. HTML may be
//! anything: what is hostile costs bounded time and memory and fails with an error, never with a panic.

mod dom;
mod error;
mod grid;
pub mod heuristic;
mod json_ld;
mod links;
pub mod llm;
mod main_content;
mod markdown;
mod meta;
mod microdata;
mod plain_tables;
mod select;
mod structured;
mod tables;
mod tame;

pub use error::DocumentError;
pub use links::{Link, links};
pub use markdown::{MarkdownOptions, markdown};
pub use select::select;
pub use structured::{StructuredData, structured_data};
pub use tables::{Row, Table, tables};
pub use tame::MAX_BYTES;
