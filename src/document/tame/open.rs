//! The stack of open elements as the HTML standard keeps it, as far as depth goes: where the standard closes more than is
//! known here the stack is too high, never too low.

use std::collections::HashMap;

/// Elements that nest where tags that close them by the way are missing: the barriers of the standard's scopes.
const SCOPE: &[&str] = &[
    "applet",
    "caption",
    "table",
    "td",
    "th",
    "marquee",
    "object",
    "template",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "annotation-xml",
    "foreignobject",
    "desc",
    "title",
];

/// Elements whose end tag closes what is open in them, up to a barrier.
const BLOCK: &[&str] = &[
    "address",
    "applet",
    "article",
    "aside",
    "blockquote",
    "button",
    "center",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "header",
    "hgroup",
    "listing",
    "main",
    "marquee",
    "menu",
    "nav",
    "object",
    "ol",
    "pre",
    "section",
    "select",
    "summary",
    "ul",
];

/// Further elements that an end tag of another kind does not reach past.
const SPECIAL: &[&str] = &[
    "body", "dd", "dt", "form", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "html", "iframe", "li",
    "noembed", "noframes", "noscript", "p", "script", "search", "style", "tbody", "textarea", "tfoot", "thead", "tr",
    "xmp",
];

/// Start tags before which an open paragraph ends, beside those of blocks.
const ENDS_PARAGRAPH: &[&str] =
    &["dd", "dt", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "plaintext", "table", "xmp"];

/// Elements of running text that are opened again in the next block where they were not closed.
const FORMATTING: &[&str] =
    &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

const HEADINGS: &[&str] = &["h1", "h2", "h3", "h4", "h5", "h6"];
const ROW_GROUPS: &[&str] = &["tbody", "thead", "tfoot", "caption", "colgroup", "tr", "td", "th"];

/// How many like formatting elements the standard keeps for opening again.
const ALIKE: u8 = 3;

struct Element {
    name: String,
    /// Which formatting element it is, attributes included.
    key: Option<u64>,
    /// Whether it is a barrier of scopes.
    is_scope: bool,
    /// Whether an end tag of another kind does not reach past it.
    is_special: bool,
    /// How many elements around it are closed already and hold it all the same.
    taken: usize,
}

impl Element {
    fn new(name: &str, key: Option<u64>) -> Self {
        let is_scope = SCOPE.contains(&name);
        let is_special = is_scope || BLOCK.contains(&name) || SPECIAL.contains(&name);
        Self { name: name.to_owned(), key, is_scope, is_special, taken: 0 }
    }
}

/// The open elements, and the formatting elements that would be opened again.
#[derive(Default)]
pub(super) struct Open {
    elements: Vec<Element>,
    /// How many are open by each name: most searches are for one that is not.
    counts: HashMap<String, usize>,
    foreign: usize,
    /// Of all open elements together, what each one's `taken` counts.
    taken: usize,
    listed: HashMap<u64, u8>,
    formatting: usize,
    stuck: usize,
}

pub(super) fn is_formatting(name: &str) -> bool {
    FORMATTING.contains(&name)
}

impl Open {
    /// How deep in the tree the next element would be: deeper than the stack is high where a form was taken out of it.
    pub fn depth(&self) -> usize {
        self.elements.len() + self.taken
    }

    /// Whether in `SVG` or `MathML`, where other rules hold.
    pub fn in_foreign(&self) -> bool {
        self.foreign > 0
    }

    /// How many formatting elements wait for their end.
    pub fn formatting(&self) -> usize {
        self.formatting
    }

    /// How many of them will be opened again in each block that comes.
    pub fn stuck(&self) -> usize {
        self.stuck
    }

