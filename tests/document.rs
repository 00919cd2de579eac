//! What documents say, read from their HTML alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests fail by panicking")]

#[path = "document/corpus.rs"]
mod corpus;
#[path = "document/described.rs"]
mod described;
#[path = "document/heuristic.rs"]
mod heuristic;
#[path = "document/hostile.rs"]
mod hostile;
#[path = "document/llm.rs"]
mod llm;
#[path = "document/markdown.rs"]
mod markdown;
#[path = "document/select.rs"]
mod select;
#[path = "document/structured.rs"]
mod structured;
#[path = "document/tables.rs"]
mod tables;

use url::Url;

/// Where the documents of these tests come from.
fn base() -> Url {
    Url::parse("https://example.com/shop/page").unwrap()
}
