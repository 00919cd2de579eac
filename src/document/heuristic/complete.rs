//! What is still missing of the columns of a set that is surely the one meant: found by its place among the others.

use super::choose::Page;
use super::evidence::{share, simple};
use super::model::{Aspect, Cell, Column, Facet, Set, is_label};
use super::shapes::{self, Kind, Output};
use super::wanted::{Attribute, List};

/// Columns by attribute, with how sure each is.
type Columns = [Option<(usize, f32)>];

/// Fills what is missing in `columns`.
pub fn complete(page: &Page, set: &Set, list: &List, columns: &mut Columns) {
    let missing = |columns: &Columns| {
        let open = list.attributes.iter().enumerate().filter(|(at, (_, attribute))| {
            columns[*at].is_none() && attribute.inner.is_none() && !attribute.many && !attribute.plural
        });
        open.map(|(at, _)| at).collect::<Vec<_>>()
    };
    if columns.iter().all(Option::is_some) {
        return;
    }
    by_order(page, set, list, columns, &missing(columns));
    links(page, set, list, columns, &missing(columns));
    let leaves =
        set.leaves.get_or_init(|| (0..set.columns.len()).filter(|at| is_leaf(page, &set.columns[*at])).collect());
    first(page, set, list, columns, leaves);
    sentences(page, set, list, columns, &missing(columns), leaves);
    several(page, set, list, columns);
    rest(page, set, list, columns, &missing(columns), leaves);
}

/// The only thing that rows have several of is what is asked for as a list.
fn several(page: &Page, set: &Set, list: &List, columns: &mut Columns) {
    let many = |at: &usize| list.attributes[*at].1.many && list.attributes[*at].1.inner.is_none();
    let asked: Vec<usize> = (0..list.attributes.len()).filter(many).collect();
    let [at] = asked.as_slice() else { return };
    if columns[*at].is_some() || list.attributes[*at].1.output == Output::Url {
        return;
    }
    let listed = |column: &Column| {
        let items = column.cells.iter().flatten().filter_map(Cell::node);
        column.is_text()
            && !column.nth
            && column.cells.iter().any(|cells| cells.len() > 1)
            && items.take(8).all(|node| page.dom.elements[node].tag == "li")
    };
    let open: Vec<usize> = (0..set.columns.len()).filter(|index| listed(&set.columns[*index])).collect();
    if let [only] = open.as_slice() {
        columns[*at] = Some((*only, 0.57));
    }
}

/// What describes is told by its being sentences, where one column alone has them.
fn sentences(page: &Page, set: &Set, list: &List, columns: &mut Columns, missing: &[usize], leaves: &[usize]) {
    let words = ["description", "summary", "text", "excerpt", "body", "content", "teaser"];
    let describes = |at: &usize| {
        let attribute = &list.attributes[*at].1;
        attribute.output == Output::Text
            && attribute.phrases.iter().any(|phrase| words.iter().any(|word| phrase.speaks_of(word)))
    };
    let Some(at) = missing.iter().copied().find(describes) else { return };
    let long = |index: &usize| {
        let column = &set.columns[*index];
        let sentence = |cell: &Cell| cell.text(&page.dom).split(' ').count() > 3;
        let cells: Vec<&Cell> = column.cells.iter().flatten().take(8).collect();
        cells.iter().filter(|cell| sentence(cell)).count() * 5 >= cells.len() * 4
            && column.filled() * 2 >= set.rows
            && !columns.iter().flatten().any(|(used, _)| overlaps(page, &set.columns[*used], column))
    };
    let letters = |index: usize| {
        set.columns[index].cells.iter().flatten().take(8).map(|cell| cell.text(&page.dom).len()).sum::<usize>()
    };
    let mut open: Vec<(usize, usize)> =
        leaves.iter().copied().filter(long).map(|index| (letters(index), index)).collect();
    open.sort_unstable_by(|a, b| b.cmp(a));
    let second = open.get(1).map_or(0, |(length, _)| *length);
    if let Some((_, index)) = open.first().filter(|(length, _)| *length * 2 > second * 3) {
        columns[at] = Some((*index, 0.56));
    }
}

