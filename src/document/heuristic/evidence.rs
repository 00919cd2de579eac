//! What a column is, told by the look and the place of its cells where nothing labels it.

use super::choose::Page;
use super::model::{Cell, Column, Facet};
use super::shapes::{self, Kind};
use super::value;
use super::wanted::Attribute;

/// How many cells tell what a column looks like.
const SAMPLE: usize = 8;

#[allow(clippy::cast_precision_loss, reason = "a share, roughly")]
pub fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

/// Whether rows are texts without structure.
pub fn simple(page: &Page, column: &Column) -> bool {
    let nodes: Vec<usize> = column.cells.iter().flatten().filter_map(Cell::node).take(SAMPLE).collect();
    let plain = nodes
        .iter()
        .filter(|node| super::facts::is_inline_only(&page.dom, **node) || page.dom.elements[**node].end - **node <= 4)
        .count();
    !nodes.is_empty() && plain * 4 >= nodes.len() * 3
}

/// Whether all cells are runs of text.
pub fn plain_text(page: &Page, column: &Column) -> bool {
    column
        .cells
        .iter()
        .flatten()
        .filter_map(Cell::node)
        .take(SAMPLE)
        .all(|node| super::facts::is_inline_only(&page.dom, node))
}

/// How much the cells look like what is wanted, on the whole.
pub fn looks(page: &Page, column: &Column, attribute: &Attribute) -> f32 {
    let cells: Vec<&Cell> = column.cells.iter().filter_map(|cells| cells.first()).take(SAMPLE).collect();
    let long = |cell: &&Cell| has_look(attribute.kind) && cell.node().is_some_and(|node| page.dom.length(node) > 800);
    if cells.iter().any(long) {
        return 0.0;
    }
    let sum: f32 = cells
        .iter()
        .filter_map(|cell| value::of(attribute, cell, &page.dom, page.base.as_ref()))
        .map(|(_, looks)| looks)
        .sum();
    sum / share(cells.len(), 1).max(1.0)
}

/// Kinds that are known by their look, which no long text has.
pub fn has_look(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Money
            | Kind::Date
            | Kind::Email
            | Kind::Phone
            | Kind::Rating
            | Kind::Id
            | Kind::Time
            | Kind::Place
            | Kind::Count
            | Kind::Address
            | Kind::Hours
            | Kind::Version
            | Kind::Duration
            | Kind::Area
    )
}

/// What a column is by its look and place alone.
pub fn shape_only(page: &Page, column: &Column, attribute: &Attribute, entity: f32) -> f32 {
    let cells: Vec<&Cell> = column.cells.iter().filter_map(|cells| cells.first()).take(SAMPLE).collect();
    let average =
        |of: &dyn Fn(&Cell) -> f32| cells.iter().map(|cell| of(cell)).sum::<f32>() / share(cells.len(), 1).max(1.0);
    let dom = &page.dom;
    let look = |weight: f32| {
        let looks = average(&|cell| shapes::looks(attribute.kind, &cell.text(dom)));
        if looks > 0.6 { weight * looks } else { 0.0 }
    };
    let tagged = |tags: &[&str]| {
        average(&|cell| {
            cell.node().map_or(0.0, |node| {
                let within = dom.upwards(node).take(3).any(|at| dom.elements[at].is(tags));
                if within { 1.0 } else { 0.0 }
            })
        }) > 0.8
    };
    let plain = attribute.is_plain();
    let own = matches!(attribute.kind, Kind::Hours | Kind::Duration | Kind::Address | Kind::Version);
    if column.whole && own {
        return 0.0;
    }
    match attribute.kind {
        // "posting date": rows rarely have a date of another kind.
        Kind::Date if !plain && attribute.is_of_beginning() => look(0.6),
        Kind::Hours => look(0.66),
        Kind::Duration => look(0.58),
        _ if !plain => 0.0,
        Kind::Address | Kind::Version | Kind::Area | Kind::Date => look(0.64),
        Kind::Time => look(0.6),
        Kind::Place => look(0.58),
        Kind::Money => look(0.66),
        Kind::Email => look(0.75),
        Kind::Phone | Kind::Rating => look(0.7),
        Kind::Url if column.facet == Facet::Link => {
            if tagged(&["h1", "h2", "h3", "h4", "h5", "h6"]) {
                0.7
            } else {
                0.6
            }
        }
        Kind::Image if column.facet == Facet::Picture => 0.66,
        Kind::Id if average(&|cell| f32::from(u8::from(shapes::is_id(&cell.text(dom))))) > 0.8 => 0.56,
        Kind::Name if column.facet == Facet::Text && !column.whole && !column.aspect.is_part() => {
            let said = if entity > 0.5 { 0.04 } else { 0.0 };
            if tagged(&["h1", "h2", "h3", "h4", "h5", "h6", "summary", "legend"]) {
                0.66 + said
            } else if tagged(&["a", "strong", "b"]) {
                0.56 + said
            } else {
                0.0
            }
        }
        _ => 0.0,
    }
}
