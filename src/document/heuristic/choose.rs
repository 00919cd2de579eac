//! One value: of all facts of the page the one that fits best, if any fits well enough.

use std::collections::HashMap;

use serde_json::{Map, Value};
use url::Url;

use super::super::DocumentError;
use super::aside::GivenUp;
use super::dom::Dom;
use super::model::{Cell, Fact, Labels, Set, Source};
use super::shapes::{Kind, Output};
use super::wanted::{Attribute, List, Schema, Want};
use super::{Extraction, Provenance, facts, grid, groups, linked, value, words};

/// What is less sure than this is missing.
pub const SURE: f32 = 0.55;

/// Columns that are held against attributes, over all lists: a schema of many lists on a page of many sets would otherwise take minutes.
const MAX_WORK: usize = 10_000_000;

/// A page, read once for all fields.
pub struct Page {
    pub dom: Dom,
    pub base: Option<Url>,
    pub facts: Vec<Fact>,
    pub sets: Vec<Set>,
    /// Whether an element is in a row of records.
    in_records: Vec<bool>,
    /// How many facts have a label, by where its words are.
    counts: HashMap<usize, usize>,
    /// How many columns were held against attributes of lists.
    work: std::cell::Cell<usize>,
}

/// A fact that fits.
struct Candidate {
    score: f32,
    fact: usize,
    value: Value,
}

impl Page {
    pub fn read(html: &str, base: Option<&Url>, schema: &Schema, given_up: GivenUp) -> Result<Self, DocumentError> {
        let dom = Dom::parse_until(html, given_up)?;
        let own_base =
            dom.elements.iter().find(|element| element.tag == "base").and_then(|element| element.attr("href"));
        let base = match (own_base, base) {
            (Some(own), Some(base)) => base.join(own).ok().or_else(|| Some(base.clone())),
            (Some(own), None) => Url::parse(own).ok(),
            (None, base) => base.cloned(),
        };
        let mut labels = Labels::default();
        let asked: Vec<&Attribute> = attributes(schema);
        let telling = |class: &str| {
            let words = words::label(class);
            asked.iter().any(|attribute| attribute.fit(&words) >= 0.7)
        };
        let mut facts = facts::gather(&dom, &mut labels);
        let linked = linked::gather(&dom, &mut labels);
        facts.extend(linked.facts);
        let mut sets = grid::gather(&dom, &mut labels);
        sets.extend(groups::gather(&dom, &mut labels, &telling));
        sets.extend(linked.sets);
        let in_records = in_records(&dom, &sets);
        let mut counts = HashMap::new();
        for label in facts.iter().flat_map(|fact| &fact.labels) {
            *counts.entry(label.words.as_ptr() as usize).or_default() += 1;
        }
        Ok(Self { dom, base, facts, sets, in_records, counts, work: std::cell::Cell::new(0) })
    }

    /// Takes `more` of the work that lists are found with; what it no longer suffices for is missing. There is none for nobody.
    pub fn has_work(&self, more: usize) -> bool {
        self.work.set(self.work.get().saturating_add(more));
        self.work.get() <= MAX_WORK && !self.dom.given_up.is_so()
    }

    /// One value.
    pub fn one(&self, name: &str, attribute: &Attribute, found: &mut Extraction) -> Option<Value> {
        if attribute.many {
            let list = List {
                entity: words::label(name),
                attributes: vec![(name.to_owned(), attribute.clone())],
                flat: true,
                limit: None,
            };
            return super::lists::find(self, name, &list, None, found);
        }
        let Candidate { score, fact, value } = self.best(attribute)?;
        found.sources.push(Provenance {
            field: name.to_owned(),
            from: self.place(&self.facts[fact].source),
            confidence: rounded(score),
        });
        Some(value)
    }

    /// A record: what is missing in it is left out.
    pub fn record(&self, name: &str, attributes: &[(String, Attribute)], found: &mut Extraction) -> Option<Value> {
        let mut record = Map::new();
        let mut missing = Vec::new();
        for (key, attribute) in attributes {
            let field = format!("{name}.{key}");
            match self.one(&field, attribute, found) {
                Some(value) => drop(record.insert(key.clone(), value)),
                None => missing.push(field),
            }
        }
        if record.is_empty() {
            return None;
        }
        found.missing.extend(missing);
        Some(Value::Object(record))
    }

