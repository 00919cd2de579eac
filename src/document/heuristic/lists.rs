//! Lists: of all sets of the page the one whose columns and surroundings fit best.

use serde_json::{Map, Value};

use super::choose::{Fits, Page, SURE, is_old, rounded};
use super::complete::complete;
use super::evidence::{has_look, looks, plain_text, shape_only, share, simple};
use super::model::{Aspect, Cell, Column, Facet, Fact, Set, Source};
use super::shapes::Kind;
use super::wanted::{Attribute, List, Schema, Want};
use super::words::Word;
use super::{Extraction, Provenance, value};

/// A column that fits worse is not taken.
const COLUMN: f32 = 0.5;
const MAX_ROWS: usize = 2_000;

/// A set with a column for each attribute, where one fits.
pub struct Match<'a> {
    set: &'a Set,
    columns: Vec<Option<(usize, f32)>>,
    /// Lists within its rows.
    inner: Vec<Option<Vec<Value>>>,
    score: f32,
    /// How much the page says that it is of this.
    entity: f32,
}

impl Match<'_> {
    fn found(&self) -> usize {
        self.columns.iter().flatten().count() + self.inner.iter().flatten().count()
    }
}

/// A list that has no set yet, and what it would have.
struct Open<'a, 'b> {
    index: usize,
    list: &'b List,
    found: Option<Match<'a>>,
}

/// For each field that is a list the set that it is taken from. A set serves one field, unless the page says that it is of another too.
pub fn assign<'a>(page: &'a Page, schema: &Schema) -> Vec<Option<Match<'a>>> {
    let mut taken: Vec<&Set> = Vec::new();
    let mut matches: Vec<Option<Match>> = schema.fields.iter().map(|_| None).collect();
    let mut open: Vec<Open> = Vec::new();
    for (index, (_, want)) in schema.fields.iter().enumerate() {
        if let Want::List(list) = want {
            open.push(Open { index, list, found: best(page, list, &taken) });
        }
    }
    let firm = |found: &Option<Match>| found.as_ref().map_or(0.0, |found| found.score * share(found.found(), 1).sqrt());
    let surer = |a: &Open, b: &Open| firm(&a.found).total_cmp(&firm(&b.found)).then(b.index.cmp(&a.index));
    while let Some(at) = (0..open.len()).max_by(|a, b| surer(&open[*a], &open[*b])) {
        let Open { index, found, .. } = open.remove(at);
        if let Some(found) = &found {
            taken.push(found.set);
            // Only whose rows are taken now looks for others.
            let lost = |other: &Match| other.entity < 0.8 && overlap(page, found.set, other.set);
            for other in open.iter_mut().filter(|other| other.found.as_ref().is_some_and(lost)) {
                other.found = best(page, other.list, &taken);
            }
        }
        matches[index] = found;
    }
    matches
}

fn best<'a>(page: &'a Page, list: &List, taken: &[&Set]) -> Option<Match<'a>> {
    let mut caches: Vec<Fits> = list.attributes.iter().map(|_| Fits::default()).collect();
    let mut best: Option<Match> = None;
    for set in &page.sets {
        let Some(fit) = fit(page, set, list, &mut caches) else { continue };
        if best.as_ref().is_some_and(|best| fit.score <= best.score + 1e-4) {
            continue;
        }
        if fit.entity < 0.8 && taken.iter().any(|other| overlap(page, other, set)) {
            continue;
        }
        best = Some(fit);
    }
    // Of sets that were not looked at one may have been better.
    best.filter(|_| page.has_work(0))
}

/// Whether two sets are of the same part of the page.
fn overlap(page: &Page, a: &Set, b: &Set) -> bool {
    let range = |set: &Set| {
        let first = set.row_nodes.iter().min()?;
        let last = set.row_nodes.iter().map(|row| page.dom.elements[*row].end).max()?;
        Some((*first, last))
    };
    match (range(a), range(b)) {
        (Some((a_from, a_to)), Some((b_from, b_to))) => a_from < b_to && b_from < a_to,
        (None, None) => std::ptr::eq(a, b),
        _ => false,
    }
}

