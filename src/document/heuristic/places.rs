//! Where in its row an element stands: the elements above it and its own, each told by what the rows have in common.

use std::collections::{HashMap, HashSet};

use super::choose::is_struck;
use super::dom::Dom;

/// Paths for people are cut to their end beyond this many bytes.
const LONGEST_PATH: usize = 400;

/// Attributes that say what an element is.
pub const MARKS: [&str; 6] = ["itemprop", "data-label", "data-field", "data-testid", "data-test", "data-qa"];

/// A place, by number: names of a page may hold any sign and be of any length.
pub type Place = usize;

/// The row itself, which has a place of its own.
pub const ROW: Place = 0;
/// What the elements of a row stand in that is made of several.
pub const BESIDE: Place = 1;

/// What the elements at one place have in common.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Shape {
    tag: String,
    classes: Vec<String>,
    struck: bool,
    mark: String,
}

/// All places of the rows of a set.
pub struct Places {
    numbers: HashMap<(Place, Shape), Place>,
    /// What each stands in, and what it is.
    known: Vec<(Place, Shape)>,
}

impl Places {
    pub fn new() -> Self {
        let root = (ROW, Shape::default());
        Self { numbers: HashMap::new(), known: vec![root.clone(), root] }
    }

    /// The place of an element in `above`. `stable` are the classes that rows share.
    pub fn of(&mut self, dom: &Dom, at: usize, above: Place, stable: &HashSet<String>) -> Place {
        let element = &dom.elements[at];
        let mut classes: Vec<String> =
            element.classes().filter(|class| stable.contains(*class)).map(str::to_owned).collect();
        classes.sort_unstable();
        let mark = MARKS.iter().find_map(|name| element.attr(name));
        let mark = mark.filter(|mark| !mark.bytes().any(|byte| byte.is_ascii_digit())).unwrap_or_default();
        let shape = Shape { tag: element.tag.clone(), classes, struck: is_struck(dom, at), mark: mark.to_owned() };
        let key = (above, shape);
        if let Some(place) = self.numbers.get(&key) {
            return *place;
        }
        let place = self.known.len();
        self.known.push(key.clone());
        self.numbers.insert(key, place);
        place
    }

    /// Whether two places differ only by classes, all of which of the one the other has too.
    pub fn differ_by_state(&self, a: Place, b: Place) -> bool {
        let ((above, first), (other, second)) = (&self.known[a], &self.known[b]);
        let (less, more) = if first.classes.len() < second.classes.len() { (first, second) } else { (second, first) };
        above == other
            && first.tag == second.tag
            && first.struck == second.struck
            && first.mark == second.mark
            && !less.classes.is_empty()
            && less.classes.iter().all(|class| more.classes.contains(class))
    }

    /// The path of a place below its row, for people; empty for the row.
    pub fn path(&self, place: Place) -> String {
        let mut steps: Vec<String> = Vec::new();
        let (mut at, mut length) = (place, 0);
        while at != ROW && at != BESIDE {
            let (above, shape) = &self.known[at];
            let step = shape.step();
            length += step.len() + 1;
            if length > LONGEST_PATH && !steps.is_empty() {
                steps.push("…".into());
                return steps.into_iter().rev().collect::<Vec<_>>().join(">");
            }
            steps.push(step);
            at = *above;
        }
        if at == ROW && !steps.is_empty() {
            steps.push(String::new());
        }
        steps.into_iter().rev().collect::<Vec<_>>().join(">")
    }
}

impl Shape {
    fn step(&self) -> String {
        let was = if self.struck { "~was" } else { "" };
        let mark = if self.mark.is_empty() { String::new() } else { format!("[{}]", self.mark) };
        let step = format!("{}.{}{was}{mark}", self.tag, self.classes.join("."));
        match step.char_indices().nth(LONGEST_PATH / 2) {
            Some((cut, _)) => format!("{}…", &step[..cut]),
            None => step,
        }
    }
}
