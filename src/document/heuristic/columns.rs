//! The columns of repeated structures: what stands at the same place of each row, and what says what it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::dom::Dom;
use super::facts::is_inline_only;
use super::model::{Aspect, Cell, Column, Facet, Labels, is_label, picture};
use super::offers;
use super::places::{BESIDE, MARKS, Place, Places, ROW};
use super::utility::is_look;

const MAX_COLUMNS: usize = 150;
/// Elements of a row that are looked at.
pub const MAX_IN_ROW: usize = 300;
pub(super) const LONG_CELL: usize = 6_000;
/// A cell that is longer has no label within it.
const SHORT_CELL: usize = 600;

/// Cells by row.
pub(super) type Cells = Vec<Vec<Cell>>;

/// What a column is of: nothing of it is read out of a text, as the words of a page may look like anything.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    aspect: Aspect,
}

pub(super) struct Builder<'a> {
    pub dom: &'a Dom,
    pub labels: &'a mut Labels,
    pub rows: &'a [Vec<usize>],
    /// In the order in which they are met.
    order: Vec<Key>,
    cells: HashMap<Key, Cells>,
    places: Places,
    stable: HashSet<String>,
    /// Where rows begin, in the order of the document.
    tops: Vec<usize>,
}

/// Makes the columns of rows, each of which begins with its elements.
pub fn of_rows(dom: &Dom, labels: &mut Labels, rows: &[Vec<usize>], telling: &dyn Fn(&str) -> bool) -> Vec<Column> {
    let stable = stable(dom, rows, telling);
    let mut tops: Vec<usize> = rows.iter().flatten().copied().collect();
    tops.sort_unstable();
    let mut builder =
        Builder { dom, labels, rows, order: Vec::new(), cells: HashMap::new(), places: Places::new(), stable, tops };
    for (row, nodes) in rows.iter().enumerate() {
        for node in nodes {
            builder.walk(row, *node, nodes.len() == 1);
        }
    }
    builder.finish()
}

/// Classes within rows that most rows have, or that are asked for.
fn stable(dom: &Dom, rows: &[Vec<usize>], telling: &dyn Fn(&str) -> bool) -> HashSet<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for nodes in rows {
        let mut seen = HashSet::new();
        for node in nodes {
            for at in (*node..dom.elements[*node].end).take(MAX_IN_ROW) {
                for class in dom.elements[at].classes().take(12) {
                    if seen.insert(class) {
                        *counts.entry(class).or_default() += 1;
                    }
                }
            }
        }
    }
    // A look that half of the rows have may be what sets those apart, as a price in red.
    let usual = |class: &str, count: usize| {
        if is_look(class) { count * 5 > rows.len() * 3 } else { count * 2 >= rows.len() }
    };
    let kept = counts.into_iter().filter(|(class, count)| usual(class, *count) || telling(class));
    kept.map(|(class, _)| class.to_owned()).collect()
}

