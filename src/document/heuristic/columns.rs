//! The columns of repeated structures: what stands at the same place of each row, and what says what it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::dom::Dom;
use super::facts::is_inline_only;
use super::model::{Cell, Column, Facet, Labels, is_label, picture};

const MAX_COLUMNS: usize = 150;
/// Elements of a row that are looked at.
pub const MAX_IN_ROW: usize = 300;
const LONG_CELL: usize = 6_000;
/// A cell that is longer has no label within it.
const SHORT_CELL: usize = 600;

/// Cells by row.
type Cells = Vec<Vec<Cell>>;

struct Builder<'a> {
    dom: &'a Dom,
    labels: &'a mut Labels,
    rows: &'a [Vec<usize>],
    /// In the order in which they are met.
    order: Vec<String>,
    places: HashMap<String, Cells>,
    stable: HashSet<String>,
    /// Where rows begin, in the order of the document.
    tops: Vec<usize>,
}

/// Makes the columns of rows, each of which begins with its elements.
pub fn of_rows(dom: &Dom, labels: &mut Labels, rows: &[Vec<usize>], telling: &dyn Fn(&str) -> bool) -> Vec<Column> {
    let stable = stable(dom, rows, telling);
    let mut tops: Vec<usize> = rows.iter().flatten().copied().collect();
    tops.sort_unstable();
    let mut builder = Builder { dom, labels, rows, order: Vec::new(), places: HashMap::new(), stable, tops };
    for (row, nodes) in rows.iter().enumerate() {
        for (part, node) in nodes.iter().enumerate() {
            builder.walk(row, *node, if nodes.len() > 1 { part.max(1) } else { 0 });
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
    let kept = counts.into_iter().filter(|(class, count)| count * 2 >= rows.len() || telling(class));
    kept.map(|(class, _)| class.to_owned()).collect()
}

impl Builder<'_> {
    fn put(&mut self, row: usize, key: &str, cell: Cell) {
        if !self.places.contains_key(key) {
            if self.order.len() >= MAX_COLUMNS {
                return;
            }
            self.order.push(key.to_owned());
            self.places.insert(key.to_owned(), vec![Vec::new(); self.rows.len()]);
        }
        if let Some(cells) = self.places.get_mut(key)
            && cells[row].len() < 200
        {
            cells[row].push(cell);
        }
    }

    /// Everything in one element of a row. `part`: 0 where the element is the row.
    fn walk(&mut self, row: usize, top: usize, part: usize) {
        let dom = self.dom;
        let end = dom.elements[top].end.min(top + MAX_IN_ROW);
        let mut keys: HashMap<usize, String> = HashMap::new();
        for at in top..end {
            let element = &dom.elements[at];
            let own = self.key(at);
            let key = match element.parent.filter(|_| at != top).and_then(|parent| keys.get(&parent)) {
                Some(above) => format!("{above}>{own}"),
                None if part == 0 => String::new(),
                None => own,
            };
            if key.len() > 400 {
                continue;
            }
            self.cells_of(row, at, &key);
            keys.insert(at, key);
        }
    }

    fn key(&self, at: usize) -> String {
        let element = &self.dom.elements[at];
        let mut classes: Vec<&str> = element.classes().filter(|class| self.stable.contains(*class)).collect();
        classes.sort_unstable();
        let mark =
            element.attr("itemprop").or(element.attr("data-label")).or(element.attr("data-field")).unwrap_or_default();
        format!(
            "{}.{}{}",
            element.tag,
            classes.join("."),
            if mark.is_empty() { String::new() } else { format!("[{mark}]") }
        )
    }

    fn cells_of(&mut self, row: usize, at: usize, key: &str) {
        let dom = self.dom;
        let element = &dom.elements[at];
        let shown = dom.has_text(at) || element.attr("content").is_some() || element.attr("aria-label").is_some();
        if element.tag == "img" || element.tag == "source" {
            if picture(dom, at).is_some() {
                self.put(row, &format!("{key}@src"), Cell::Node(at, Facet::Picture));
            }
            return;
        }
        if element.tag == "a"
            && element.attr("href").is_some_and(|href| href != "#" && !href.starts_with("javascript:"))
        {
            self.put(row, &format!("{key}@href"), Cell::Node(at, Facet::Link));
        }
        if key.is_empty() || element.attr("itemscope").is_none() {
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
                    self.put(row, &format!("{key}@data-{name}"), Cell::Data(value.trim().to_owned()));
                }
            }
        }
        if !shown || dom.length(at) > LONG_CELL || element.is(&["tbody", "table"]) {
            return;
        }
        let inline = is_inline_only(dom, at);
        if key.is_empty()
            || inline
            || element.classes().next().is_some()
            || element.attr("itemprop").is_some()
            || element.is(&["p", "blockquote", "td", "dd", "li"])
        {
            self.put(row, key, Cell::Node(at, Facet::Text));
        }
        if inline && element.own {
            self.parts(row, at, key);
        }
    }

    /// What stands between the children of an element, and the parts of a text that has none.
    fn parts(&mut self, row: usize, at: usize, key: &str) {
        let dom = self.dom;
        let children: Vec<usize> = dom.children(at).filter(|kid| dom.elements[*kid].tag != "br").take(10).collect();
        let tidy = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || "|·•–—-,:;()".contains(c)).to_owned();
        if let Some(first) = children.first() {
            let before = tidy(&dom.text_before(*first, at));
            if !before.is_empty() {
                self.put(row, &format!("{key}/before"), Cell::Part(before, Some(at)));
            }
            for (index, child) in children.iter().enumerate() {
                let after = tidy(&dom.text_after(*child, children.get(index + 1).copied(), at));
                if !after.is_empty() {
                    self.put(row, &format!("{key}/after{index}"), Cell::Part(after, Some(at)));
                }
            }
        }
        if dom.length(at) > 400 {
            return;
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
                    self.put(
                        row,
                        &format!("{key}/label {}", label.trim()),
                        Cell::Part(value.trim().to_owned(), Some(at)),
                    );
                }
                self.put(
                    row,
                    &format!("{key}/part{} of {}", index, parts.len()),
                    Cell::Part((*part).to_owned(), Some(at)),
                );
            }
        }
    }

    fn finish(mut self) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        let order = std::mem::take(&mut self.order);
        for key in order {
            let Some(cells) = self.places.remove(&key) else { continue };
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
                    column.path = format!("{key}#{index}");
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

    /// Whether what a row has several of stands side by side.
    fn are_siblings(&self, cells: &Cells) -> bool {
        let parent = |cell: &Cell| cell.node().and_then(|node| self.dom.elements[node].parent);
        let Some(first) = cells.iter().find(|cells| cells.len() > 1) else { return false };
        first.iter().all(|cell| parent(cell) == parent(&first[0]))
    }

    fn column(&mut self, key: &str, cells: Cells) -> Column {
        let dom = self.dom;
        let facet = if key.ends_with("@href") {
            Facet::Link
        } else if key.ends_with("@src") {
            Facet::Picture
        } else {
            Facet::Text
        };
        let mut labels = Vec::new();
        if let Some((_, name)) = key.split_once("@data-") {
            labels.extend(self.labels.of(name, 0.75));
        }
        if let Some((_, name)) = key.split_once("/label ") {
            labels.extend(self.labels.of(name, 0.95));
        }
        let is_part = key.contains('/') || key.contains("@data-");
        let samples: Vec<usize> = cells.iter().filter_map(|cells| cells.first().and_then(Cell::node)).take(3).collect();
        for node in samples.iter().filter(|_| !key.is_empty()) {
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
        let mut column = Column { labels, facet, cells, whole: key.is_empty(), path: key.to_owned() };
        let short = |cell: &Cell| cell.node().is_some_and(|node| dom.length(node) <= SHORT_CELL);
        if column.cells.iter().flatten().take(3).all(short) {
            self.cut_prefix(&mut column);
            self.cut_unit(&mut column);
        }
        column
    }

    /// "Price: $5" in each row is a label and a value.
    fn cut_prefix(&mut self, column: &mut Column) {
        if column.facet != Facet::Text || column.whole {
            return;
        }
        let prefix = |cells: &Vec<Cell>| {
            let text = cells.first()?.text(self.dom);
            let (label, value) = text.split_once(':')?;
            (is_label(label) && !value.trim().is_empty() && text.len() < 300)
                .then(|| (label.trim().to_owned(), value.trim().to_owned()))
        };
        let found: Vec<Option<(String, String)>> = column.cells.iter().map(prefix).collect();
        let Some((first, _)) = found.iter().flatten().next() else { return };
        let same = found.iter().flatten().filter(|(label, _)| label == first).count();
        if same * 5 < column.filled() * 4 {
            return;
        }
        column.labels.extend(self.labels.of(first, 0.95));
        for (cells, found) in column.cells.iter_mut().zip(&found) {
            if let (Some((_, value)), Some(cell)) = (found, cells.first_mut()) {
                *cell = Cell::Part(value.clone(), cell.node());
            }
        }
    }

    /// "231 points" in each row is a number and a label.
    fn cut_unit(&mut self, column: &mut Column) {
        if column.facet != Facet::Text || column.whole || column.filled() < 2 {
            return;
        }
        let unit = |cells: &Vec<Cell>| {
            let text = cells.first()?.text(self.dom);
            let (number, unit) = text.split_once(' ')?;
            let plain = number.starts_with(|c: char| c.is_ascii_digit())
                && number.len() < 12
                && super::shapes::date(&text).is_none()
                && super::shapes::money(&text).is_none();
            (plain && is_label(unit) && unit.split(' ').count() < 3)
                .then(|| (number.to_owned(), super::words::singular(unit)))
        };
        let found: Vec<Option<(String, String)>> = column.cells.iter().map(unit).collect();
        let Some((_, first)) = found.iter().flatten().next() else { return };
        let same = found.iter().flatten().filter(|(_, unit)| unit == first).count();
        // Of measures the unit is part of the value.
        if same < column.filled() || super::words::split(first).iter().all(|word| word.len() < 4) {
            return;
        }
        column.labels.extend(self.labels.of(first, 0.9));
        column.labels.extend(self.labels.of(&format!("{first} count"), 0.9));
        for (cells, found) in column.cells.iter_mut().zip(&found) {
            if let (Some((number, _)), Some(cell)) = (found, cells.first_mut()) {
                *cell = Cell::Part(number.clone(), cell.node());
            }
        }
    }

    /// A column that says the same in each row labels the one after it, or the one before.
    #[allow(clippy::too_many_lines, reason = "one walk over what stands beside what")]
    fn label_by_neighbours(&mut self, columns: &mut Vec<Column>) {
        let dom = self.dom;
        let mut by_node: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, column) in
            columns.iter().enumerate().filter(|(_, column)| column.facet == Facet::Text && !column.path.contains('/'))
        {
            for node in column.cells.iter().filter_map(|cells| cells.first().and_then(Cell::node)) {
                by_node.entry(node).or_default().push(index);
            }
        }
        let mut more: Vec<(usize, String)> = Vec::new();
        let mut values: Vec<(String, Cells)> = Vec::new();
        for column in columns
            .iter()
            .filter(|column| column.facet == Facet::Text && !column.whole && !column.path.contains(['/', '@']))
        {
            let nodes: Vec<(usize, usize)> = column
                .cells
                .iter()
                .enumerate()
                .filter_map(|(row, cells)| Some((row, cells.first()?.node()?)))
                .collect();
            let Some((_, sample)) = nodes.first() else { continue };
            if dom.length(*sample) > 200 {
                continue;
            }
            let text = dom.text(*sample);
            let surely = text.ends_with(':') || dom.elements[*sample].is(&["dt", "th", "label"]);
            let same = nodes.iter().take(20).all(|(_, node)| dom.length(*node) < 200 && dom.text(*node) == text);
            if !same || !is_label(&text) || !(surely || nodes.len() > 2) {
                continue;
            }
            let label = text.trim_end_matches([':', ' ']).to_owned();
            let parent = dom.elements[*sample].parent;
            let next = parent
                .map(|parent| dom.elements[parent].end)
                .filter(|end| dom.elements[*sample].end < *end)
                .map(|_| dom.elements[*sample].end);
            match next {
                Some(next) => {
                    // What it stands in first: a value may be an element within an element.
                    more.extend(
                        (next..(next + 3).min(dom.elements[next].end))
                            .flat_map(|at| by_node.get(&at).cloned().unwrap_or_default())
                            .map(|index| (index, label.clone())),
                    );
                }
                None if !surely => {
                    let before = parent
                        .into_iter()
                        .flat_map(|parent| {
                            dom.children(parent).take(20).take_while(|at| at < sample).collect::<Vec<_>>()
                        })
                        .last();
                    more.extend(
                        before
                            .and_then(|at| by_node.get(&at))
                            .into_iter()
                            .flatten()
                            .map(|index| (*index, label.clone())),
                    );
                }
                None => {}
            }
            if surely {
                let mut cells: Cells = vec![Vec::new(); self.rows.len()];
                for (row, node) in &nodes {
                    let Some(parent) = dom.elements[*node].parent else { continue };
                    let text = dom.text_after(*node, None, parent);
                    if !text.is_empty() && text.len() < LONG_CELL && dom.elements[parent].own {
                        cells[*row].push(Cell::Part(text, Some(parent)));
                    }
                }
                if cells.iter().any(|cells| !cells.is_empty()) {
                    values.push((label, cells));
                }
            }
        }
        // "Updated <time>..</time>"
        for column in columns.iter().filter(|column| column.path.ends_with("/before") && column.filled() > 1) {
            let texts: HashSet<String> = column.cells.iter().flatten().take(20).map(|cell| cell.text(dom)).collect();
            let Some(text) = texts.iter().next().filter(|text| texts.len() == 1 && is_label(text)) else { continue };
            for node in column.cells.iter().flatten().filter_map(Cell::node).take(20) {
                let child = dom.children(node).find(|kid| dom.elements[*kid].tag != "br");
                more.extend(
                    child
                        .and_then(|child| by_node.get(&child))
                        .into_iter()
                        .flatten()
                        .map(|index| (*index, text.clone())),
                );
            }
        }
        more.sort();
        more.dedup();
        for (index, label) in more {
            let label = self.labels.of(&label, 0.93);
            columns[index].labels.extend(label);
        }
        for (label, cells) in values {
            let path = format!("/{label}");
            let labels = self.labels.of(&label, 0.95).into_iter().collect();
            columns.push(Column { labels, facet: Facet::Text, cells, whole: false, path });
        }
    }
}

/// The parts of "Widget – $5 | in stock".
fn split_parts(text: &str) -> Vec<&str> {
    let mut parts = vec![text];
    for sign in [" | ", " · ", " • ", " – ", " — ", " - ", ", "] {
        if sign == ", " && parts.len() > 1 {
            break;
        }
        parts = parts.into_iter().flat_map(|part| part.split(sign)).collect();
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}
