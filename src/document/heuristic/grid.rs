//! Tables: their headers say what their columns are. Also those that lie on their side.

use std::cell::OnceCell;

use super::dom::Dom;
use super::groups::around;
use super::model::{Aspect, Cell, Column, Facet, Labels, Set, Source, picture};
use super::offers;

const MAX_TABLES: usize = 300;
const MAX_ROWS: usize = 3_000;
const MAX_COLUMNS: usize = 60;

/// A row: whether it is of the head, and its cells with how many columns each spans.
struct Row {
    node: usize,
    head: bool,
    cells: Vec<(usize, usize)>,
}

/// Gathers the tables of a document.
pub fn gather(dom: &Dom, labels: &mut Labels) -> Vec<Set> {
    let mut sets = Vec::new();
    let is_table = |at: &usize| {
        let element = &dom.elements[*at];
        element.tag == "table" || matches!(element.attr("role"), Some("table" | "grid"))
    };
    for table in (0..dom.elements.len()).filter(is_table).take(MAX_TABLES) {
        if dom.given_up.is_so() {
            break;
        }
        let rows = rows_of(dom, table);
        sets.extend(upright(dom, labels, table, &rows));
        sets.extend(lying(dom, labels, table, &rows));
    }
    sets
}

fn rows_of(dom: &Dom, table: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let end = dom.elements[table].end;
    let mut at = table + 1;
    while at < end && rows.len() < MAX_ROWS {
        let element = &dom.elements[at];
        if element.tag == "table" {
            at = element.end;
            continue;
        }
        if element.tag == "tfoot" {
            at = element.end;
            continue;
        }
        if element.tag == "tr" || element.attr("role") == Some("row") {
            let in_head = element.parent.is_some_and(|parent| dom.elements[parent].tag == "thead");
            let is_cell = |at: &usize| {
                let cell = &dom.elements[*at];
                cell.is(&["td", "th"])
                    || matches!(cell.attr("role"), Some("cell" | "gridcell" | "columnheader" | "rowheader"))
            };
            let span = |at: &usize| {
                dom.elements[*at].attr("colspan").and_then(|span| span.parse().ok()).unwrap_or(1).clamp(1, MAX_COLUMNS)
            };
            let cells: Vec<(usize, usize)> =
                dom.children(at).filter(is_cell).map(|at| (at, span(&at))).take(MAX_COLUMNS).collect();
            let heads = |(at, _): &(usize, usize)| {
                dom.elements[*at].tag == "th" || dom.elements[*at].attr("role") == Some("columnheader")
            };
            let head = in_head || (cells.len() > 1 && cells.iter().all(heads));
            if !cells.is_empty() {
                rows.push(Row { node: at, head, cells });
            }
            // Rows of rows there are none, but tables within cells are tables of their own.
            at = element.end;
            continue;
        }
        at += 1;
    }
    span_rows(dom, &mut rows);
    rows
}

/// A cell that spans rows is one of each of them.
fn span_rows(dom: &Dom, rows: &mut [Row]) {
    let mut open: Vec<(usize, usize, (usize, usize))> = Vec::new();
    for row in rows.iter_mut() {
        let mut cells: Vec<(usize, usize)> = Vec::new();
        let mut own = std::mem::take(&mut row.cells).into_iter();
        let mut column = 0;
        let mut begun = Vec::new();
        while column < MAX_COLUMNS {
            if let Some((_, left, cell)) = open.iter_mut().find(|(at, left, _)| *at == column && *left > 0) {
                *left -= 1;
                cells.push(*cell);
                column += cell.1;
                continue;
            }
            let Some(cell) = own.next() else { break };
            let span = dom.elements[cell.0].attr("rowspan").and_then(|span| span.parse::<usize>().ok()).unwrap_or(1);
            if span > 1 {
                begun.push((column, span.min(MAX_ROWS) - 1, cell));
            }
            cells.push(cell);
            column += cell.1;
        }
        open.retain(|(_, left, _)| *left > 0);
        open.extend(begun);
        row.cells = cells;
    }
}