/// Times, dates or amounts that nothing labels: as many as are asked for, in that order.
fn by_order(page: &Page, set: &Set, list: &List, columns: &mut Columns, missing: &[usize]) {
    for kind in [Kind::Time, Kind::Date, Kind::Money] {
        let asked: Vec<usize> = missing.iter().copied().filter(|at| list.attributes[*at].1.kind == kind).collect();
        if asked.is_empty() || list.attributes.iter().filter(|(_, known)| known.kind == kind).count() > asked.len() {
            continue;
        }
        // "delivery time" is as often how long as when.
        let looks = if kind == Kind::Time { &[Kind::Time, Kind::Duration][..] } else { &[kind][..] };
        let found =
            looks.iter().map(|look| alike(page, set, *look)).find(|found| !found.is_empty()).unwrap_or_default();
        let taken = |index: &usize| columns.iter().flatten().any(|(used, _)| used == index);
        if found.iter().any(taken) {
            continue;
        }
        if found.len() == asked.len() {
            asked.iter().zip(found).for_each(|(at, index)| columns[*at] = Some((index, 0.56)));
        }
    }
}

/// The columns whose cells all look like a kind.
fn alike(page: &Page, set: &Set, kind: Kind) -> Vec<usize> {
    let like = |index: &usize| {
        let column = &set.columns[*index];
        let single = column.cells.iter().all(|cells| cells.len() <= 1);
        let text =
            column.facet == Facet::Text && !column.whole && single && !matches!(column.aspect, Aspect::Split(..));
        text && column.filled() * 5 >= set.rows * 4
            && column.cells.iter().flatten().take(5).all(|cell| shapes::looks(kind, &cell.text(&page.dom)) > 0.75)
    };
    let mut found: Vec<usize> = Vec::new();
    for index in (0..set.columns.len()).filter(like) {
        if !found.iter().any(|known| overlaps(page, &set.columns[*known], &set.columns[index])) {
            found.push(index);
        }
    }
    found
}

/// The only link of the rows, or the one that is called as the row is.
fn links(page: &Page, set: &Set, list: &List, columns: &mut Columns, missing: &[usize]) {
    let asked: Vec<usize> = missing
        .iter()
        .copied()
        .filter(|at| list.attributes[*at].1.kind == Kind::Url && list.attributes[*at].1.output == Output::Url)
        .collect();
    let [at] = asked.as_slice() else { return };
    let used = |index: usize| columns.iter().flatten().any(|(used, _)| *used == index);
    let whole = |column: &Column| column.filled() * 5 >= set.rows * 4;
    let mut open: Vec<usize> = (0..set.columns.len())
        .filter(|index| set.columns[*index].facet == Facet::Link && !used(*index) && whole(&set.columns[*index]))
        .collect();
    let href =
        |index: usize| set.columns[index].cells.iter().flatten().map(|cell| cell.text(&page.dom)).collect::<Vec<_>>();
    open.dedup_by(|a, b| href(*a) == href(*b));
    if let [only] = open.as_slice() {
        columns[*at] = Some((*only, 0.57));
    }
}

/// What the rows begin with is what is asked for first: whatever they are called by.
fn first(page: &Page, set: &Set, list: &List, columns: &mut Columns, leaves: &[usize]) {
    let named = |attribute: &Attribute| {
        matches!(attribute.kind, Kind::Name | Kind::Any | Kind::Place | Kind::Id | Kind::Version)
    };
    let called = |at: &usize| {
        let attribute = &list.attributes[*at].1;
        attribute.output == Output::Text
            && attribute.inner.is_none()
            && !attribute.many
            && (attribute.kind == Kind::Name && attribute.is_plain() || *at == 0 && named(attribute))
    };
    let Some(at) = (0..list.attributes.len()).find(called).filter(|at| columns[*at].is_none()) else { return };
    let is_lead = |index: &usize| {
        let column = &set.columns[*index];
        let texts: Vec<String> = column.cells.iter().flatten().take(12).map(|cell| cell.text(&page.dom)).collect();
        let distinct: std::collections::BTreeSet<&String> = texts.iter().collect();
        let lettered =
            texts.iter().filter(|text| text.chars().any(char::is_alphabetic) && shapes::money(text).is_none()).count();
        column.filled() * 5 >= set.rows * 4 && distinct.len() * 5 >= texts.len() * 3 && lettered * 5 >= texts.len() * 4
    };
    let Some(index) = leaves.iter().copied().find(is_lead) else { return };
    if !columns.iter().flatten().any(|(used, _)| overlaps(page, &set.columns[*used], &set.columns[index])) {
        columns[at] = Some((index, 0.57));
    }
}

