//! What the texts of rows say of their columns: "Price: $5" and "231 points" in each row, and columns that label their neighbours.

use std::collections::{HashMap, HashSet};

use super::columns::{Builder, Cells, LONG_CELL};
use super::model::{Aspect, Cell, Column, Facet, is_label};

impl Builder<'_> {
    /// "Price: $5" in each row is a label and a value.
    pub fn cut_prefix(&mut self, column: &mut Column) {
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

    /// "by Jane" in each row is who made it.
    pub fn cut_by(&mut self, column: &mut Column) {
        if column.facet != Facet::Text || column.whole || column.filled() < 2 {
            return;
        }
        let name = |cells: &Vec<Cell>| {
            let text = cells.first()?.text(self.dom);
            let (by, name) = text.split_once(' ')?;
            let by = ["by", "von", "par", "por", "di", "av"].contains(&by.to_lowercase().as_str());
            (by && name.len() < 60 && name.starts_with(char::is_uppercase)).then(|| name.to_owned())
        };
        let found: Vec<Option<String>> = column.cells.iter().map(name).collect();
        if found.iter().flatten().count() < column.filled() {
            return;
        }
        column.labels.extend(self.labels.of("author", 0.88));
        for (cells, found) in column.cells.iter_mut().zip(found) {
            if let (Some(name), Some(cell)) = (found, cells.first_mut()) {
                *cell = Cell::Part(name, cell.node());
            }
        }
    }

    /// "231 points" in each row is a number and a label.
    pub fn cut_unit(&mut self, column: &mut Column) {
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
    pub fn label_by_neighbours(&mut self, columns: &mut Vec<Column>) {
        let dom = self.dom;
        let mut by_node: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, column) in
            columns.iter().enumerate().filter(|(_, column)| column.facet == Facet::Text && !column.aspect.is_part())
        {
            for node in column.cells.iter().filter_map(|cells| cells.first().and_then(Cell::node)) {
                by_node.entry(node).or_default().push(index);
            }
        }
        let mut more: Vec<(usize, String)> = Vec::new();
        let mut values: Vec<(String, Cells)> = Vec::new();
        for column in columns.iter().filter(|column| column.is_text()) {
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
        for column in columns.iter().filter(|column| column.aspect == Aspect::Before && column.filled() > 1) {
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
        more.extend(self.said_between(columns, &by_node));
        more.sort();
        more.dedup();
        for (index, label) in more {
            let label = self.labels.of(&label, 0.93);
            columns[index].labels.extend(label);
        }
        for (label, cells) in values {
            let path = format!("/{label}");
            let labels = self.labels.of(&label, 0.95).into_iter().collect();
            let aspect = Aspect::Labelled(label);
            columns.push(Column { labels, facet: Facet::Text, cells, whole: false, aspect, nth: false, path });
        }
    }

    /// "opened <time>..</time> by <a>Jane</a>": what stands before an element in each row labels it.
    fn said_between(&self, columns: &[Column], by_node: &HashMap<usize, Vec<usize>>) -> Vec<(usize, String)> {
        let dom = self.dom;
        let mut found = Vec::new();
        for column in columns.iter().filter(|column| column.filled() > 1) {
            let Aspect::After(index) = column.aspect else { continue };
            let texts: HashSet<String> = column.cells.iter().flatten().take(20).map(|cell| cell.text(dom)).collect();
            let Some(text) = texts.iter().next().filter(|text| texts.len() == 1 && is_label(text)) else { continue };
            for node in column.cells.iter().flatten().filter_map(Cell::node).take(20) {
                let next = dom.children(node).filter(|kid| dom.elements[*kid].tag != "br").nth(index + 1);
                let of = next.and_then(|next| by_node.get(&next)).into_iter().flatten();
                found.extend(of.map(|index| (*index, text.clone())));
            }
        }
        found
    }
}