/// The header of each column.
fn headers(dom: &Dom, rows: &[Row]) -> Option<(Vec<String>, usize)> {
    let heads = rows.iter().take_while(|row| row.head).count();
    let first_is_head = || {
        // Plain cells, but words where the rows below have values.
        let [first, rest @ ..] = rows else { return false };
        // Rows that each begin with a header have no row of headers.
        let led = |row: &Row| row.cells.first().is_some_and(|(at, _)| dom.elements[*at].tag == "th");
        if rows.iter().all(led) {
            return false;
        }
        let words = first.cells.iter().all(|(at, _)| super::model::is_label(&dom.text(*at)) && dom.length(*at) < 40);
        let digits = |row: &Row| row.cells.iter().any(|(at, _)| dom.text(*at).bytes().any(|b| b.is_ascii_digit()));
        let marked = first
            .cells
            .iter()
            .all(|(at, _)| dom.elements[*at].end > at + 1 && dom.elements[at + 1].is(&["b", "strong"]));
        first.cells.len() > 1 && words && !rest.is_empty() && (marked || rest.iter().any(digits))
    };
    let heads = if heads > 0 { heads } else { usize::from(first_is_head()) };
    if heads == 0 {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for row in &rows[..heads] {
        let mut column = 0;
        for (at, span) in &row.cells {
            let text = dom.text(*at);
            for _ in 0..*span {
                if names.len() <= column {
                    names.resize(column + 1, String::new());
                }
                // The lowest header says most; a header that spans all is a title.
                if !text.is_empty() && *span < 4 {
                    names[column].clone_from(&text);
                }
                column += 1;
                if column >= MAX_COLUMNS {
                    break;
                }
            }
        }
    }
    Some((names, heads))
}

fn upright(dom: &Dom, labels: &mut Labels, table: usize, rows: &[Row]) -> Option<Set> {
    let (names, heads) = headers(dom, rows)?;
    let width = names.len();
    let spans_all =
        |row: &&Row| row.cells.len() == 1 && width > 1 || row.cells.iter().any(|(_, span)| *span > 1) && width > 2;
    let body: Vec<&Row> = rows[heads..].iter().filter(|row| !row.head && !spans_all(row)).collect();
    if body.is_empty() || width < 2 {
        return None;
    }
    let mut columns: Vec<Column> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let cells: Vec<Option<usize>> = body.iter().map(|row| cell_at(row, index)).collect();
        columns.extend(of_cells(dom, labels, name, &cells));
    }
    let mut entity = around(dom, labels, table, None);
    let caption = dom.children(table).find(|at| dom.elements[*at].tag == "caption");
    entity.extend(caption.and_then(|at| labels.of(&dom.text(at), 1.0)));
    if let Some(parent) = dom.elements[table].parent {
        entity.extend(around(dom, labels, parent, Some(table)));
    }
    let row_nodes = body.iter().map(|row| row.node).collect();
    Some(Set {
        labels: entity,
        columns,
        rows: body.len(),
        source: Source::Node(table),
        row_nodes,
        sure: 1.0,
        leaves: OnceCell::new(),
    })
}

fn cell_at(row: &Row, column: usize) -> Option<usize> {
    let mut before = 0;
    for (at, span) in &row.cells {
        if (before..before + span).contains(&column) {
            return Some(*at);
        }
        before += span;
    }
    None
}

