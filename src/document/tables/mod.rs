//! The tables of a document as data.

mod headers;

use std::collections::HashMap;

use dom_query::{NodeId, NodeRef};
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::DocumentError;
use super::dom::{Dom, attribute, collapse, is, is_hidden, text, with_dom};
use super::grid::{Place, is_table};

pub(super) use headers::{Reading, read};

/// How much text may be repeated in places that one cell spans, in bytes.
const MAX_REPEATED: usize = 4 << 20;

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// Its caption, or the name that it is given for those who do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The heading that it stands under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// The names of its columns; none where it has no headers.
    pub headers: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// Values by header.
    Named(Map<String, Value>),
    /// Values alone, where the table has no headers.
    Plain(Vec<String>),
}

/// The tables of a document in its order, spans filled in. Tables that only arrange a page, and hidden ones, are left out.
/// A table of pairs whose first cells are headers is one row by those. Blocks while it reads.
pub fn tables(html: &str, base: &Url) -> Result<Vec<Table>, DocumentError> {
    with_dom(html, base, |dom| Ok(tables_of(dom)))
}

fn tables_of(dom: &Dom) -> Vec<Table> {
    let mut found = Vec::new();
    let mut heading = None;
    let mut open = vec![dom.document.root()];
    while let Some(node) = open.pop() {
        if node.is_element() && is_hidden(&node) && !is(&node, &["head"]) {
            continue;
        }
        if is(&node, &["h1", "h2", "h3", "h4", "h5", "h6"]) {
            heading = Some(text(&node)).filter(|heading| !heading.is_empty());
        }
        if let Some(reading) = is_table(&node).then(|| read(&node)).flatten() {
            found.push(table(dom, &node, &reading, heading.as_ref()));
        }
        open.extend(node.children_it(true));
    }
    found
}

fn table(dom: &Dom, node: &NodeRef<'_>, reading: &Reading<'_>, heading: Option<&String>) -> Table {
    let mut cells = Cells { texts: HashMap::new(), repeated: 0 };
    let caption = caption(dom, node).or_else(|| reading.title.map(|cell| cells.text(&cell)));
    let caption = caption.filter(|caption| !caption.is_empty());
    let body = reading.grid.rows.iter().skip(reading.skipped + reading.header_rows);
    let rows: Vec<Vec<String>> = body.map(|row| cells.row(&row.places)).filter(|row| has_text(row)).collect();
    let (headers, rows) = if reading.is_pairs {
        let pairs = rows.iter().map(|row| (row.first().cloned().unwrap_or_default(), row.get(1).cloned()));
        let (names, values): (Vec<_>, Vec<_>) = pairs.unzip();
        let names = distinct(names);
        let row = named(&names, &values.into_iter().flatten().collect::<Vec<_>>());
        (names, vec![Row::Named(row)])
    } else if reading.header_rows > 0 {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let headers = distinct(headers(reading, &mut cells, width));
        let rows = rows.iter().map(|row| Row::Named(named(&headers, row))).collect();
        (headers, rows)
    } else {
        (Vec::new(), rows.into_iter().map(Row::Plain).collect())
    };
    Table { caption, heading: heading.cloned(), headers, rows }
}

fn has_text(row: &[String]) -> bool {
    row.iter().any(|cell| !cell.is_empty())
}

/// What a table is called: its caption or its accessible name.
fn caption(dom: &Dom, node: &NodeRef<'_>) -> Option<String> {
    let own = node.children_it(false).find(|child| is(child, &["caption"])).map(|caption| text(&caption));
    let by_id = || {
        let ids = attribute(node, "aria-labelledby")?;
        let named = |id: &str| dom.elements().find(|element| element.attr("id").is_some_and(|own| own.as_ref() == id));
        Some(
            ids.split_whitespace()
                .take(4)
                .filter_map(named)
                .map(|element| text(&element))
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    own.or_else(by_id).or_else(|| attribute(node, "aria-label").map(|label| collapse(&label)))
}

/// The name of each column: its headers from above, each once.
fn headers(reading: &Reading<'_>, cells: &mut Cells, width: usize) -> Vec<String> {
    let rows: Vec<Vec<String>> = reading
        .grid
        .rows
        .iter()
        .skip(reading.skipped)
        .take(reading.header_rows)
        .map(|row| {
            row.places.iter().map(|place| place.map(|place| cells.text(&place.cell)).unwrap_or_default()).collect()
        })
        .collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or(0).max(width);
    let name = |column: usize| {
        let mut parts: Vec<&str> = Vec::new();
        for part in rows.iter().filter_map(|row| row.get(column)).filter(|part| !part.is_empty()) {
            if parts.last() != Some(&part.as_str()) {
                parts.push(part);
            }
        }
        parts.join(" ")
    };
    (0..width).map(name).collect()
}

/// Names that can be keys: none empty, each once.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let unique = names.into_iter().enumerate().map(|(index, name)| {
        let name = if name.is_empty() { format!("column_{}", index + 1) } else { name };
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{count}") }
    });
    unique.collect()
}

fn named(headers: &[String], row: &[String]) -> Map<String, Value> {
    let cell = |column: usize| Value::from(row.get(column).cloned().unwrap_or_default());
    headers.iter().enumerate().map(|(column, header)| (header.clone(), cell(column))).collect()
}

/// Texts of cells, each read once.
struct Cells {
    texts: HashMap<NodeId, String>,
    repeated: usize,
}

impl Cells {
    fn text(&mut self, cell: &NodeRef<'_>) -> String {
        self.texts.entry(cell.id).or_insert_with(|| cell_text(cell)).clone()
    }

    /// A row of texts. What spans the whole row is there once.
    fn row(&mut self, places: &[Option<Place<'_>>]) -> Vec<String> {
        let first = places.first().copied().flatten();
        let is_one =
            first.is_some_and(|first| places.iter().all(|place| place.is_some_and(|p| p.cell.id == first.cell.id)));
        if let Some(place) = first.filter(|_| is_one) {
            return vec![self.text(&place.cell)];
        }
        let mut row = Vec::with_capacity(places.len());
        for place in places {
            let Some(place) = place else {
                row.push(String::new());
                continue;
            };
            let text = self.text(&place.cell);
            if !place.begins {
                self.repeated += text.len();
            }
            row.push(if place.begins || self.repeated <= MAX_REPEATED { text } else { String::new() });
        }
        row
    }
}

/// What a cell says: its text, or what a picture or a field in it says.
pub(super) fn cell_text(cell: &NodeRef<'_>) -> String {
    let read = text(cell);
    if !read.is_empty() {
        return read;
    }
    let told = cell.descendants_it().find_map(|inner| match super::dom::name(&inner).as_str() {
        "img" => attribute(&inner, "alt"),
        "input" if !is_hidden(&inner) => attribute(&inner, "value"),
        _ => attribute(&inner, "aria-label"),
    });
    collapse(&told.unwrap_or_default())
}
