//! Cells of tables for people: sizes and times. The tables themselves are `diagnose`'s.

pub(super) use crate::diagnose::table;

/// Bytes as people write them.
pub(super) fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `2026-11-22T01:50:12.123Z` without what nobody reads: `2026-11-22 01:50:12`.
pub(super) fn show_time(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time}"),
        _ => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        let shown = [0, 1023, 1024, 1536, 5 << 20, 3 << 40].map(show_bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 TiB"]);
        assert_eq!(show_time("2026-11-22T01:50:12.123Z"), "2026-11-22 01:50:12");
        assert_eq!(show_time("never"), "never");
    }
}
