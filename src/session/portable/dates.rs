//! Dates as JavaScript writes them in JSON (`2026-01-31T12:00:00.000Z`, years beyond four digits with a sign and six).

use jiff::civil::{Date, date};

const DAY_MS: i64 = 86_400_000;
/// The furthest from 1970 that a date can be, in milliseconds.
const FURTHEST: f64 = 8.64e15;
/// The calendar repeats itself after so many years, which are so many days.
const CYCLE: (i64, i64) = (400, 146_097);

/// The text of a time in milliseconds since 1970; none where there is no such time.
pub(super) fn to_text(ms: f64) -> Option<String> {
    if ms.is_nan() || ms.abs() > FURTHEST || ms.fract() != 0.0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // whole, and far below what an i64 holds
    let ms = ms as i64;
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Brought into the one cycle from 1970, for which the calendar is asked.
    let (cycles, day) = (days.div_euclid(CYCLE.1), days.rem_euclid(CYCLE.1));
    let on = date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).ok()?;
    let year = i64::from(on.year()) + cycles * CYCLE.0;
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    let (hours, minutes, seconds, millis) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    Some(format!("{year}-{:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z", on.month(), on.day()))
}

/// The milliseconds since 1970 of such a text.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let signed = text.starts_with(['+', '-']);
    let (year, rest) = text.split_at_checked(if signed { 7 } else { 4 })?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let year = digits(year.trim_start_matches(['+', '-']))? * if year.starts_with('-') { -1 } else { 1 };
    let pattern = rest.as_bytes();
    let marks = [(0, b'-'), (3, b'-'), (6, b'T'), (9, b':'), (12, b':'), (15, b'.'), (19, b'Z')];
    if pattern.len() != 20 || marks.iter().any(|(at, mark)| pattern[*at] != *mark) {
        return None;
    }
    let field = |from: usize, length: usize| rest.get(from..from + length).and_then(digits);
    let (hours, minutes) = (field(7, 2)?, field(10, 2)?);
    let (seconds, millis) = (field(13, 2)?, field(16, 3)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let (cycles, of_cycle) = ((year - 1970).div_euclid(CYCLE.0), (year - 1970).rem_euclid(CYCLE.0));
    let on = Date::new(
        i16::try_from(1970 + of_cycle).ok()?,
        i8::try_from(field(1, 2)?).ok()?,
        i8::try_from(field(4, 2)?).ok()?,
    );
    let days = i64::from(date(1970, 1, 1).until(on.ok()?).ok()?.get_days()) + cycles * CYCLE.1;
    Some(days * DAY_MS + hours * 3_600_000 + minutes * 60_000 + seconds * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        for (ms, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (8.64e15, "+275760-09-13T00:00:00.000Z"),
            (-8.64e15, "-271821-04-20T00:00:00.000Z"),
            (-62_198_755_200_000.0, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_text(ms).as_deref(), Some(text));
            #[allow(clippy::cast_precision_loss)] // within what a double holds
            let back = from_text(text).map(|ms| ms as f64);
            assert_eq!(back, Some(ms), "{text}");
        }
        assert_eq!((to_text(f64::NAN), to_text(9e15)), (None, None));
    }

    proptest! {
        #[test]
        fn every_date_reads_back(ms in -8_640_000_000_000_000i64..=8_640_000_000_000_000) {
            #[allow(clippy::cast_precision_loss)]
            let text = to_text(ms as f64).unwrap();
            prop_assert_eq!(from_text(&text), Some(ms));
        }

        #[test]
        fn hostile_dates_never_panic(text in "[-+0-9TZ:.é]{0,30}") {
            let _ = from_text(&text);
        }
    }
}
