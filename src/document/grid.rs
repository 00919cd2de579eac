//! A table as a grid: which of its rows are headers, and which cell covers which place.

use dom_query::NodeRef;

use super::dom::{attribute, is};

/// The most columns that are read.
const MAX_COLUMNS: usize = 1000;
/// The most places that cells which span several may fill, in one table.
const MAX_SPANNED: usize = 50_000;

/// One place in the grid.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub cell: NodeRef<'a>,
    /// Whether the cell begins here and does not only reach here.
    pub begins: bool,
    /// Whether it reaches here from the row above.
    pub from_above: bool,
}

/// One row; none where no cell is.
pub(super) struct GridRow<'a> {
    pub places: Vec<Option<Place<'a>>>,
    /// Whether it stands in a `<thead>`.
    pub in_head: bool,
}

/// A table, spans resolved.
pub(super) struct Grid<'a> {
    pub rows: Vec<GridRow<'a>>,
}

fn has_role(node: &NodeRef<'_>, roles: &[&str]) -> bool {
    attribute(node, "role").is_some_and(|told| told.split_whitespace().next().is_some_and(|role| roles.contains(&role)))
}

/// Whether it is a table, by its element or its role.
pub(super) fn is_table(node: &NodeRef<'_>) -> bool {
    if is(node, &["table"]) {
        return !has_role(node, &["presentation", "none"]);
    }
    has_role(node, &["table", "grid", "treegrid"])
}

fn is_row(node: &NodeRef<'_>) -> bool {
    is(node, &["tr"]) || has_role(node, &["row"])
}

fn is_cell(node: &NodeRef<'_>) -> bool {
    is(node, &["td", "th"]) || has_role(node, &["cell", "gridcell", "columnheader", "rowheader"])
}

/// Whether the cell is a header of a row or column.
pub(super) fn is_header(node: &NodeRef<'_>) -> bool {
    is(node, &["th"]) || has_role(node, &["columnheader", "rowheader"])
}

/// The rows of this table, those of tables in it left out; each with whether it stands in a head.
fn rows_of<'a>(table: &NodeRef<'a>) -> Vec<(NodeRef<'a>, bool)> {
    let mut rows = Vec::new();
    let mut open: Vec<(NodeRef<'a>, bool)> = table.children_it(true).map(|node| (node, false)).collect();
    while let Some((node, in_head)) = open.pop() {
        if !node.is_element() || is(&node, &["table", "caption"]) {
            continue;
        }
        if is_row(&node) {
            rows.push((node, in_head));
            continue;
        }
        let in_head = in_head || is(&node, &["thead"]);
        open.extend(node.children_it(true).map(|child| (child, in_head)));
    }
    rows
}

/// The cells of a row, also where wrappers stand between.
fn cells_of<'a>(row: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let mut cells = Vec::new();
    let mut open: Vec<NodeRef<'a>> = row.children_it(true).collect();
    while let Some(node) = open.pop() {
        if !node.is_element() || is_table(&node) {
            continue;
        }
        if is_cell(&node) {
            cells.push(node);
        } else {
            open.extend(node.children_it(true));
        }
    }
    cells
}

fn span(cell: &NodeRef<'_>, name: &str) -> usize {
    attribute(cell, name)
        .or_else(|| attribute(cell, &format!("aria-{name}")))
        .map_or(1, |told| told.parse().unwrap_or(1))
}

/// What reaches down into the next rows.
#[derive(Clone, Copy)]
struct Reach<'a> {
    cell: NodeRef<'a>,
    rows: usize,
}

/// The grid of a table; rows without a cell are left out.
pub(super) fn grid<'a>(table: &NodeRef<'a>) -> Grid<'a> {
    let rows = rows_of(table);
    let mut reaching: Vec<Option<Reach<'a>>> = Vec::new();
    let mut budget = MAX_SPANNED;
    let mut grid = Vec::new();
    for (index, (row, in_head)) in rows.iter().enumerate() {
        let left = rows.len() - index - 1;
        let places = fill(&cells_of(row), &mut reaching, left, &mut budget);
        if places.iter().any(Option::is_some) {
            grid.push(GridRow { places, in_head: *in_head });
        }
    }
    Grid { rows: grid }
}

fn fill<'a>(
    cells: &[NodeRef<'a>],
    reaching: &mut Vec<Option<Reach<'a>>>,
    rows_left: usize,
    budget: &mut usize,
) -> Vec<Option<Place<'a>>> {
    let mut places: Vec<Option<Place<'a>>> = Vec::new();
    let mut cells = cells.iter();
    reaching.truncate(reaching.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    let reached = reaching.len();
    loop {
        let column = places.len();
        if column >= MAX_COLUMNS {
            return places;
        }
        if let Some(reach) = reaching.get_mut(column).and_then(|slot| down(slot, budget)) {
            places.push(Some(Place { cell: reach, begins: false, from_above: true }));
            continue;
        }
        let Some(cell) = cells.next() else {
            if column >= reached || *budget == 0 {
                return places;
            }
            *budget -= 1;
            places.push(None);
            continue;
        };
        let wide = span(cell, "colspan").clamp(1, MAX_COLUMNS - column);
        // 0 is "to the end".
        let high = match span(cell, "rowspan") {
            0 => rows_left,
            rows => (rows - 1).min(rows_left),
        };
        for offset in 0..wide {
            if offset > 0 && (*budget == 0 || reaching.get(column + offset).is_some_and(Option::is_some)) {
                break;
            }
            *budget = budget.saturating_sub(usize::from(offset > 0));
            places.push(Some(Place { cell: *cell, begins: offset == 0, from_above: false }));
            if reaching.len() <= column + offset {
                reaching.resize(column + offset + 1, None);
            }
            if let Some(slot) = reaching.get_mut(column + offset).filter(|_| high > 0) {
                *slot = Some(Reach { cell: *cell, rows: high });
            }
        }
    }
}

/// The cell that reaches down into this place, if one does.
fn down<'a>(slot: &mut Option<Reach<'a>>, budget: &mut usize) -> Option<NodeRef<'a>> {
    let reach = slot.as_mut()?;
    let cell = reach.cell;
    reach.rows -= 1;
    if reach.rows == 0 || *budget == 0 {
        *slot = None;
    }
    *budget = budget.saturating_sub(1);
    Some(cell)
}