/// The list that `list` describes.
pub fn find(page: &Page, name: &str, list: &List, assigned: Option<Match>, found: &mut Extraction) -> Option<Value> {
    let best = assigned.or_else(|| best(page, list, &[]).filter(|_| name.contains('.')));
    if list.flat
        && let Some((_, attribute)) = list.attributes.first()
        && let Some((score, fact)) = fact(page, attribute, best.as_ref().map_or(SURE, |best| best.score))
    {
        let values = limited(values_of(page, attribute, fact), list.limit);
        if !values.is_empty() {
            found.sources.push(Provenance {
                field: format!("{name}[]"),
                from: page.place(&fact.source),
                confidence: rounded(score),
            });
            return Some(Value::Array(values));
        }
    }
    let best = best?;
    let rows = rows(page, list, &best);
    if rows.is_empty() {
        return None;
    }
    for (((key, _), column), inner) in list.attributes.iter().zip(&best.columns).zip(&best.inner) {
        if inner.is_some() {
            continue;
        }
        let field = if list.flat { format!("{name}[]") } else { format!("{name}[].{key}") };
        match column {
            Some((index, score)) => {
                let path = &best.set.columns[*index].path;
                let from = format!("{} {path}", page.place(&best.set.source)).trim().to_owned();
                found.sources.push(Provenance { field, from, confidence: rounded(*score) });
            }
            None => found.missing.push(field),
        }
    }
    Some(Value::Array(limited(rows, list.limit)))
}

fn limited(mut values: Vec<Value>, limit: Option<usize>) -> Vec<Value> {
    values.truncate(limit.unwrap_or(MAX_ROWS));
    values
}

/// How well a set fits, and by which columns.
#[allow(clippy::cast_precision_loss, reason = "a handful of attributes")]
fn fit<'a>(page: &Page, set: &'a Set, list: &List, caches: &mut [Fits]) -> Option<Match<'a>> {
    if !page.has_work(set.columns.len() * list.attributes.len()) {
        return None;
    }
    let entity = entity(set, &list.entity);
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (at, (_, attribute)) in
        list.attributes.iter().enumerate().filter(|(_, (_, attribute))| attribute.inner.is_none())
    {
        for (index, column) in set.columns.iter().enumerate() {
            let score = column_fit(page, set, column, attribute, list, &mut caches[at], entity);
            if score >= COLUMN {
                pairs.push((score, at, index));
            }
        }
    }
    // The surest pairs first; earlier columns where they are as sure.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut columns: Vec<Option<(usize, f32)>> = vec![None; list.attributes.len()];
    let mut used: Vec<usize> = Vec::new();
    for (score, at, index) in pairs {
        if columns[at].is_none()
            && !used.iter().any(|other| same_cells(page, &set.columns[*other], &set.columns[index]))
        {
            columns[at] = Some((index, score));
            used.push(index);
        }
    }
    // What surely are rows of this have the rest where such rows have it.
    let known = columns.iter().flatten().count();
    if !list.flat && set.rows > 1 && (entity > 0.6 && known > 0 || known * 5 >= columns.len() * 2 && known > 1) {
        complete(page, set, list, &mut columns);
    }
    let sum: f32 = columns.iter().flatten().map(|(_, score)| score).sum();
    let average = sum / columns.len() as f32;
    let matched = columns.iter().flatten().count();
    let plain = list.attributes.iter().filter(|(_, attribute)| attribute.inner.is_none()).count().max(1);
    let average = average * columns.len() as f32 / plain as f32;
    // Without a word of what the rows are, what they have must fit well.
    let telling = matched > 2 && matched * 5 >= plain * 3;
    let least = match (entity > 0.5, telling) {
        (true, _) => 0.5 * SURE,
        (false, true) => 0.8 * SURE,
        (false, false) => SURE,
    };
    if average < least || matched * 2 < plain {
        return None;
    }
    let aside = match set.source {
        Source::Node(node) if page.dom.elements[node].aside => 0.75,
        _ => 1.0,
    };
    let rows = 0.08 * (set.rows.min(8) as f32 / 8.0);
    let score = (0.75 * average + 0.2 * entity + rows) * aside * set.sure;
    let least = if entity > 0.5 || telling { 0.38 } else { 0.46 };
    if score < least {
        return None;
    }
    let inner = list
        .attributes
        .iter()
        .map(|(_, attribute)| attribute.inner.as_deref().and_then(|inner| within(page, set, inner)))
        .collect();
    Some(Match { set, columns, inner, score, entity })
}

/// Whether two columns are of the same text, as an element and the one in it are.
fn same_cells(page: &Page, a: &Column, b: &Column) -> bool {
    if a.facet != b.facet {
        return false;
    }
    let pairs = a.cells.iter().zip(&b.cells).filter_map(|(a, b)| Some((a.first()?, b.first()?))).take(3);
    let mut any = false;
    for (a, b) in pairs {
        any = true;
        if a.text(&page.dom) != b.text(&page.dom) || a.node().is_none() {
            return false;
        }
    }
    any
}

/// How much the page says that the set is of this.
fn entity(set: &Set, wanted: &[Word]) -> f32 {
    let fit = |word: &Word| {
        let of_label = |label: &super::model::Label| {
            label.words.iter().map(|other| word.likeness(other)).fold(0.0_f32, f32::max) * label.weight
                / (1.0 + 0.08 * share(label.words.len(), 1))
        };
        set.labels.iter().map(of_label).fold(0.0_f32, f32::max)
    };
    let fits: Vec<f32> = wanted.iter().map(fit).collect();
    let sum: f32 = fits.iter().sum();
    // Of two that are of the thing, the one of which more is said.
    0.85 * fits.iter().copied().fold(0.0, f32::max) + 0.15 * sum / share(fits.len(), 1).max(1.0)
}