    fn best(&self, attribute: &Attribute) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        let mut cache = Fits::default();
        for (index, fact) in self.facts.iter().enumerate() {
            if self.dom.given_up.is_so() {
                return None;
            }
            let (by_words, by_look) = cache.of(attribute, &fact.labels);
            let place = self.place_factor(fact, attribute) * self.part_factor(fact, attribute);
            let most = by_words.max(by_look) * place;
            if most < SURE || best.as_ref().is_some_and(|best| best.score >= most) {
                continue;
            }
            let Some((value, looks)) = self.value_of(fact, attribute) else { continue };
            let strong = matches!(
                attribute.kind,
                Kind::Money
                    | Kind::Date
                    | Kind::Email
                    | Kind::Phone
                    | Kind::Count
                    | Kind::Rating
                    | Kind::Url
                    | Kind::Id
                    | Kind::Name
                    | Kind::Time
                    | Kind::Duration
                    | Kind::Hours
            );
            let label = if strong && looks > 0.7 { by_words.max(by_look) } else { by_words };
            // `PT10M` is for machines; where the page shows it in words, those are meant.
            let coded = matches!(&fact.values[0], Cell::Data(text) if text.starts_with('P') && text.len() < 12 && text[1..].starts_with(|c: char| c == 'T' || c.is_ascii_digit()));
            let place = if coded && attribute.output == Output::Text { place * 0.7 } else { place };
            let score = label * place * (0.4 + 0.6 * looks) * self.size_factor(fact, attribute);
            if score >= SURE && best.as_ref().is_none_or(|best| score > best.score + 1e-4) {
                best = Some(Candidate { score, fact: index, value });
            }
        }
        best
    }

    fn value_of(&self, fact: &Fact, attribute: &Attribute) -> Option<(Value, f32)> {
        let first = fact.values.first()?;
        let (value, looks) = value::of(attribute, first, &self.dom, self.base.as_ref())?;
        if fact.values.len() > 1 && attribute.output == Output::Text && fact.values.len() <= 20 {
            let all = fact.values.iter().filter_map(|cell| value::of(attribute, cell, &self.dom, self.base.as_ref()));
            let texts: Vec<String> = all.filter_map(|(value, _)| value.as_str().map(str::to_owned)).collect();
            return Some((texts.join(", ").into(), looks * 0.95));
        }
        Some((value, looks))
    }

    /// Facts of records are those of one of many; what stands aside is less likely meant.
    fn place_factor(&self, fact: &Fact, attribute: &Attribute) -> f32 {
        let Source::Node(node) = fact.source else { return 1.0 };
        let once = fact
            .labels
            .iter()
            .all(|label| self.counts.get(&(label.words.as_ptr() as usize)).is_none_or(|count| *count < 3));
        let records = match (self.in_records[node], attribute.first) {
            (true, false) if once => 0.85,
            (true, false) => 0.56,
            (true, true) => 0.95,
            (false, _) => 1.0,
        };
        let free = matches!(attribute.kind, Kind::Email | Kind::Phone | Kind::Url);
        let aside = if self.dom.elements[node].aside && !free { 0.88 } else { 1.0 };
        records * aside
    }

    /// What was once is not what is, and what holds several values is none of them.
    fn part_factor(&self, fact: &Fact, attribute: &Attribute) -> f32 {
        let Some(node) = fact.values.first().and_then(Cell::node) else { return 1.0 };
        let old = attribute.kind == Kind::Money && !attribute.is_of_old() && is_old(&self.dom, node);
        let shaped =
            !matches!(attribute.kind, Kind::Any | Kind::Name | Kind::Place) || attribute.output != Output::Text;
        let parts = || self.dom.children(node).filter(|at| self.dom.has_text(*at)).take(2).count();
        let several = shaped && self.dom.elements[node].end - node < 60 && parts() > 1;
        let old = if old { 0.85 } else { 1.0 };
        let several = if several { 0.94 } else { 1.0 };
        old * several
    }

    /// Long texts are values of what is described at length.
    fn size_factor(&self, fact: &Fact, attribute: &Attribute) -> f32 {
        let long = [
            "description",
            "text",
            "body",
            "content",
            "summary",
            "biography",
            "bio",
            "abstract",
            "instruction",
            "story",
            "review",
            "answer",
            "address",
            "about",
            "note",
        ];
        if attribute.phrases.iter().any(|phrase| long.iter().any(|word| phrase.speaks_of(word))) {
            return 1.0;
        }
        match fact.values.first() {
            Some(Cell::Node(node, super::model::Facet::Text)) if self.dom.length(*node) > 400 => 0.6,
            Some(Cell::Node(node, super::model::Facet::Text)) if self.dom.length(*node) > 160 => 0.85,
            _ => 1.0,
        }
    }

    /// Where something was taken from, in words.
    pub fn place(&self, source: &Source) -> String {
        match source {
            Source::Node(node) => self.dom.path(*node),
            Source::Data(what) => what.clone(),
        }
    }
}

