//! A value as people read it: tables for lists of records, aligned maps, long text folded. Pure.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::diagnose::{Style, Tone};
use crate::diagnose::{cut, visible, visible_line};

/// Lines of a text, rows of a table or items of a list that are shown before it is folded.
const FOLD: usize = 24;
/// Characters of a text without lines that are shown before it is folded.
const FOLD_CHARS: usize = 2_000;
/// Columns of a table; records with more are shown as they stand.
const MOST_COLUMNS: usize = 12;
/// Characters of a cell.
const CELL: usize = 60;

/// `value` for a terminal of this width, without a newline at its end; all of it where `whole`.
pub(super) fn show(value: &Value, style: Style, whole: bool) -> String {
    match value {
        Value::String(text) => show_text(text, style, whole),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => match records(items) {
            Some(columns) => show_table(&columns, items, style, whole),
            None => show_list(items, style, whole),
        },
        Value::Object(entries) if !entries.is_empty() => show_map(entries, style, whole),
        other => visible_line(&other.to_string()),
    }
}

/// One line is quoted as a script would write it; several stand as they are.
fn show_text(text: &str, style: Style, whole: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= 1 {
        let length = text.chars().count();
        if whole || length <= FOLD_CHARS {
            return quoted(text);
        }
        let shown: String = text.chars().take(FOLD_CHARS).collect();
        return format!("{}\n{}", quoted(&shown), more(length - FOLD_CHARS, "characters", style));
    }
    let shown = if whole || lines.len() <= FOLD + 1 { lines.len() } else { FOLD };
    let shown_lines = lines[..shown]
        .iter()
        .map(|line| if whole { visible(line).into_owned() } else { cut(&visible(line), style.width * 4).into_owned() });
    let mut out = shown_lines.collect::<Vec<_>>().join("\n");
    if shown < lines.len() {
        out.push('\n');
        out.push_str(&more(lines.len() - shown, "lines", style));
    }
    out
}

fn quoted(text: &str) -> String {
    visible_line(&Value::from(text).to_string())
}

fn more(count: usize, what: &str, style: Style) -> String {
    style.paint(Tone::Faint, &format!(".. {count} more {what}; .show shows all"))
}

/// The columns of a list of records, in the order in which they first come; none where it is no such list.
fn records(items: &[Value]) -> Option<Vec<String>> {
    let mut columns: Vec<String> = Vec::new();
    for item in items {
        let record = item.as_object().filter(|record| !record.is_empty())?;
        for name in record.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    (columns.len() <= MOST_COLUMNS).then_some(columns)
}

fn show_table(columns: &[String], items: &[Value], style: Style, whole: bool) -> String {
    let shown = if whole || items.len() <= FOLD + 1 { items.len() } else { FOLD };
    let mut table = Table::new();
    let heading = |name: &String| visible_line(name);
    table.load_preset(presets::NOTHING).set_header(columns.iter().map(heading));
    for item in &items[..shown] {
        table.add_row(columns.iter().map(|name| item.get(name).map_or_else(String::new, |value| cell(value, whole))));
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(style.width).unwrap_or(u16::MAX));
    // Each cell has a space on both sides.
    let mut lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    if let Some(first) = lines.first_mut() {
        *first = style.paint(Tone::Strong, first);
    }
    if shown < items.len() {
        lines.push(more(items.len() - shown, "rows", style));
    }
    lines.join("\n")
}

fn cell(value: &Value, whole: bool) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => visible_line(text),
        other => visible_line(&other.to_string()),
    };
    if whole { text } else { cut(&text, CELL).into_owned() }
}

/// On one line where it fits, else an item a line with its number.
fn show_list(items: &[Value], style: Style, whole: bool) -> String {
    let line = visible_line(&Value::from(items.to_vec()).to_string().replace("\",\"", "\", \""));
    if line.chars().count() <= style.width {
        return line;
    }
    let shown = if whole || items.len() <= FOLD + 1 { items.len() } else { FOLD };
    let digits = (shown.max(1) - 1).to_string().len();
    let item = |(index, item): (usize, &Value)| {
        let text = visible_line(&item.to_string());
        let text = if whole { text } else { cut(&text, style.width.saturating_sub(digits + 2)).into_owned() };
        format!("{} {text}", style.paint(Tone::Faint, &format!("{index:>digits$}:")))
    };
    let mut lines: Vec<String> = items[..shown].iter().enumerate().map(item).collect();
    if shown < items.len() {
        lines.push(more(items.len() - shown, "items", style));
    }
    lines.join("\n")
}

fn show_map(entries: &Map<String, Value>, style: Style, whole: bool) -> String {
    let shown = if whole || entries.len() <= FOLD + 1 { entries.len() } else { FOLD };
    let column = entries.keys().take(shown).map(|name| visible_line(name).chars().count()).max().unwrap_or(0).min(30);
    let entry = |(name, value): (&String, &Value)| {
        let name = format!("{}:", visible_line(name));
        let text = match value {
            Value::String(text) => quoted(text),
            other => visible_line(&other.to_string()),
        };
        let text = if whole { text } else { cut(&text, style.width.saturating_sub(column + 2).max(20)).into_owned() };
        format!("{} {text}", style.paint(Tone::Strong, &format!("{name:width$}", width = column + 1)))
    };
    let mut lines: Vec<String> = entries.iter().take(shown).map(entry).collect();
    if shown < entries.len() {
        lines.push(more(entries.len() - shown, "entries", style));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(value: &Value) -> String {
        show(value, Style { width: 60, ..Style::PLAIN }, false)
    }

    #[test]
    fn records_are_a_table() {
        let orders = json!([{"id": "#1", "total": 12.5}, {"id": "#2", "paid": true, "lines": [1, 2]}]);
        insta::assert_snapshot!(shown(&orders), @r##"
        id  total  paid  lines
        #1  12.5
        #2         true  [1,2]
        "##);
    }

    #[test]
    fn maps_are_aligned_and_lists_numbered_where_they_are_long() {
        insta::assert_snapshot!(shown(&json!({"version": 3, "updated": true, "why": "x\ny"})), @r#"
        version: 3
        updated: true
        why:     "x\ny"
        "#);
        assert_eq!(shown(&json!([1, "a", null])), r#"[1,"a",null]"#);
        let long = shown(&json!(["x".repeat(50), "y".repeat(80)]));
        assert_eq!(long.lines().count(), 2);
        assert!(long.starts_with("0: \"xxx") && long.ends_with('…'), "{long}");
    }

    #[test]
    fn long_things_are_folded_with_a_count() {
        let rows: Vec<Value> = (0..100).map(|n| json!({"n": n})).collect();
        assert!(shown(&rows.clone().into()).ends_with(".. 76 more rows; .show shows all"));
        assert_eq!(show(&rows.into(), Style::PLAIN, true).lines().count(), 101);
        let lines: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert!(shown(&lines.join("\n").into()).ends_with("23\n.. 26 more lines; .show shows all"));
        assert!(shown(&"x".repeat(5_000).into()).ends_with(".. 3000 more characters; .show shows all"));
    }

    #[test]
    fn nothing_of_a_page_reaches_the_terminal_raw() {
        for value in
            [json!("\u{1b}[2J"), json!(["\u{1b}"]), json!({"\u{1b}a": "\u{9b}"}), json!([{"\u{7}": "\u{1b}c"}])]
        {
            let text = shown(&value);
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
    }
}
