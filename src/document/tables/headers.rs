//! Whether a table holds data, and which of its rows are headers.

use dom_query::NodeRef;

use crate::document::dom::{is, text};
use crate::document::grid::{Grid, GridRow, grid, is_header, is_table};

/// The most rows of headers.
const MAX_HEADER_ROWS: usize = 4;
/// A header that is only taken for one by its look is no longer than this, in characters.
const MAX_GUESSED: usize = 40;
/// Where a cell has more text than this, the table arranges a page.
const MAX_CELL: usize = 1000;

/// A table that holds data.
pub(in crate::document) struct Reading<'a> {
    pub grid: Grid<'a>,
    /// A first row that spans the table and names it.
    pub title: Option<NodeRef<'a>>,
    /// Rows before the headers.
    pub skipped: usize,
    pub header_rows: usize,
    /// Whether each row is a header and its value.
    pub is_pairs: bool,
}

/// Reads the table; none where it only arranges a page.
pub(in crate::document) fn read<'a>(table: &NodeRef<'a>) -> Option<Reading<'a>> {
    let grid = grid(table);
    let first = grid.rows.first()?;
    let width = grid.rows.iter().map(|row| row.places.len()).max().unwrap_or(0);
    let title = spanning(first).filter(|_| width > 1 && grid.rows.len() > 1 && !first.in_head);
    let title = title.filter(|_| grid.rows.get(1).is_some_and(|second| second.in_head || all_headers(second)));
    let skipped = usize::from(title.is_some());
    let explicit = explicit_headers(&grid, skipped);
    let is_pairs = explicit == 0 && width == 2 && grid.rows.iter().all(is_pair);
    let header_rows = match explicit {
        0 if !is_pairs && looks_like_headers(&grid) => 1,
        rows => rows,
    };
    let told =
        explicit > 0 || is_pairs || has_header(&grid) || table.children_it(false).any(|child| is(&child, &["caption"]));
    let holds_data = told || (width > 1 && grid.rows.len() > 1 && !arranges(table, &grid));
    holds_data.then_some(Reading { grid, title, skipped, header_rows, is_pairs })
}

/// The one cell that fills the row.
fn spanning<'a>(row: &GridRow<'a>) -> Option<NodeRef<'a>> {
    let first = row.places.first().copied().flatten()?;
    let is_one =
        row.places.len() > 1 && row.places.iter().all(|place| place.is_some_and(|p| p.cell.id == first.cell.id));
    is_one.then_some(first.cell)
}

fn all_headers(row: &GridRow<'_>) -> bool {
    row.places.iter().flatten().all(|place| is_header(&place.cell) || text(&place.cell).is_empty())
        && row.places.iter().flatten().any(|place| is_header(&place.cell))
}

fn has_header(grid: &Grid<'_>) -> bool {
    grid.rows.iter().any(|row| row.places.iter().flatten().any(|place| is_header(&place.cell)))
}

fn is_pair(row: &GridRow<'_>) -> bool {
    let cell = |column: usize| row.places.get(column).copied().flatten().map(|place| place.cell);
    row.places.len() == 2
        && cell(0).is_some_and(|key| is_header(&key))
        && cell(1).is_some_and(|value| !is_header(&value))
}

/// How many rows say of themselves that they are headers.
fn explicit_headers(grid: &Grid<'_>, skipped: usize) -> usize {
    let rows = grid.rows.iter().skip(skipped);
    let in_head = rows.clone().take_while(|row| row.in_head).count();
    let found = if in_head > 0 { in_head } else { rows.take_while(|row| all_headers(row)).count() };
    found.min(MAX_HEADER_ROWS).min(grid.rows.len().saturating_sub(skipped))
}

/// Whether the first row, though it does not say so, names the columns: short words over columns of numbers or dates, or in
/// bold, or over rows whose first cell is a header.
fn looks_like_headers(grid: &Grid<'_>) -> bool {
    let Some((first, rest)) = grid.rows.split_first() else { return false };
    if rest.is_empty() || first.places.len() < 2 || spanning(first).is_some() {
        return false;
    }
    let cells: Vec<NodeRef<'_>> = first.places.iter().flatten().map(|place| place.cell).collect();
    let names: Vec<String> = cells.iter().map(text).collect();
    let filled = names.iter().filter(|name| !name.is_empty()).count();
    let are_names = names.iter().all(|name| name.chars().count() <= MAX_GUESSED && !is_measured(name));
    let repeated = (1..names.len())
        .any(|at| names.get(at).is_some_and(|name| !name.is_empty() && names.iter().take(at).any(|n| n == name)));
    if !are_names || repeated || filled + 1 < names.len() || filled < 2 {
        return false;
    }
    let in_bold = cells.iter().zip(&names).all(|(cell, name)| name.is_empty() || is_bold(cell, name));
    let rows_named = rest.iter().all(|row| row.places.iter().flatten().any(|place| is_header(&place.cell)));
    in_bold || rows_named || (0..names.len()).any(|column| rest.len() > 1 && all_measured(rest, column))
}

fn is_bold(cell: &NodeRef<'_>, name: &str) -> bool {
    cell.descendants_it().any(|inner| is(&inner, &["b", "strong"]) && text(&inner) == name)
}

fn all_measured(rows: &[GridRow<'_>], column: usize) -> bool {
    let texts =
        rows.iter().filter(|row| spanning(row).is_none()).filter_map(|row| row.places.get(column).copied().flatten());
    let texts: Vec<String> = texts.map(|place| text(&place.cell)).filter(|text| !text.is_empty()).collect();
    texts.len() > 1 && texts.iter().all(|text| is_measured(text))
}

/// Whether it is a number, a price, a date, a time: mostly digits and what stands between them.
fn is_measured(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let others = text.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && digits >= others
}

/// Whether the table looks as if it only arranged a page.
fn arranges(table: &NodeRef<'_>, grid: &Grid<'_>) -> bool {
    let arranging = |node: &NodeRef<'_>| {
        is_table(node) || is(node, &["h1", "h2", "h3", "form", "nav", "article", "section", "main"])
    };
    table.descendants_it().any(|node| arranging(&node))
        || grid
            .rows
            .iter()
            .flat_map(|row| row.places.iter().flatten())
            .any(|place| place.begins && text(&place.cell).len() > MAX_CELL)
}