/// Whether the first word of what is listed is what a column is labelled with.
fn of_entity(column: &Column, wanted: &[Word]) -> f32 {
    let alone = |label: &super::model::Label| {
        label.words.len() == 1 && label.weight > 0.84 && wanted.iter().any(|word| word.stem == label.words[0].stem)
    };
    if column.labels.iter().any(alone) { 1.0 } else { 0.0 }
}

/// The records within each row: of the sets that lie in the rows the one that fits best.
fn within(page: &Page, set: &Set, list: &List) -> Option<Vec<Value>> {
    let dom = &page.dom;
    let row_of = |node: usize| {
        let at = set.row_nodes.iter().rposition(|row| *row <= node)?;
        let end = set.row_nodes.get(at + 1).copied().unwrap_or_else(|| {
            let row = set.row_nodes[at];
            dom.elements[row].parent.map_or(dom.elements[row].end, |parent| dom.elements[parent].end)
        });
        (node < end && node > set.row_nodes[at]).then_some(at)
    };
    let mut caches: Vec<Fits> = list.attributes.iter().map(|_| Fits::default()).collect();
    let mut best: Option<Match> = None;
    for inner in page.sets.iter().filter(|inner| !inner.row_nodes.is_empty() && !std::ptr::eq(*inner, set)) {
        if page.dom.given_up.is_so() {
            return None;
        }
        if inner.row_nodes.iter().any(|node| row_of(*node).is_none()) {
            continue;
        }
        let Some(mut found) = fit(page, inner, list, &mut caches) else { continue };
        let rows: std::collections::BTreeSet<usize> = inner.row_nodes.iter().filter_map(|node| row_of(*node)).collect();
        found.score *= 0.5 + 0.5 * share(rows.len(), set.rows);
        if best.as_ref().is_none_or(|best| found.score > best.score + 1e-4) {
            best = Some(found);
        }
    }
    let best = best?;
    let mut lists: Vec<Vec<Value>> = vec![Vec::new(); set.rows];
    for (at, node) in best.set.row_nodes.iter().enumerate() {
        let row = row(page, list, &best, at);
        if let Some(place) = row_of(*node) {
            lists[place].extend(row);
        }
    }
    Some(lists.into_iter().map(Value::Array).collect())
}

fn column_fit(
    page: &Page,
    set: &Set,
    column: &Column,
    attribute: &Attribute,
    list: &List,
    cache: &mut Fits,
    entity: f32,
) -> f32 {
    let filled = column.filled();
    if filled == 0 {
        return 0.0;
    }
    let (mut by_words, mut by_look) = cache.of(attribute, &column.labels);
    if column.whole {
        let (words, look) = cache.of(attribute, &set.labels);
        // A whole row is a value where it has nothing but that.
        let plain = simple(page, column);
        (by_words, by_look) = if list.flat && plain { (words.max(by_words), look.max(by_look)) } else { (0.0, 0.0) };
    }
    // Texts are read only where something may come of it.
    let shaped = column.facet != Facet::Text || has_look(attribute.kind);
    let named = attribute.kind == Kind::Name && attribute.is_plain() && column.facet == Facet::Text && !column.whole;
    let asks_old = attribute.kind == Kind::Money && attribute.is_of_old();
    if by_words.max(by_look) < 0.3 && !(shaped && (asks_old || attribute.is_plain_or_date())) && !named {
        return 0.0;
    }
    let looks = looks(page, column, attribute);
    if looks < 0.35 {
        return 0.0;
    }
    let label = if looks > 0.7 { by_words.max(by_look) } else { by_words };
    // Values alone are of the kind that is asked for where the page says so.
    let by_shape = if list.flat && entity < 0.5 { 0.0 } else { shape_only(page, column, attribute, entity) };
    let many = attribute.many || attribute.plural || list.flat || column.cells.iter().all(|cells| cells.len() <= 1);
    let single = if many { 1.0 } else { 0.9 };
    let part = if matches!(column.aspect, Aspect::Split(..)) { 0.97 } else { 1.0 };
    let part = match attribute.many || attribute.plural {
        true if column.nth => part * 0.95,
        true if column.cells.iter().any(|cells| cells.len() > 1) => part * 1.1,
        _ => part,
    };
    let old = attribute.kind == Kind::Money
        && !attribute.is_of_old()
        && column.cells.iter().flatten().find_map(Cell::node).is_some_and(|node| is_old(&page.dom, node));
    let part = if old { part * 0.85 } else { part };
    let struck = attribute.kind == Kind::Money
        && attribute.is_of_old()
        && column.facet == Facet::Text
        && column.cells.iter().flatten().all(|cell| cell.node().is_some_and(|node| is_old(&page.dom, node)));
    let label = if struck { label.max(0.8) } else { label };
    let filled = share(filled, set.rows);
    // A column that is called as the records are has their names.
    let named = if named && plain_text(page, column) { 0.8 * of_entity(column, &list.entity) } else { 0.0 };
    let label = label.max(named);
    (label * (0.5 + 0.5 * looks) * (0.75 + 0.25 * filled)).max(by_shape * looks * (0.4 + 0.6 * filled)) * single * part
}

