//! Tables in the one shape that Markdown has: one row of headers, no spans. Tables that arrange a page become plain blocks.

use dom_query::{Document, NodeRef};

use super::dom::is;
use super::grid::{Place, is_table};
use super::tables::{Reading, read};

/// The attribute of `<thead>` that tells how many columns there are.
pub(super) const COLUMNS: &str = "data-columns";
/// How much may be repeated where a cell spans rows, in bytes.
const MAX_REPEATED: usize = 1 << 20;

/// Puts all tables of the document into that shape.
pub(super) fn simplify(document: &Document) {
    let mut found: Vec<NodeRef<'_>> =
        document.root().descendants_it().filter(|node| is(node, &["table"]) || is_table(node)).collect();
    // From the innermost outwards: what stands in a cell is as it will be when the cell is read.
    found.reverse();
    let mut repeated = 0;
    for table in found {
        let inside = table.ancestors_it(None).any(|outer| is(&outer, &["td", "th"]));
        match read(&table).filter(|_| is_table(&table) && !inside) {
            Some(reading) => {
                let html = simple(&table, &reading, &mut repeated);
                table.replace_with_html(html);
            }
            None => flatten(&table),
        }
    }
}

/// Makes blocks of a table and its parts.
fn flatten(table: &NodeRef<'_>) {
    let parts = ["tr", "td", "th", "tbody", "thead", "tfoot", "caption", "table"];
    let mut open: Vec<NodeRef<'_>> = vec![*table];
    while let Some(node) = open.pop() {
        if is(&node, &parts) {
            node.rename("div");
        }
        open.extend(node.children_it(false));
    }
}

fn simple(table: &NodeRef<'_>, reading: &Reading<'_>, repeated: &mut usize) -> String {
    let rows = &reading.grid.rows;
    let columns = rows.iter().map(|row| row.places.len()).max().unwrap_or(0);
    let caption = table.children_it(false).find(|child| is(child, &["caption"])).or(reading.title);
    let mut html = String::from("<table>");
    if let Some(caption) = caption {
        html.extend(["<caption>", &*caption.inner_html(), "</caption>"]);
    }
    html.extend(["<thead ", COLUMNS, "=\"", &columns.to_string(), "\">"]);
    let mut body = rows.iter().skip(reading.skipped);
    // Several rows of headers are one in Markdown: those above the last stay rows of the body.
    match reading.header_rows {
        0 => push_row(&mut html, "th", &vec![None; columns], columns, repeated),
        _ => body.next().into_iter().for_each(|row| push_row(&mut html, "th", &row.places, columns, repeated)),
    }
    html.push_str("</thead><tbody>");
    for row in body {
        push_row(&mut html, "td", &row.places, columns, repeated);
    }
    html.push_str("</tbody></table>");
    html
}

fn push_row(html: &mut String, cell: &str, places: &[Option<Place<'_>>], columns: usize, repeated: &mut usize) {
    html.push_str("<tr>");
    // Rows may be ragged: no more than what is there is written for a wide table.
    for column in 0..columns.min(places.len().max(1)) {
        let place = places.get(column).copied().flatten();
        let inner = place.filter(|place| place.begins || place.from_above).map(|place| place.cell.inner_html());
        let inner = inner.unwrap_or_default();
        let again = place.is_some_and(|place| !place.begins);
        if again {
            *repeated += inner.len();
        }
        let shown: &str = if again && *repeated > MAX_REPEATED { "" } else { &inner };
        html.extend(["<", cell, ">", shown, "</", cell, ">"]);
    }
    html.push_str("</tr>");
}
