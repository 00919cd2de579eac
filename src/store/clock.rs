//! What time it is for a store: microseconds since 1970, from a clock that tests can set.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The clock of an embedded store, in microseconds since 1970. Leases and expiry go by it.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How long a session without a version is remembered: that it ran out (so that its id does not start empty without a
/// word), or the checkpoint of a run that crashed before the first version.
pub(super) const TRACE_LIFE: Duration = Duration::from_hours(720);

/// The system's clock.
pub(super) fn system_clock() -> Clock {
    Arc::new(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
    })
}

/// `span` after `now`. None (never) where that is beyond the year 9999.
pub(super) fn later(now: u64, span: Duration) -> Option<u64> {
    let at = now.checked_add(u64::try_from(span.as_micros()).ok()?)?;
    timestamp(at).map(|_| at)
}

/// `span` before `now`.
pub(super) fn earlier(now: u64, span: Duration) -> u64 {
    now.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

/// The moment as others see it; none beyond the year 9999.
pub(super) fn timestamp(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}

/// What is left of the time from `now` to `end`.
pub(super) fn until(end: u64, now: u64) -> Duration {
    Duration::from_micros(end.saturating_sub(now))
}

/// The moment as a store keeps it; 1970 for what was before.
pub(super) fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or(0)
}
