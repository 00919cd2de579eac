//! Markdown as our own texts use it, laid out for people: headings, paragraphs, tables, blocks of code. Knows nothing of
//! what the texts are about.

use super::{Style, Tone, table_of};

/// Lines longer than this are hard to read, however wide the terminal.
const WIDEST: usize = 100;

/// `text` in lines as wide as the terminal at most; ends without a newline.
pub fn markdown(text: &str, style: Style) -> String {
    let style = Style { width: style.width.min(WIDEST), ..style };
    let mut lines = text.lines().peekable();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            blocks.push(style.paint(Tone::Strong, heading.trim_start_matches('#').trim()));
        } else if line.starts_with("```") {
            let code: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            blocks.push(code.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            blocks.push(rows_block(rows, style));
        } else if !line.is_empty() {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            while let Some(more) = lines.next_if(|line| !line.is_empty() && !starts_a_block(line)) {
                words.extend(more.split_whitespace());
            }
            blocks.push(wrap(&words, style.width));
        }
    }
    blocks.join("\n\n")
}

/// A paragraph of plain text, its lines after the first one under column `indent`.
pub fn paragraph(text: &str, indent: usize, style: Style) -> String {
    let width = style.width.min(WIDEST).saturating_sub(indent).max(20);
    let words: Vec<&str> = text.split_whitespace().collect();
    wrap(&words, width).replace('\n', &format!("\n{}", " ".repeat(indent)))
}

fn starts_a_block(line: &str) -> bool {
    line.starts_with(['|', '#']) || line.starts_with("```")
}

/// The cells of a row; `\|` is a bar inside one.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').replace("\\|", "\0");
    let inner = inner.strip_suffix('|').unwrap_or(&inner);
    inner.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

fn rows_block(mut rows: Vec<Vec<String>>, style: Style) -> String {
    let heading = rows.remove(0).into_iter().map(|cell| cell.to_uppercase()).collect();
    let rows = rows.into_iter().filter(|row| !row.iter().all(|cell| cell.trim_matches(['-', ':']).is_empty()));
    table_of(heading, rows, Some(style.width))
}

fn wrap(words: &[&str], width: usize) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for word in words {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart_and_fit() {
        let text = "# Head\n\nOne two three\nfour.\n\n| a | b |\n|---|---|\n| `x\\|y` | long words here |\n\n```rhai\ngo();\n```\n";
        insta::assert_snapshot!(markdown(text, Style { width: 16, ..Style::PLAIN }), @r#"
        Head

        One two three
        four.

        A      B
        `x|y`  long
               words
               here

          go();
        "#);
    }
}
