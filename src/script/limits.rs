//! What a script may use up. Every limit of the engine is set explicitly: some of Rhai's own differ between builds.

use std::time::Duration;

/// The limits of one run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The whole run.
    pub wall_time: Duration,
    /// A verb, unless it or `set_default_timeout` says otherwise.
    pub verb_timeout: Duration,
    /// Rhai operations; 0 for no limit.
    pub operations: u64,
    /// Nested function calls.
    pub call_depth: usize,
    /// Bytes of a string.
    pub string_bytes: usize,
    /// Elements of an array.
    pub array_len: usize,
    /// Entries of a map.
    pub map_len: usize,
    /// Variables in scope at a time, of each call.
    pub variables: usize,
    /// Imported modules.
    pub modules: usize,
    /// Bytes of all `emit`ted lines together.
    pub emitted_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_time: Duration::from_mins(30),
            verb_timeout: Duration::from_secs(30),
            operations: 0,
            call_depth: 64,
            string_bytes: 64 << 20,
            array_len: 1_000_000,
            map_len: 1_000_000,
            variables: 10_000,
            modules: 64,
            emitted_bytes: 256 << 20,
        }
    }
}