    pub fn has(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 0)
    }

    /// What a start tag closes before it opens its own; false where the tag means nothing here.
    pub fn before(&mut self, name: &str) -> bool {
        if self.in_foreign() {
            return true;
        }
        if self.has("p") && (name == "p" || BLOCK.contains(&name) || ENDS_PARAGRAPH.contains(&name)) {
            self.close_to(&["p"], |open| open.is_scope || open.name == "button");
        }
        match name {
            "li" => self.close_item(&["li"]),
            "dd" | "dt" => self.close_item(&["dd", "dt"]),
            "option" if self.elements.last().is_some_and(|last| last.name == "option") => {
                self.pop_to(self.elements.len() - 1);
            }
            "td" | "th" => self.close_in_table(&["td", "th", "caption", "colgroup"]),
            "tr" => self.close_in_table(&["tr", "td", "th", "caption", "colgroup"]),
            "tbody" | "thead" | "tfoot" | "caption" | "colgroup" => self.close_in_table(ROW_GROUPS),
            _ => {}
        }
        let needs_table = ROW_GROUPS.contains(&name);
        !needs_table || self.has("table") || self.has("template")
    }

    pub fn push(&mut self, name: &str, key: Option<u64>) {
        if name == "svg" || name == "math" {
            self.foreign += 1;
        }
        if let Some(key) = key {
            let alike = self.listed.entry(key).or_default();
            if *alike < ALIKE {
                *alike += 1;
                self.formatting += 1;
            }
        }
        *self.counts.entry(name.to_owned()).or_default() += 1;
        self.elements.push(Element::new(name, key));
    }

    /// An end tag.
    pub fn close(&mut self, name: &str) {
        match name {
            "body" | "html" => {}
            "form" => self.take_form(),
            "template" => self.close_to(&["template"], |_| false),
            "p" => self.close_to(&["p"], |open| open.is_scope || open.name == "button"),
            "li" => self.close_to(&["li"], |open| open.is_scope || open.name == "ol" || open.name == "ul"),
            _ if HEADINGS.contains(&name) => self.close_to(HEADINGS, |open| open.is_scope),
            "table" => self.close_to(&["table"], |open| open.name == "template"),
            _ if ROW_GROUPS.contains(&name) => {
                self.close_to(&[name], |open| open.name == "table" || open.name == "template");
            }
            "dd" | "dt" => self.close_to(&[name], |open| open.is_scope),
            _ if BLOCK.contains(&name) => self.close_to(&[name], |open| open.is_scope),
            _ => self.close_to(&[name], |open| open.is_special),
        }
    }

    fn close_to(&mut self, names: &[&str], barrier: impl Fn(&Element) -> bool) {
        if !names.iter().any(|name| self.has(name)) {
            return;
        }
        for at in (0..self.elements.len()).rev() {
            let Some(element) = self.elements.get(at) else { return };
            if names.contains(&element.name.as_str()) {
                if let Some(key) = element.key {
                    self.ended(key);
                    if let Some(element) = self.elements.get_mut(at) {
                        element.key = None;
                    }
                }
                return self.pop_to(at);
            }
            if barrier(element) {
                return;
            }
        }
    }

    fn close_item(&mut self, names: &[&str]) {
        self.close_to(names, |open| open.is_special && !matches!(open.name.as_str(), "address" | "div" | "p"));
    }

    /// Closes down to the outermost of `names` in the innermost table.
    fn close_in_table(&mut self, names: &[&str]) {
        let inside = self.elements.iter().rposition(|open| open.name == "table" || open.name == "template");
        let Some(inside) = inside else { return };
        let mut found = self.elements.iter().enumerate().skip(inside + 1);
        if let Some((at, _)) = found.find(|(_, open)| names.contains(&open.name.as_str())) {
            self.pop_to(at);
        }
    }

    /// A form is taken out of the stack; what is open in it stays, as deep in the tree as it was.
    fn take_form(&mut self) {
        if let Some(at) = self.elements.iter().rposition(|open| open.name == "form") {
            let blocked = self.elements.iter().skip(at + 1).any(|open| open.is_scope);
            if !blocked {
                let form = self.elements.remove(at);
                self.uncount(&form.name);
                match self.elements.get_mut(at) {
                    Some(inner) => {
                        inner.taken += form.taken + 1;
                        self.taken += 1;
                    }
                    None => self.taken -= form.taken,
                }
            }
        }
    }

    fn pop_to(&mut self, at: usize) {
        while self.elements.len() > at {
            let Some(element) = self.elements.pop() else { return };
            self.uncount(&element.name);
            self.taken -= element.taken;
            if element.name == "svg" || element.name == "math" {
                self.foreign = self.foreign.saturating_sub(1);
            }
            if element.key.is_some() {
                self.stuck += 1;
            }
        }
    }

    fn uncount(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_sub(1);
        }
    }

    fn ended(&mut self, key: u64) {
        if let Some(alike) = self.listed.get_mut(&key).filter(|alike| **alike > 0) {
            *alike -= 1;
            self.formatting = self.formatting.saturating_sub(1);
        }
    }
}