impl Builder<'_> {
    fn put(&mut self, row: usize, place: Place, aspect: Aspect, cell: Cell) {
        let key = Key { place, aspect };
        if !self.cells.contains_key(&key) {
            if self.order.len() >= MAX_COLUMNS {
                return;
            }
            self.order.push(key.clone());
            self.cells.insert(key.clone(), vec![Vec::new(); self.rows.len()]);
        }
        if let Some(cells) = self.cells.get_mut(&key)
            && cells[row].len() < 200
        {
            cells[row].push(cell);
        }
    }

    /// Everything in one element of a row. `alone`: the element is the row.
    fn walk(&mut self, row: usize, top: usize, alone: bool) {
        let dom = self.dom;
        let end = dom.elements[top].end.min(top + MAX_IN_ROW);
        let mut known: HashMap<usize, Place> = HashMap::new();
        for at in top..end {
            let above = dom.elements[at].parent.filter(|_| at != top).and_then(|parent| known.get(&parent)).copied();
            let place = match above {
                None if alone => ROW,
                above => self.places.of(dom, at, above.unwrap_or(BESIDE), &self.stable),
            };
            self.cells_of(row, at, place);
            known.insert(at, place);
        }
    }

    fn cells_of(&mut self, row: usize, at: usize, place: Place) {
        let dom = self.dom;
        let element = &dom.elements[at];
        let shown = dom.has_text(at) || element.attr("content").is_some() || element.attr("aria-label").is_some();
        if element.tag == "img" || element.tag == "source" {
            if picture(dom, at).is_some() {
                self.put(row, place, Aspect::Picture, Cell::Node(at, Facet::Picture));
            }
            return;
        }
        if element.tag == "a"
            && element.attr("href").is_some_and(|href| href != "#" && !href.starts_with("javascript:"))
        {
            self.link_cell(row, at, place);
        }
        self.offered(row, at, place);
        if place == ROW || element.attr("itemscope").is_none() {
            for (name, value) in &element.attrs {
                if let Some(name) = name.strip_prefix("data-")
                    && !value.is_empty()
                    && value.len() <= 120
                    && !matches!(
                        name,
                        "testid"
                            | "test"
                            | "label"
                            | "title"
                            | "th"
                            | "src"
                            | "field"
                            | "action"
                            | "target"
                            | "toggle"
                            | "index"
                            | "column"
                    )
                {
                    self.put(row, place, Aspect::Data(name.to_owned()), Cell::Data(value.trim().to_owned()));
                }
            }
        }
        if let Some(held) = offers::held(dom, at) {
            self.put(row, place, Aspect::Text, Cell::Part(held, Some(at)));
        }
        if !shown || dom.length(at) > LONG_CELL || element.is(&["tbody", "table"]) {
            return;
        }
        let inline = is_inline_only(dom, at);
        if place == ROW
            || inline
            || element.classes().next().is_some()
            || MARKS.iter().any(|name| element.attr(name).is_some())
            || element.is(&["p", "blockquote", "td", "dd", "li"])
        {
            self.put(row, place, Aspect::Text, Cell::Node(at, Facet::Text));
        }
        if inline && element.own {
            self.parts(row, at, place);
        }
    }

    /// Where a link leads; of one to write or call by, whom.
    fn link_cell(&mut self, row: usize, at: usize, place: Place) {
        match offers::contact(self.dom, at) {
            Some((aspect, value)) => self.put(row, place, aspect, Cell::Part(value, Some(at))),
            None => self.put(row, place, Aspect::Link, Cell::Node(at, Facet::Link)),
        }
    }

    /// What is read out beside the text, and a value under the label that it stands with.
    fn offered(&mut self, row: usize, at: usize, place: Place) {
        if let Some(spoken) = offers::spoken(self.dom, at) {
            self.put(row, place, Aspect::Spoken, Cell::Part(spoken, Some(at)));
        }
        if let Some((label, value)) = offers::pair(self.dom, at) {
            self.put(row, ROW, Aspect::Pair(label), Cell::Node(value, Facet::Text));
        }
    }

    /// What stands between the children of an element, and the parts of a text that has none.
    fn parts(&mut self, row: usize, at: usize, place: Place) {
        let dom = self.dom;
        let children: Vec<usize> = dom.children(at).filter(|kid| dom.elements[*kid].tag != "br").take(10).collect();
        let tidy = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || "|·•–—-,:;()".contains(c)).to_owned();
        if let Some(first) = children.first() {
            let before = tidy(&dom.text_before(*first, at));
            if !before.is_empty() {
                self.put(row, place, Aspect::Before, Cell::Part(before, Some(at)));
            }
            for (index, child) in children.iter().enumerate() {
                let after = tidy(&dom.text_after(*child, children.get(index + 1).copied(), at));
                if !after.is_empty() {
                    self.put(row, place, Aspect::After(index), Cell::Part(after, Some(at)));
                }
            }
        }
        if dom.length(at) > 400 {
            return;
        }
        if let Some(number) = offers::numbered(&dom.text(at)) {
            self.put(row, place, Aspect::Number, Cell::Part(number, Some(at)));
        }
        let lines = dom.lines(at);
        let text = lines.join(" | ");
        let parts: Vec<&str> = split_parts(&text);
        if parts.len() > 1 && parts.len() <= 10 {
            for (index, part) in parts.iter().enumerate() {
                if let Some((label, value)) = part.split_once(':')
                    && is_label(label)
                    && !value.trim().is_empty()
                {
                    let aspect = Aspect::Labelled(label.trim().to_owned());
                    self.put(row, place, aspect, Cell::Part(value.trim().to_owned(), Some(at)));
                }
                let aspect = Aspect::Split(index, parts.len());
                self.put(row, place, aspect, Cell::Part((*part).to_owned(), Some(at)));
            }
        }
    }

    fn finish(mut self) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        self.join_states();
        let order = std::mem::take(&mut self.order);
        for key in order {
            let Some(cells) = self.cells.remove(&key) else { continue };
            // What one row alone says is its value, not a label.
            if matches!(key.aspect, Aspect::Pair(_)) {
                let filled = cells.iter().filter(|cells| !cells.is_empty()).count();
                if filled < 2 || filled * 5 < cells.len() * 2 {
                    continue;
                }
            }
            let counts: BTreeMap<usize, usize> =
                cells.iter().filter(|cells| !cells.is_empty()).fold(BTreeMap::new(), |mut counts, cells| {
                    *counts.entry(cells.len()).or_default() += 1;
                    counts
                });
            let filled: usize = counts.values().sum();
            let usual = counts.iter().max_by_key(|(_, rows)| **rows).map(|(count, rows)| (*count, *rows));
            if let Some((count @ 2..=12, rows)) = usual
                && rows * 5 >= filled * 4
                && self.are_siblings(&cells)
            {
                for index in 0..count {
                    let one = cells.iter().map(|cells| cells.get(index).cloned().into_iter().collect()).collect();
                    let mut column = self.column(&key, one);
                    column.nth = true;
                    column.path = format!("{}#{index}", column.path);
                    columns.push(column);
                }
            }
            columns.push(self.column(&key, cells));
            if columns.len() >= MAX_COLUMNS {
                break;
            }
        }
        self.label_by_neighbours(&mut columns);
        columns
    }

    /// Elements of one place that differ by a class for their state are one column: `pill ok` and `pill`.
    fn join_states(&mut self) {
        let half = |cells: &Cells| cells.iter().any(Vec::is_empty) && cells.iter().all(|cells| cells.len() < 2);
        let open: Vec<Key> = self
            .order
            .iter()
            .filter(|key| key.aspect == Aspect::Text && self.cells.get(*key).is_some_and(half))
            .cloned()
            .collect();
        for (at, a) in open.iter().enumerate().take(40) {
            for b in open[at + 1..].iter().take(40) {
                if !self.places.differ_by_state(a.place, b.place) {
                    continue;
                }
                let (Some(left), Some(right)) = (self.cells.get(a), self.cells.get(b)) else { continue };
                if left.iter().zip(right).all(|(a, b)| a.is_empty() || b.is_empty()) {
                    let joined =
                        left.iter().zip(right).map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() }).collect();
                    self.cells.remove(b);
                    self.cells.insert(a.clone(), joined);
                }
            }
        }
    }

    /// Whether what a row has several of stands side by side.
    fn are_siblings(&self, cells: &Cells) -> bool {
        let parent = |cell: &Cell| cell.node().and_then(|node| self.dom.elements[node].parent);
        let Some(first) = cells.iter().find(|cells| cells.len() > 1) else { return false };
        if cells.iter().all(|cells| cells.len() == first.len()) {
            return true;
        }
        first.iter().all(|cell| parent(cell) == parent(&first[0]))
    }

    fn column(&mut self, key: &Key, cells: Cells) -> Column {
        let dom = self.dom;
        let facet = match key.aspect {
            Aspect::Link => Facet::Link,
            Aspect::Picture => Facet::Picture,
            _ => Facet::Text,
        };
        let mut labels = Vec::new();
        labels.extend(match &key.aspect {
            Aspect::Data(name) => self.labels.of(name, 0.75),
            Aspect::Pair(label) | Aspect::Labelled(label) => self.labels.of(label, 0.95),
            Aspect::Mail => self.labels.of("email", 0.9),
            Aspect::Phone => self.labels.of("phone", 0.9),
            Aspect::Number => self.labels.of("number", 0.75),
            _ => None,
        });
        labels.extend(offers::habit(dom, &cells).and_then(|name| self.labels.of(name, 0.72)));
        if facet == Facet::Link {
            labels.extend(offers::link_labels(dom, &cells).iter().filter_map(|name| self.labels.of(name, 0.88)));
        }
        let whole = key.place == ROW && key.aspect == Aspect::Text;
        let is_part = key.aspect.is_part() || matches!(key.aspect, Aspect::Data(_) | Aspect::Spoken);
        let samples: Vec<usize> = cells.iter().filter_map(|cells| cells.first().and_then(Cell::node)).take(3).collect();
        for node in samples.iter().filter(|_| !whole) {
            if !is_part {
                labels.extend(self.labels.of_element(dom, *node, 1.0));
            }
            let top = self.tops.partition_point(|top| top <= node).checked_sub(1).map_or(0, |at| self.tops[at]);
            for (level, above) in
                dom.upwards(*node).skip(usize::from(!is_part)).take_while(|above| *above > top).take(2).enumerate()
            {
                let alone = dom.length(above) <= dom.length(*node) + 3;
                let factor = if alone || dom.elements[*node].tag == "li" && level == 0 {
                    0.95
                } else {
                    0.62 - 0.1 * f32::from(u8::try_from(level).unwrap_or(2))
                };
                labels.extend(self.labels.of_element(dom, above, factor));
            }
        }
        labels.dedup_by(|a, b| a.words == b.words);
        let path = format!("{}{}", self.places.path(key.place), key.aspect.path());
        let aspect = key.aspect.clone();
        let mut column = Column { labels, facet, cells, whole, aspect, nth: false, path };
        let short = |cell: &Cell| cell.node().is_some_and(|node| dom.length(node) <= SHORT_CELL);
        if column.cells.iter().flatten().take(3).all(short) {
            self.cut_prefix(&mut column);
            self.cut_unit(&mut column);
            self.cut_by(&mut column);
        }
        column
    }
}

/// The parts of "Widget – $5 | in stock", and of "3.2.0 (2026-02-11)".
fn split_parts(text: &str) -> Vec<&str> {
    if let Some((before, inner)) = text.split_once(" (")
        && let Some((inner, "" | " #" | " ¶" | " | #")) = inner.split_once(')')
    {
        return vec![before.trim(), inner.trim()];
    }
    let mut parts = vec![text];
    for sign in [" | ", " · ", " • ", " – ", " — ", " - ", ", "] {
        if sign == ", " && parts.len() > 1 {
            break;
        }
        parts = parts.into_iter().flat_map(|part| part.split(sign)).collect();
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}