/// The text of a column's cells, and the links and pictures in them.
fn of_cells(dom: &Dom, labels: &mut Labels, name: &str, cells: &[Option<usize>]) -> Vec<Column> {
    let mut known: Vec<_> = labels.of(name, 1.0).into_iter().collect();
    if let Some(first) = cells.iter().flatten().next() {
        known.extend(labels.of_element(dom, *first, 0.95));
    }
    let inside = |at: usize, find: &dyn Fn(usize) -> bool| (at..dom.elements[at].end.min(at + 40)).find(|at| find(*at));
    let link = |at: usize| inside(at, &|at| dom.elements[at].tag == "a" && dom.elements[at].attr("href").is_some());
    let image = |at: usize| inside(at, &|at| dom.elements[at].tag == "img" && picture(dom, at).is_some());
    let filled = |at: &usize| {
        dom.has_text(*at)
            || inside(*at, &|at| {
                dom.elements[at].attr("aria-label").is_some() || dom.elements[at].attr("alt").is_some()
            })
            .is_some()
    };
    let column = |facet: Facet, find: &dyn Fn(usize) -> Option<usize>| {
        let of = |cell: &Option<usize>| cell.and_then(find).map(|at| Cell::Node(at, facet)).into_iter().collect();
        Column {
            labels: known.clone(),
            facet,
            cells: cells.iter().map(of).collect(),
            whole: false,
            aspect: aspect_of(facet),
            nth: false,
            path: format!("column {name:?}"),
        }
    };
    let spoken = |at: usize| {
        if dom.has_text(at) {
            Some(at)
        } else {
            inside(at, &|at| {
                dom.elements[at].attr("aria-label").is_some()
                    || dom.elements[at].attr("alt").is_some()
                    || dom.elements[at].attr("title").is_some()
            })
        }
    };
    let held = |cell: &Option<usize>| {
        let at = cell.filter(|at| dom.length(*at) < 40)?;
        (at..dom.elements[at].end.min(at + 20))
            .find_map(|inside| offers::held(dom, inside).map(|held| Cell::Part(held, Some(at))))
    };
    let values: Vec<Vec<Cell>> = cells.iter().map(|cell| held(cell).into_iter().collect()).collect();
    if values.iter().any(|cells| !cells.is_empty()) {
        let path = format!("column {name:?} held");
        let aspect = Aspect::Text;
        return vec![Column {
            labels: known,
            facet: Facet::Text,
            cells: values,
            whole: false,
            aspect,
            nth: false,
            path,
        }];
    }
    // A name and the address to write to in one cell.
    let mail = |cell: &Option<usize>| {
        let text = cell.filter(|at| dom.length(*at) < 200).map(|at| dom.text(at))?;
        let (from, to) = super::shapes::email(&text).filter(|(from, to)| to - from < text.len())?;
        Some(Cell::Part(text[from..to].to_owned(), *cell))
    };
    let mails: Vec<Vec<Cell>> = cells.iter().map(|cell| mail(cell).into_iter().collect()).collect();
    let addressed = mails.iter().filter(|cells| !cells.is_empty()).count() * 2 > cells.len();
    let written = addressed.then(|| Column {
        labels: labels.of("email", 0.9).into_iter().collect(),
        facet: Facet::Text,
        cells: mails,
        whole: false,
        aspect: Aspect::Text,
        nth: false,
        path: format!("column {name:?} email"),
    });
    let columns = vec![
        column(Facet::Text, &|at| Some(at).filter(filled).and_then(spoken)),
        column(Facet::Link, &link),
        column(Facet::Picture, &image),
    ];
    columns.into_iter().chain(written).filter(|column| column.filled() > 0).collect()
}

fn aspect_of(facet: Facet) -> Aspect {
    match facet {
        Facet::Text => Aspect::Text,
        Facet::Link => Aspect::Link,
        Facet::Picture => Aspect::Picture,
    }
}

/// A table whose first column has the headers: each further column is a record.
fn lying(dom: &Dom, labels: &mut Labels, table: usize, rows: &[Row]) -> Option<Set> {
    let width = rows.iter().map(|row| row.cells.len()).max()?;
    let body: Vec<&Row> = rows.iter().filter(|row| row.cells.len() == width).collect();
    let headed = |row: &&&Row| dom.elements[row.cells[0].0].tag == "th";
    let heads = body.iter().skip(1).filter(headed).count();
    if width < 3 || body.len() < 2 || heads + 1 < body.len() {
        return None;
    }
    let mut columns = Vec::new();
    for row in &body {
        let name = dom.text(row.cells[0].0);
        let name = if name.is_empty() { "name".to_owned() } else { name };
        let cells: Vec<Option<usize>> = row.cells[1..].iter().map(|(at, _)| Some(*at)).collect();
        let mut made = of_cells(dom, labels, &name, &cells);
        if row.head {
            for column in &mut made {
                column.labels.extend(labels.of("name", 0.9));
            }
        }
        columns.extend(made);
    }
    let entity = around(dom, labels, table, None);
    Some(Set {
        labels: entity,
        columns,
        rows: width - 1,
        source: Source::Node(table),
        row_nodes: Vec::new(),
        sure: 1.0,
        leaves: OnceCell::new(),
    })
}
