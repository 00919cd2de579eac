//! What documents say, read from their HTML alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

#[path = "document/corpus.rs"]
mod corpus;
#[path = "document/hostile.rs"]
mod hostile;
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
