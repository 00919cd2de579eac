//! What a page offers: facts (labelled values) and sets (rows with labelled columns). Where an element is meant its text is read
//! only once it is needed.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::dom::Dom;
use super::utility::{is_look, is_mark};
use super::words::{self, Word};

/// What says what a value is, and how much it counts.
#[derive(Clone)]
pub struct Label {
    pub words: Rc<[Word]>,
    pub weight: f32,
}

/// What of an element is the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facet {
    Text,
    Link,
    Picture,
}

/// What of the elements at a place a column has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// All of their text.
    Text,
    /// Where they lead.
    Link,
    Picture,
    /// Whom they write to.
    Mail,
    /// Whom they call.
    Phone,
    /// What is read out.
    Spoken,
    /// An attribute `data-..`.
    Data(String),
    /// What stands under a label in an element of its own.
    Pair(String),
    /// What stands under a label in the text.
    Labelled(String),
    /// What stands before the first element within.
    Before,
    /// What stands after one of the elements within.
    After(usize),
    /// The number in the text.
    Number,
    /// One of so many parts of the text.
    Split(usize, usize),
    /// The heading that they stand under.
    Heading,
}

impl Aspect {
    /// Whether it is part of the text, or text of another place.
    pub fn is_part(&self) -> bool {
        matches!(
            self,
            Self::Pair(_)
                | Self::Labelled(_)
                | Self::Before
                | Self::After(_)
                | Self::Number
                | Self::Split(..)
                | Self::Heading
        )
    }

    /// How it ends a path for people.
    pub fn path(&self) -> String {
        match self {
            Self::Text => String::new(),
            Self::Link => "@href".into(),
            Self::Picture => "@src".into(),
            Self::Mail => "@mail".into(),
            Self::Phone => "@tel".into(),
            Self::Spoken => "@spoken".into(),
            Self::Data(name) => format!("@data-{name}"),
            Self::Pair(label) => format!("/pair {label}"),
            Self::Labelled(label) => format!("/label {label}"),
            Self::Before => "/before".into(),
            Self::After(index) => format!("/after{index}"),
            Self::Number => "/number".into(),
            Self::Split(index, of) => format!("/part{index} of {of}"),
            Self::Heading => "/heading above".into(),
        }
    }
}

/// A value.
#[derive(Clone)]
pub enum Cell {
    /// Of an element.
    Node(usize, Facet),
    /// Part of an element's text, or what stands for it.
    Part(String, Option<usize>),
    /// From data that machines read.
    Data(String),
}

/// A labelled value.
pub struct Fact {
    pub labels: Vec<Label>,
    pub values: Vec<Cell>,
    pub source: Source,
}

/// Where something was taken from.
#[derive(Clone)]
pub enum Source {
    Node(usize),
    Data(String),
}

/// Rows of one kind.
pub struct Set {
    /// What they are, in the page's words.
    pub labels: Vec<Label>,
    pub columns: Vec<Column>,
    pub rows: usize,
    /// How sure it is that these are rows.
    pub sure: f32,
    pub source: Source,
    /// The elements that each row begins with, where it is made of elements.
    pub row_nodes: Vec<usize>,
    /// The columns that are plain texts, once they were looked for.
    pub leaves: OnceCell<Vec<usize>>,
}

/// What stands at the same place of each row.
pub struct Column {
    pub labels: Vec<Label>,
    pub facet: Facet,
    /// Several where a row has several.
    pub cells: Vec<Vec<Cell>>,
    /// The whole row.
    pub whole: bool,
    pub aspect: Aspect,
    /// One of several that each row has.
    pub nth: bool,
    /// Below the row, for people.
    pub path: String,
}

impl Column {
    /// Whether it is the whole text of elements.
    pub fn is_text(&self) -> bool {
        self.facet == Facet::Text && !self.whole && self.aspect == Aspect::Text
    }

    pub fn filled(&self) -> usize {
        self.cells.iter().filter(|cells| !cells.is_empty()).count()
    }
}

impl Cell {
    /// Its text.
    pub fn text(&self, dom: &Dom) -> String {
        match self {
            Self::Node(node, Facet::Text) => text_of(dom, *node),
            Self::Node(node, Facet::Link) => dom.elements[*node].attr("href").unwrap_or_default().to_owned(),
            Self::Node(node, Facet::Picture) => picture(dom, *node).unwrap_or_default(),
            Self::Part(text, _) | Self::Data(text) => text.clone(),
        }
    }

    /// What is written for machines, where that says more: `datetime`, `content`.
    pub fn machine(&self, dom: &Dom) -> Option<String> {
        let node = match self {
            Self::Node(node, Facet::Text) | Self::Part(_, Some(node)) => *node,
            _ => return None,
        };
        let element = &dom.elements[node];
        let only_time = || {
            let inside = node + 1..element.end.min(node + 12);
            inside.clone().find(|at| dom.elements[*at].tag == "time").and_then(|at| dom.elements[at].attr("datetime"))
        };
        element.attr("datetime").or(element.attr("content")).or_else(only_time).map(str::to_owned)
    }

