//! Tables for people: columns of text, as wide as the terminal at most.

use comfy_table::{ContentArrangement, Table, presets};

use super::{Style, visible};

/// Rows under headings, without frames, so that they can be cut and read; ends without a newline.
pub fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    style: Style,
    is_terminal: bool,
) -> String {
    let rows = rows.into_iter().map(Vec::from);
    table_of(headings.map(str::to_owned).into(), rows, is_terminal.then_some(style.width))
}

/// The same where the number of columns is not known beforehand; as wide as `width` at most. Cells cannot steer the terminal.
pub fn table_of(headings: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>, width: Option<usize>) -> String {
    let mut table = Table::new();
    let rows = rows.into_iter().map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect::<Vec<_>>());
    table.load_preset(presets::NOTHING).set_header(headings).add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    // Each cell has a space on both sides; a line that goes on with a cell of the row above keeps its place.
    let line = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    table.lines().map(line).collect::<Vec<_>>().join("\n")
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
}