/// The rows of a match.
fn rows(page: &Page, list: &List, found: &Match) -> Vec<Value> {
    (0..found.set.rows.min(MAX_ROWS)).flat_map(|at| row(page, list, found, at)).collect()
}

/// The record of a row, or its values where the list is of values.
fn row(page: &Page, list: &List, found: &Match, at: usize) -> Vec<Value> {
    let base = page.base.as_ref();
    let mut record = Map::new();
    for (((key, attribute), column), inner) in list.attributes.iter().zip(&found.columns).zip(&found.inner) {
        if let Some(inner) = inner {
            record.insert(key.clone(), inner.get(at).cloned().unwrap_or_default());
            continue;
        }
        let Some((index, _)) = column else { continue };
        let Some(cells) = found.set.columns[*index].cells.get(at) else { continue };
        let mut values =
            cells.iter().filter_map(|cell| value::of(attribute, cell, &page.dom, base)).map(|(value, _)| value);
        if list.flat {
            return values.filter(|value| !value.as_str().is_some_and(value::says_nothing)).collect();
        }
        let several = attribute.plural && found.set.columns[*index].cells.iter().any(|cells| cells.len() > 1);
        let value = if attribute.many || several { Some(Value::Array(values.collect())) } else { values.next() };
        record.insert(key.clone(), value.unwrap_or(Value::Null));
    }
    // A row with one sentence says that there is none.
    let only = record.values().filter(|value| !value.is_null()).collect::<Vec<_>>();
    if let [Value::String(text)] = only.as_slice()
        && value::says_nothing(text)
    {
        return Vec::new();
    }
    let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    if record.values().all(empty) { Vec::new() } else { vec![Value::Object(record)] }
}

/// A fact with several values, for a list of values.
fn fact<'a>(page: &'a Page, attribute: &Attribute, least: f32) -> Option<(f32, &'a Fact)> {
    let mut cache = Fits::default();
    let mut best: Option<(f32, &Fact)> = None;
    for fact in &page.facts {
        if page.dom.given_up.is_so() {
            return None;
        }
        let (by_words, by_look) = cache.of(attribute, &fact.labels);
        let score = by_words.max(by_look * 0.8) * if fact.values.len() > 1 { 0.97 } else { 0.9 };
        if score < SURE.max(least) || best.as_ref().is_some_and(|(known, _)| *known >= score) {
            continue;
        }
        if values_of(page, attribute, fact).len() > 1 {
            best = Some((score, fact));
        }
    }
    best
}

/// The values of a fact: several, the elements of one, or the parts of its text.
fn values_of(page: &Page, attribute: &Attribute, fact: &Fact) -> Vec<Value> {
    let dom = &page.dom;
    let of = |cell: &Cell| value::of(attribute, cell, dom, page.base.as_ref()).map(|(value, _)| value);
    if fact.values.len() > 1 {
        return fact.values.iter().filter_map(of).collect();
    }
    let Some(cell) = fact.values.first() else { return Vec::new() };
    if let Cell::Node(node, Facet::Text) = cell {
        let kids: Vec<usize> = dom.children(*node).filter(|at| dom.has_text(*at)).take(200).collect();
        if kids.len() > 1 && kids.iter().all(|kid| dom.elements[*kid].tag == dom.elements[kids[0]].tag) {
            return kids.iter().filter_map(|kid| of(&Cell::Node(*kid, Facet::Text))).collect();
        }
        if let [only] = kids.as_slice()
            && dom.elements[*only].is(&["ul", "ol"])
        {
            return dom.children(*only).filter_map(|kid| of(&Cell::Node(kid, Facet::Text))).take(500).collect();
        }
    }
    let text = cell.text(dom);
    let parts: Vec<&str> =
        text.split([',', ';', '|', '·', '•']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let short = parts.iter().all(|part| part.chars().count() <= 40 && part.split(' ').count() <= 4);
    if parts.len() > 1 && short && text.len() < 600 && !matches!(attribute.kind, Kind::Money | Kind::Date) {
        let node = cell.node();
        return parts.into_iter().filter_map(|part| of(&Cell::Part(part.to_owned(), node))).collect();
    }
    Vec::new()
}
