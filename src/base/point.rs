//! Named points on the way of a write: where a process that dies must not lose what was acknowledged before.

/// What points are logged under.
pub const POINTS: &str = "rhaven::point";

/// Says that the process is at a named point (`save.blobs_written`). It is a trace event and nothing else: a test that kills
/// processes at their points subscribes to it; nobody else pays for it.
pub fn reached(point: &'static str) {
    tracing::trace!(target: POINTS, point);
}