    pub fn node(&self) -> Option<usize> {
        match self {
            Self::Node(node, _) => Some(*node),
            Self::Part(_, node) => *node,
            Self::Data(_) => None,
        }
    }
}

/// The text of an element, or what is read out in its place.
fn text_of(dom: &Dom, node: usize) -> String {
    let text = dom.text(node);
    if !text.is_empty() {
        return text;
    }
    let element = &dom.elements[node];
    let spoken = ["content", "value", "datetime", "aria-label", "alt", "title", "data-value"];
    spoken.iter().find_map(|name| element.attr(name)).map(words::plain).unwrap_or_default()
}

/// Where the picture of an element is.
pub fn picture(dom: &Dom, node: usize) -> Option<String> {
    let element = &dom.elements[node];
    let lazy = ["src", "data-src", "data-original", "data-lazy-src"];
    let plain = lazy.iter().filter_map(|name| element.attr(name)).find(|src| !src.starts_with("data:"));
    let of_set = || element.attr("srcset").and_then(|set| set.split([' ', ',']).next());
    plain.or_else(of_set).map(str::to_owned)
}

/// Labels that were met before are not taken apart again.
#[derive(Default)]
pub struct Labels {
    known: HashMap<String, Rc<[Word]>>,
}

impl Labels {
    /// The label that `text` is; none where it has no words, or far too many.
    pub fn of(&mut self, text: &str, weight: f32) -> Option<Label> {
        if text.len() > 120 {
            return None;
        }
        if !self.known.contains_key(text) {
            self.known.insert(text.to_owned(), words::label(text).into());
        }
        let words = self.known.get(text).filter(|words| !words.is_empty() && words.len() <= 8)?.clone();
        Some(Label { words, weight })
    }

    /// The labels that an element carries itself.
    pub fn of_element(&mut self, dom: &Dom, node: usize, factor: f32) -> Vec<Label> {
        let element = &dom.elements[node];
        let mut labels: Vec<Label> = Vec::new();
        for name in ["itemprop", "property"] {
            for token in element.attr(name).unwrap_or_default().split_ascii_whitespace().take(4) {
                labels.extend(self.of(token.rsplit(':').next().unwrap_or(token), factor));
            }
        }
        for class in element.classes().filter(|class| !is_look(class)).take(8) {
            // The element of a block says more than the block; behind the names of modules stands what makes them unique.
            if let Some((name, mark)) = class.split_once("__")
                && is_mark(mark)
            {
                labels.extend(self.of(name.rsplit('_').next().unwrap_or(name), 0.86 * factor));
                labels.extend(self.of(name, 0.85 * factor));
                continue;
            }
            if let Some((_, part)) = class.split_once("__") {
                labels.extend(self.of(part, 0.86 * factor));
            }
            labels.extend(self.of(class, 0.85 * factor));
        }
        for name in [
            "id",
            "name",
            "data-testid",
            "data-test",
            "data-field",
            "data-name",
            "data-label",
            "data-title",
            "data-th",
            "data-column",
            "data-key",
            "data-type",
            "data-role",
        ] {
            let strong =
                matches!(name, "data-field" | "data-label" | "data-title" | "data-th" | "data-column" | "data-key");
            let weight = if strong { 0.95 } else { 0.85 };
            labels.extend(
                element.attr(name).filter(|value| value.len() < 60).and_then(|value| self.of(value, weight * factor)),
            );
        }
        if let Some(spoken) = element.attr("aria-label") {
            let before = spoken.split_once(':').map_or(spoken, |(before, _)| before);
            labels.extend(self.of(before, 0.85 * factor));
        }
        let explains =
            element.parent.is_some_and(|parent| dom.elements[parent].tag == "details") && element.tag != "summary";
        if explains {
            labels.extend(self.of("answer", 0.7 * factor));
        }
        if matches!(
            element.tag.as_str(),
            "dt" | "dd" | "address" | "time" | "cite" | "blockquote" | "q" | "code" | "summary" | "figcaption"
        ) {
            let says = match element.tag.as_str() {
                "time" => "date",
                "q" | "blockquote" => "quote",
                "summary" | "dt" => "question",
                "dd" => "answer",
                "figcaption" => "caption",
                "cite" => "author",
                tag => tag,
            };
            labels.extend(self.of(says, 0.7 * factor));
        }
        labels
    }
}

/// Whether a text can be what something is labelled with.
pub fn is_label(text: &str) -> bool {
    let text = text.trim();
    let words = text.split(' ').count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    (text == "#" || letters > 0)
        && words <= 6
        && text.chars().count() <= 48
        && letters * 2 >= text.chars().filter(|c| c.is_alphanumeric()).count()
        && super::shapes::date(text).is_none()
        && super::shapes::money(text).is_none()
}
