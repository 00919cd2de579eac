//! Tables for people: columns of text, as wide as the terminal at most.

use comfy_table::{ContentArrangement, Table, presets};

use crate::diagnose::Style;

/// Rows under headings, without frames, so that they can be cut and read; ends without a newline.
pub(super) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    style: Style,
    is_terminal: bool,
) -> String {
    let rows = rows.into_iter().map(Vec::from);
    table_of(headings.map(str::to_owned).into(), rows, is_terminal.then_some(style.width))
}

/// The same where the number of columns is not known beforehand; as wide as `width` at most.
pub(super) fn table_of(
    headings: Vec<String>,
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Option<usize>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings).add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    // Each cell has a space on both sides; a line that goes on with a cell of the row above keeps its place.
    let line = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

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
    fn rows_stand_under_their_headings() {
        let rows = [["a".to_owned(), "v1".to_owned()], ["longer".to_owned(), "v12".to_owned()]];
        insta::assert_snapshot!(table(["ID", "VERSION"], rows, Style::PLAIN, false), @r#"
        ID      VERSION
        a       v1
        longer  v12
        "#);
    }

    #[test]
    fn a_cell_of_several_lines_stays_in_its_column() {
        let style = Style { width: 18, ..Style::PLAIN };
        let rows = [["a".to_owned(), "one two three".to_owned()]];
        insta::assert_snapshot!(table(["ID", "WHAT"], rows, style, true), @r#"
        ID  WHAT
        a   one two
            three
        "#);
    }

    #[test]
    fn sizes_and_times_are_short() {
        let shown = [0, 1023, 1024, 1536, 5 << 20, 3 << 40].map(show_bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 TiB"]);
        assert_eq!(show_time("2026-11-22T01:50:12.123Z"), "2026-11-22 01:50:12");
        assert_eq!(show_time("never"), "never");
    }
}
