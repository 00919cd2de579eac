//! Lists: of all sets of the page the one whose columns and surroundings fit best.

use serde_json::{Map, Value};

use super::choose::{Fits, Page, SURE, rounded};
use super::model::{Cell, Column, Facet, Fact, Set, Source};
use super::shapes::{self, Kind};
use super::wanted::{Attribute, List};
use super::words::Word;
use super::{Extraction, Provenance, value};

/// A column that fits worse is not taken.
const COLUMN: f32 = 0.5;
/// How many cells tell what a column looks like.
const SAMPLE: usize = 8;
const MAX_ROWS: usize = 2_000;

/// A set with a column for each attribute, where one fits.
struct Match<'a> {
    set: &'a Set,
    columns: Vec<Option<(usize, f32)>>,
    score: f32,
}

/// The list that `list` describes.
pub fn find(page: &Page, name: &str, list: &List, found: &mut Extraction) -> Option<Value> {
    let mut caches: Vec<Fits> = list.attributes.iter().map(|_| Fits::default()).collect();
    let mut best: Option<Match> = None;
    for set in &page.sets {
        let Some(fit) = fit(page, set, list, &mut caches) else { continue };
        if best.as_ref().is_none_or(|best| fit.score > best.score + 1e-4) {
            best = Some(fit);
        }
    }
    if list.flat
        && let Some((_, attribute)) = list.attributes.first()
        && let Some((score, fact)) = fact(page, attribute, best.as_ref().map_or(SURE, |best| best.score))
    {
        let values = limited(values_of(page, attribute, fact), list.limit);
        if !values.is_empty() {
            found.sources.push(Provenance { field: format!("{name}[]"), from: page.place(&fact.source), confidence: rounded(score) });
            return Some(Value::Array(values));
        }
    }
    let best = best?;
    let rows = rows(page, list, &best);
    if rows.is_empty() {
        return None;
    }
    for ((key, _), column) in list.attributes.iter().zip(&best.columns) {
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
    let entity = entity(set, &list.entity);
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (at, (_, attribute)) in list.attributes.iter().enumerate() {
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
        if columns[at].is_none() && !used.iter().any(|other| same_cells(page, &set.columns[*other], &set.columns[index])) {
            columns[at] = Some((index, score));
            used.push(index);
        }
    }
    let sum: f32 = columns.iter().flatten().map(|(_, score)| score).sum();
    let average = sum / columns.len() as f32;
    let matched = columns.iter().flatten().count();
    if average < 0.5 * SURE || matched * 2 < columns.len() {
        return None;
    }
    let aside = match set.source {
        Source::Node(node) if page.dom.elements[node].aside => 0.75,
        _ => 1.0,
    };
    let rows = 0.05 * (set.rows.min(10) as f32 / 10.0);
    let score = (0.75 * average + 0.2 * entity + rows) * aside;
    let least = if entity > 0.5 { 0.42 } else { 0.46 };
    (score >= least).then_some(Match { set, columns, score })
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
            label.words.iter().map(|other| word.likeness(other)).fold(0.0_f32, f32::max) * label.weight / (1.0 + 0.08 * label.words.len() as f32)
        };
        set.labels.iter().map(of_label).fold(0.0_f32, f32::max)
    };
    wanted.iter().map(fit).fold(0.0, f32::max)
}

fn column_fit(page: &Page, set: &Set, column: &Column, attribute: &Attribute, list: &List, cache: &mut Fits, entity: f32) -> f32 {
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
    let looks = looks(page, column, attribute);
    if looks < 0.35 {
        return 0.0;
    }
    let label = if looks > 0.7 { by_words.max(by_look) } else { by_words };
    let by_shape = shape_only(page, column, attribute, entity);
    let many = attribute.many || list.flat || column.cells.iter().all(|cells| cells.len() <= 1);
    let single = if many { 1.0 } else { 0.9 };
    let part = if column.path.contains("/part") { 0.97 } else { 1.0 };
    let full = 0.75 + 0.25 * share(filled, set.rows);
    (label * (0.5 + 0.5 * looks)).max(by_shape * looks) * full * single * part
}

#[allow(clippy::cast_precision_loss, reason = "a share, roughly")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

