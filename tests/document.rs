//! Documents as text: extraction by description.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what failed by failing")]
#[path = "document/heuristic.rs"]
mod heuristic;
#[path = "document/hostile.rs"]
mod hostile;
#[path = "document/llm.rs"]
mod llm;
