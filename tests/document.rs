//! Documents as text: extraction by description.

#[path = "document/heuristic.rs"]
mod heuristic;