/// Whether rows are texts without structure.
fn simple(page: &Page, column: &Column) -> bool {
    let nodes: Vec<usize> = column.cells.iter().flatten().filter_map(Cell::node).take(SAMPLE).collect();
    let plain = nodes.iter().filter(|node| super::facts::is_inline_only(&page.dom, **node) || page.dom.elements[**node].end - **node <= 4).count();
    !nodes.is_empty() && plain * 4 >= nodes.len() * 3
}

/// How much the cells look like what is wanted, on the whole.
fn looks(page: &Page, column: &Column, attribute: &Attribute) -> f32 {
    let cells: Vec<&Cell> = column.cells.iter().filter_map(|cells| cells.first()).take(SAMPLE).collect();
    let sum: f32 = cells.iter().filter_map(|cell| value::of(attribute, cell, &page.dom, page.base.as_ref())).map(|(_, looks)| looks).sum();
    sum / share(cells.len(), 1).max(1.0)
}

/// What a column is by its look and place alone.
fn shape_only(page: &Page, column: &Column, attribute: &Attribute, entity: f32) -> f32 {
    let cells: Vec<&Cell> = column.cells.iter().filter_map(|cells| cells.first()).take(SAMPLE).collect();
    let average = |of: &dyn Fn(&Cell) -> f32| cells.iter().map(|cell| of(cell)).sum::<f32>() / share(cells.len(), 1).max(1.0);
    let dom = &page.dom;
    let look = |weight: f32| {
        let looks = average(&|cell| shapes::looks(attribute.kind, &cell.text(dom)));
        if looks > 0.6 { weight * looks } else { 0.0 }
    };
    let tagged = |tags: &[&str]| average(&|cell| cell.node().map_or(0.0, |node| {
        let within = dom.upwards(node).take(3).any(|at| dom.elements[at].is(tags));
        if within { 1.0 } else { 0.0 }
    })) > 0.8;
    let plain = attribute.is_plain();
    match attribute.kind {
        _ if !plain => 0.0,
        Kind::Money => look(0.66),
        Kind::Date => look(0.64),
        Kind::Email => look(0.75),
        Kind::Phone => look(0.7),
        Kind::Rating => look(0.7),
        Kind::Url if column.facet == Facet::Link => if tagged(&["h1", "h2", "h3", "h4", "h5", "h6"]) { 0.7 } else { 0.6 },
        Kind::Image if column.facet == Facet::Picture => 0.66,
        Kind::Id => if average(&|cell| f32::from(u8::from(shapes::is_id(&cell.text(dom))))) > 0.8 { 0.56 } else { 0.0 },
        Kind::Name if column.facet == Facet::Text && !column.whole && !column.path.contains('/') => {
            let said = if entity > 0.5 { 0.04 } else { 0.0 };
            if tagged(&["h1", "h2", "h3", "h4", "h5", "h6"]) {
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

/// The rows of a match.
fn rows(page: &Page, list: &List, found: &Match) -> Vec<Value> {
    let mut rows = Vec::new();
    let base = page.base.as_ref();
    for row in 0..found.set.rows.min(MAX_ROWS) {
        let mut record = Map::new();
        for ((key, attribute), column) in list.attributes.iter().zip(&found.columns) {
            let Some((index, _)) = column else { continue };
            let Some(cells) = found.set.columns[*index].cells.get(row) else { continue };
            let mut values = cells.iter().filter_map(|cell| value::of(attribute, cell, &page.dom, base)).map(|(value, _)| value);
            if list.flat {
                rows.extend(values);
                continue;
            }
            let value = if attribute.many { Some(Value::Array(values.collect())) } else { values.next() };
            record.insert(key.clone(), value.unwrap_or(Value::Null));
        }
        if record.values().any(|value| !value.is_null()) {
            rows.push(Value::Object(record));
        }
    }
    rows
}

/// A fact with several values, for a list of values.
fn fact<'a>(page: &'a Page, attribute: &Attribute, least: f32) -> Option<(f32, &'a Fact)> {
    let mut cache = Fits::default();
    let mut best: Option<(f32, &Fact)> = None;
    for fact in &page.facts {
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
    let parts: Vec<&str> = text.split([',', ';', '|', '·', '•']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let short = parts.iter().all(|part| part.chars().count() <= 40 && part.split(' ').count() <= 4);
    if parts.len() > 1 && short && text.len() < 600 && !matches!(attribute.kind, Kind::Money | Kind::Date) {
        let node = cell.node();
        return parts.into_iter().filter_map(|part| of(&Cell::Part(part.to_owned(), node))).collect();
    }
    Vec::new()
}
