//! Points in time that a piece of work must not pass, and how people write spans of time.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// A point in time by which something has to be done. Made once where the user's timeout is known and handed down, so
/// that nested waits share it instead of adding up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    span: Duration,
}

impl Deadline {
    /// `span` from now.
    pub fn after(span: Duration) -> Self {
        Self { at: Instant::now() + span, span }
    }

    /// The earlier of the two; `other` is usually that of the whole run.
    #[must_use]
    pub fn min(self, other: Deadline) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// The span it was made with, for messages ("timeout of 5 s").
    pub fn span(&self) -> Duration {
        self.span
    }

    /// What is left of it; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The moment itself, for `tokio::time::sleep_until`.
    pub fn instant(&self) -> Instant {
        self.at
    }

    /// Runs `work` until it is done or the deadline passes (`None`).
    pub async fn race<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.at, work).await.ok()
    }
}

/// A span of time that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time is milliseconds or a number with a unit (\"250ms\", \"5s\", \"2m\", \"24h\", \"30d\"), found {0:?}")]
pub struct DurationError(pub String);

/// Reads `"250ms"`, `"5s"`, `"1.5s"`, `"2m"`, `"24h"`, `"30d"`, or a bare number of milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let bad = || DurationError(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let millis = match unit.trim() {
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return Err(bad()),
    };
    Duration::try_from_secs_f64(number * millis / 1_000.0).map_err(|_| bad())
}

/// Writes a span as a person would: `250 ms`, `1.4 s`, `2 m 5 s`.
pub fn show_duration(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 if millis.is_multiple_of(1_000) => format!("{} s", millis / 1_000),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => match (span.as_secs() / 60, span.as_secs() % 60) {
            (minutes, 0) => format!("{minutes} m"),
            (minutes, seconds) => format!("{minutes} m {seconds} s"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let check = |text: &str, millis: u64| {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        };
        check("250ms", 250);
        check("250", 250);
        check("5s", 5_000);
        check("1.5s", 1_500);
        check("2m", 120_000);
        check(" 24 h ", 86_400_000);
        check("30d", 2_592_000_000);
        for bad in ["", "s", "5 parsecs", "-1s", "1e400d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn durations_show_short() {
        let check = |millis: u64, text: &str| assert_eq!(show_duration(Duration::from_millis(millis)), text);
        check(3, "3 ms");
        check(5_000, "5 s");
        check(1_449, "1.4 s");
        check(125_000, "2 m 5 s");
        check(120_000, "2 m");
    }
}