/// How well labels fit, each worked out once.
#[derive(Default)]
pub struct Fits {
    known: HashMap<usize, (f32, f32)>,
}

impl Fits {
    /// By words, and by words with the look of the value for the last of them.
    pub fn of(&mut self, attribute: &Attribute, labels: &[super::model::Label]) -> (f32, f32) {
        let mut best = (0.0_f32, 0.0_f32);
        for label in labels {
            // Equal labels share their words.
            let key = label.words.as_ptr() as usize;
            let (fit, look) = *self
                .known
                .entry(key)
                .or_insert_with(|| (attribute.fit(&label.words), attribute.fit_by_look(&label.words)));
            best = (best.0.max(fit * label.weight), best.1.max(look * label.weight));
        }
        best
    }
}

/// To two decimals, in the type whose text has no more of them.
pub fn rounded(score: f32) -> f64 {
    (f64::from(score.min(1.0)) * 100.0).round() / 100.0
}

fn attributes(schema: &Schema) -> Vec<&Attribute> {
    let mut all = Vec::new();
    for (_, want) in &schema.fields {
        match want {
            Want::One(attribute) => all.push(attribute),
            Want::Record(attributes) | Want::List(List { attributes, .. }) => {
                all.extend(attributes.iter().flat_map(|(_, attribute)| with_inner(attribute)));
            }
        }
    }
    all
}

fn with_inner(attribute: &Attribute) -> Vec<&Attribute> {
    let inner = attribute.inner.iter().flat_map(|list| list.attributes.iter().map(|(_, attribute)| attribute));
    std::iter::once(attribute).chain(inner).collect()
}

/// Marks what is in rows that have several values each; rows of a label and its value are no records.
fn in_records(dom: &Dom, sets: &[Set]) -> Vec<bool> {
    let mut starts = vec![false; dom.elements.len()];
    for set in sets.iter().filter(|set| set.row_nodes.len() > 1) {
        let labelled = |row: &usize| {
            let element = &dom.elements[*row];
            let cells = dom.children(*row).filter(|at| dom.has_text(*at)).take(3).count();
            element.tag == "dt" || element.tag == "h2" || element.tag == "h3" || cells <= 2 && element.end - row <= 8
        };
        let pairs = set.row_nodes.iter().filter(|row| labelled(row)).count();
        let rich = set.columns.iter().filter(|column| column.filled() * 2 >= set.rows && !column.whole).count() >= 3;
        let tall = set.row_nodes.iter().any(|row| {
            dom.elements[*row].is(&["section", "main", "body", "header", "footer", "nav", "aside", "fieldset", "form"])
        });
        if pairs * 2 < set.row_nodes.len() && rich && !tall {
            for row in &set.row_nodes {
                starts[*row] = true;
            }
        }
    }
    let mut inside = vec![false; dom.elements.len()];
    for at in 0..dom.elements.len() {
        inside[at] = starts[at] || dom.elements[at].parent.is_some_and(|parent| inside[parent]);
    }
    inside
}

/// Whether an element says of itself that it is a price that was.
pub fn is_old(dom: &Dom, node: usize) -> bool {
    let marks = ["was", "old", "original", "previous", "before", "regular", "rrp", "msrp", "strike", "crossed", "list"];
    dom.upwards(node).take(2).any(|at| {
        let element = &dom.elements[at];
        is_struck(dom, at)
            || (at == node
                && element.classes().any(|class| words::split(class).iter().any(|word| marks.contains(&word.as_str()))))
    })
}

/// Whether an element is struck out.
pub fn is_struck(dom: &Dom, at: usize) -> bool {
    let element = &dom.elements[at];
    element.is(&["del", "s", "strike"]) || element.classes().any(|class| class.ends_with("line-through"))
}