/// One attribute is left and one column: it is that.
fn rest(page: &Page, set: &Set, list: &List, columns: &mut Columns, missing: &[usize], leaves: &[usize]) {
    let [at] = missing else { return };
    let attribute = &list.attributes[*at].1;
    if !matches!(attribute.kind, Kind::Any | Kind::Place | Kind::Person)
        || attribute.output != Output::Text
        || list.attributes.len() < 2
    {
        return;
    }
    let state = ["status", "state", "condition", "availability"]
        .iter()
        .any(|word| attribute.phrases.iter().any(|p| p.speaks_of(word)));
    let open = |index: &usize| {
        let column = &set.columns[*index];
        let worded = |cell: &Cell| {
            let text = cell.text(&page.dom);
            // What counts or measures has an attribute of its own.
            let measured = text.starts_with(|c: char| c.is_ascii_digit()) || shapes::money(&text).is_some();
            !measured && text.chars().any(char::is_alphabetic)
        };
        let lettered = column.cells.iter().flatten().take(8).all(worded);
        let linked = column.cells.iter().flatten().filter_map(Cell::node).take(3).any(|node| {
            let inside = (node..page.dom.elements[node].end).take(4);
            page.dom.upwards(node).take(2).chain(inside).any(|at| page.dom.elements[at].tag == "a")
        });
        lettered
            && !(state && linked)
            && column.filled() * 5 >= set.rows * 4
            && !columns.iter().flatten().any(|(used, _)| overlaps(page, &set.columns[*used], column))
    };
    let open: Vec<usize> = leaves.iter().copied().filter(open).collect();
    if let [only] = open.as_slice() {
        columns[*at] = Some((*only, 0.55));
    }
}

/// A column of plain texts, one in each row, that differ and that nobody presses.
fn is_leaf(page: &Page, column: &Column) -> bool {
    let dom = &page.dom;
    if !column.is_text() {
        return false;
    }
    if column.cells.iter().any(|cells| cells.len() > 1) || column.filled() < 2 || !simple(page, column) {
        return false;
    }
    let nodes: Vec<usize> = column.cells.iter().flatten().filter_map(Cell::node).take(8).collect();
    let plain = |node: &usize| {
        let element = &dom.elements[*node];
        let pressed = element.tag == "button"
            || element.classes().any(|class| class.starts_with("btn") || class.contains("button"));
        !pressed && (element.own || dom.children(*node).filter(|kid| dom.has_text(*kid)).count() == 0)
    };
    let text = nodes.first().map(|node| dom.text(*node)).unwrap_or_default();
    let same = nodes.len() > 2 && nodes.iter().all(|node| dom.text(*node) == text) && is_label(&text);
    !same && share(nodes.iter().filter(|node| plain(node)).count(), nodes.len()) > 0.9
}

/// Whether two columns are of the same elements, or of one within the other.
fn overlaps(page: &Page, a: &Column, b: &Column) -> bool {
    let both = a.cells.iter().zip(&b.cells).filter_map(|(a, b)| Some((a.first()?.node()?, b.first()?.node()?)));
    let within = |outer: usize, inner: usize| outer <= inner && inner < page.dom.elements[outer].end;
    if a.facet != b.facet {
        return false;
    }
    both.take(3).any(|(a, b)| within(a, b) || within(b, a))
}
