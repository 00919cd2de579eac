//! Documents as text: HTML in, data out. Pure; knows nothing of browsers.

pub mod heuristic;
pub mod llm;
