//! The document as flat lists: elements in the order of the document, and one text that each has a range of. Every walk is a
//! loop over indices, so that neither depth nor size of a hostile page matters more than its length.

use dom_query::{Document, NodeData, NodeId};

use super::super::DocumentError;
use super::super::tame::tame;
use super::aside::GivenUp;
use super::words;

/// Elements beyond this are left out.
const MAX_ELEMENTS: usize = 150_000;
/// Bytes of text beyond this are left out.
const MAX_TEXT: usize = 8 * 1024 * 1024;
/// How much of a text is ever looked at as a value.
const LONGEST: usize = 20_000;

/// Languages that put a comma before decimals.
const COMMAS: &[&str] = &[
    "bg", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "is", "it", "lt", "lv", "nb", "nl", "nn",
    "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi",
];

/// An element.
pub struct Element {
    pub tag: String,
    pub attrs: Vec<(String, String)>,
    pub parent: Option<usize>,
    /// One past its last descendant.
    pub end: usize,
    /// Whether text stands in it that is in none of its children.
    pub own: bool,
    /// Navigation, footers, side bars, what is recommended besides.
    pub aside: bool,
    from: usize,
    to: usize,
}

impl Element {
    /// The value of an attribute, if it has one that is not blank.
    pub fn attr(&self, name: &str) -> Option<&str> {
        let value = self.attrs.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())?;
        (!value.is_empty()).then_some(value)
    }

    /// Its classes.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.attr("class").unwrap_or_default().split_ascii_whitespace()
    }

    pub fn is(&self, tags: &[&str]) -> bool {
        tags.contains(&self.tag.as_str())
    }
}

/// A parsed document.
pub struct Dom {
    pub elements: Vec<Element>,
    /// The texts of `application/ld+json`.
    pub linked: Vec<String>,
    /// Headings, in their order.
    pub headings: Vec<usize>,
    /// Whether its language puts a comma before decimals.
    pub commas: bool,
    /// Whether nobody waits for what is read any more.
    pub given_up: GivenUp,
    text: String,
    /// Where the text ended as the last element did.
    closed: usize,
}

enum Step {
    Enter(NodeId),
    Leave(usize),
}

impl Dom {
    /// Parses `html`.
    pub fn parse(html: &str) -> Result<Self, DocumentError> {
        Self::parse_until(html, GivenUp::default())
    }

    /// The same for as long as somebody waits for it; else [`DocumentError::Late`].
    pub fn parse_until(html: &str, given_up: GivenUp) -> Result<Self, DocumentError> {
        let document = Document::from(tame(html)?.as_ref());
        let mut dom = Self {
            elements: Vec::new(),
            linked: Vec::new(),
            headings: Vec::new(),
            commas: false,
            given_up,
            text: String::new(),
            closed: 0,
        };
        let mut steps = vec![Step::Enter(document.root().id)];
        let mut open: Vec<usize> = Vec::new();
        while let Some(step) = steps.pop() {
            if dom.given_up.is_so() {
                return Err(DocumentError::Late);
            }
            match step {
                Step::Enter(id) => dom.enter(&document, id, &mut open, &mut steps),
                Step::Leave(index) => {
                    dom.elements[index].end = dom.elements.len();
                    dom.boundary(index);
                    dom.elements[index].to = dom.text.len();
                    dom.closed = dom.text.len();
                    open.pop();
                }
            }
        }
        dom.mark_asides();
        let is_heading = |at: &usize| dom.elements[*at].is(&["h1", "h2", "h3", "h4", "h5", "h6"]);
        dom.headings = (0..dom.elements.len()).filter(is_heading).collect();
        let language = dom.elements.iter().find(|element| element.tag == "html").and_then(|html| html.attr("lang"));
        let language = language.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default().to_ascii_lowercase();
        dom.commas = COMMAS.contains(&language.as_str());
        Ok(dom)
    }

    fn enter(&mut self, document: &Document, id: NodeId, open: &mut Vec<usize>, steps: &mut Vec<Step>) {
        let tree = &document.tree;
        let children = |of: &NodeId| tree.child_ids_of_it(of, true).map(Step::Enter).collect::<Vec<_>>();
        let entered = tree.query_node(&id, |node| match &node.data {
            NodeData::Document | NodeData::Fragment => Entered::Through,
            NodeData::Text { contents } => Entered::Text(contents.to_string()),
            NodeData::Element(element) => Entered::Element(
                element.name.local.to_string(),
                element.attrs.iter().map(|a| (a.name.local.to_string(), a.value.to_string())).collect(),
                element.template_contents,
            ),
            _ => Entered::Nothing,
        });
        match entered {
            Some(Entered::Through) => steps.extend(children(&id)),
            Some(Entered::Text(text)) => self.add_text(&text, open),
            Some(Entered::Element(tag, attrs, shadow)) if self.elements.len() < MAX_ELEMENTS => {
                if tag == "script" {
                    return self.add_script(&attrs, tree, id);
                }
                // What nobody sees of a form is nobody's to read.
                let unseen = |(name, value): &(String, String)| {
                    name == "type" && (value.eq_ignore_ascii_case("password") || value.eq_ignore_ascii_case("hidden"))
                };
                let held = if tag == "input" && attrs.iter().any(unseen) { "value" } else { "" };
                let attrs: Vec<(String, String)> = attrs.into_iter().filter(|(name, _)| name != held).collect();
                let has = |name: &str| attrs.iter().any(|(known, _)| known == name);
                if is_unseen(&tag, &attrs) || (tag == "template" && !has("shadowrootmode")) {
                    return;
                }
                let leaf = matches!(tag.as_str(), "svg" | "select" | "textarea" | "canvas" | "object");
                let index = self.add_element(tag, attrs, open);
                steps.push(Step::Leave(index));
                match shadow {
                    Some(shadow) => steps.extend(children(&shadow)),
                    None if leaf => self.add_value(tree, id, index),
                    None => steps.extend(children(&id)),
                }
            }
            _ => {}
        }
    }

    fn add_element(&mut self, tag: String, attrs: Vec<(String, String)>, open: &mut Vec<usize>) -> usize {
        let index = self.elements.len();
        let parent = open.last().copied();
        self.elements.push(Element { tag, attrs, parent, end: index + 1, own: false, aside: false, from: 0, to: 0 });
        self.boundary(index);
        self.elements[index].from = self.text.len();
        open.push(index);
        index
    }

    /// Words of neighbouring blocks do not grow together.
    fn boundary(&mut self, index: usize) {
        let inline = [
            "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "q",
            "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "data",
        ];
        if !self.elements[index].is(&inline) && !self.text.ends_with('\n') && self.text.len() < MAX_TEXT {
            self.text.push('\n');
        }
    }

    fn add_text(&mut self, text: &str, open: &[usize]) {
        if self.text.len() + text.len() > MAX_TEXT {
            return;
        }
        // What stands in neighbouring elements with nothing between is set apart by the layout; parts of a number are not.
        let opens = open.last().is_some_and(|last| self.elements[*last].from == self.text.len());
        if opens
            && self.closed == self.text.len()
            && let (Some(last), Some(next)) = (self.text.chars().next_back(), text.chars().next())
            && last.is_alphanumeric()
            && (next.is_alphanumeric() || matches!(next, '#' | '(' | '$' | '€' | '£'))
            && (!(last.is_numeric() && next.is_numeric())
                || open.last().is_some_and(|last| self.elements[*last].is(&["a", "button"])))
        {
            self.text.push('\n');
        }
        // Line ends are those of the layout, not of the source.
        for c in text.chars() {
            if !c.is_whitespace() {
                self.text.push(c);
            } else if !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
        if let Some(last) = open.last()
            && !text.trim().is_empty()
        {
            self.elements[*last].own = true;
        }
    }

    fn add_script(&mut self, attrs: &[(String, String)], tree: &dom_query::Tree, id: NodeId) {
        let linked =
            attrs.iter().any(|(name, value)| name == "type" && value.trim().starts_with("application/ld+json"));
        if linked && self.linked.len() < 100 {
            self.linked.push(inner_text(tree, id));
        }
    }

    /// What a control holds becomes its attribute `value`.
    fn add_value(&mut self, tree: &dom_query::Tree, id: NodeId, index: usize) {
        let value = match self.elements[index].tag.as_str() {
            "textarea" => Some(inner_text(tree, id)),
            "select" => {
                let options =
                    tree.descendant_ids_of_it(&id).filter(|option| attr_of(tree, *option, "selected").is_some());
                options.last().map(|option| inner_text(tree, option))
            }
            _ => None,
        };
        if let Some(value) = value {
            self.elements[index].attrs.push(("value".into(), value));
        }
    }

    fn mark_asides(&mut self) {
        let heading = self.elements.iter().position(|element| element.tag == "h1");
        for index in 0..self.elements.len() {
            let element = &self.elements[index];
            let holds_heading = heading.is_some_and(|h1| index <= h1 && h1 < element.end);
            let inherited = element.parent.is_some_and(|parent| self.elements[parent].aside);
            let aside = inherited || (!holds_heading && is_aside(element));
            self.elements[index].aside = aside;
        }
    }

    /// The children of an element.
    pub fn children(&self, of: usize) -> impl Iterator<Item = usize> {
        let end = self.elements[of].end;
        let mut next = of + 1;
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.elements[child].end;
            Some(child)
        })
    }

    /// The siblings before an element, the nearest first.
    pub fn before(&self, at: usize) -> impl Iterator<Item = usize> {
        let parent = self.elements[at].parent;
        let previous = move |at: usize| {
            let last = at.checked_sub(1).filter(|last| Some(*last) != parent)?;
            self.upwards(last).find(|up| self.elements[*up].parent == parent)
        };
        std::iter::successors(previous(at), move |at| previous(*at))
    }

    /// It and the elements that it is in, innermost first.
    pub fn upwards(&self, from: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(from), |at| self.elements[*at].parent)
    }

    /// The text of an element, white space made one, cut where nobody would call it a value any more.
    pub fn text(&self, of: usize) -> String {
        self.text_between(of, of)
    }

    /// The text from the beginning of one element to the end of another.
    pub fn text_between(&self, first: usize, last: usize) -> String {
        words::plain(cut(self.text.get(self.elements[first].from..self.elements[last].to).unwrap_or_default(), LONGEST))
    }

    /// The first line from the beginning of an element to its first child.
    pub fn text_before(&self, child: usize, within: usize) -> String {
        let text =
            cut(self.text.get(self.elements[within].from..self.elements[child].from).unwrap_or_default(), LONGEST);
        text.split('\n').map(words::plain).find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// The first line between the end of one element and the beginning of a later one.
    pub fn text_after(&self, first: usize, next: Option<usize>, within: usize) -> String {
        let to = next.map_or(self.elements[within].to, |next| self.elements[next].from);
        let text = cut(self.text.get(self.elements[first].to..to).unwrap_or_default(), LONGEST);
        text.split('\n').map(words::plain).find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// The lines of an element's text.
    pub fn lines(&self, of: usize) -> Vec<String> {
        let text = cut(self.text.get(self.elements[of].from..self.elements[of].to).unwrap_or_default(), LONGEST);
        text.split('\n').map(words::plain).filter(|line| !line.is_empty()).collect()
    }

    /// All of the text.
    pub fn all_text(&self) -> &str {
        &self.text
    }

    /// Bytes of text in an element.
    pub fn length(&self, of: usize) -> usize {
        self.elements[of].to - self.elements[of].from
    }

    /// Whether it has text that is not blank.
    pub fn has_text(&self, of: usize) -> bool {
        let element = &self.elements[of];
        self.text.get(element.from..element.to).is_some_and(|text| !text.trim().is_empty())
    }

    /// Where an element stands, as a CSS selector that people can read.
    pub fn path(&self, of: usize) -> String {
        let mut parts = Vec::new();
        for index in self.upwards(of) {
            let element = &self.elements[index];
            if let Some(id) = element.attr("id") {
                parts.push(format!("#{}", words::short(id, 40)));
                break;
            }
            let class =
                element.classes().next().map(|class| format!(".{}", words::short(class, 40))).unwrap_or_default();
            if parts.is_empty() || !class.is_empty() {
                parts.push(format!("{}{class}", element.tag));
            }
            if parts.len() == 4 {
                break;
            }
        }
        parts.reverse();
        parts.join(" ")
    }
}

enum Entered {
    Through,
    Text(String),
    Element(String, Vec<(String, String)>, Option<NodeId>),
    Nothing,
}

fn inner_text(tree: &dom_query::Tree, id: NodeId) -> String {
    let mut text = String::new();
    for node in tree.child_ids_of_it(&id, false) {
        tree.query_node(&node, |node| {
            if let NodeData::Text { contents } = &node.data {
                text.push_str(contents);
            }
        });
    }
    text
}

fn attr_of(tree: &dom_query::Tree, id: NodeId, name: &str) -> Option<String> {
    tree.query_node(&id, |node| match &node.data {
        NodeData::Element(element) => element.attr(name).map(|value| value.to_string()),
        _ => None,
    })?
}

/// What nobody sees, and what is read out to nobody.
fn is_unseen(tag: &str, attrs: &[(String, String)]) -> bool {
    let style = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        text.contains("display:none") || text.contains("visibility:hidden")
    };
    matches!(tag, "style" | "noscript" | "iframe" | "audio" | "video")
        || attrs.iter().any(|(name, value)| match name.as_str() {
            "hidden" => true,
            "aria-hidden" => value == "true",
            "style" => style(value),
            _ => false,
        })
}

fn is_aside(element: &Element) -> bool {
    if element.is(&["html", "body", "main", "article", "h1"]) {
        return false;
    }
    let role = element.attr("role").unwrap_or_default();
    let marks = [
        "nav",
        "navbar",
        "navigation",
        "sidebar",
        "footer",
        "breadcrumb",
        "related",
        "recommended",
        "recommendation",
        "similar",
        "sponsored",
        "advert",
        "ads",
        "ad",
        "promo",
        "cookie",
        "newsletter",
        "upsell",
        "banner",
        "carousel",
    ];
    let is_mark = |token: &str| {
        let words = words::split(token);
        words.len() <= 3 && words.iter().any(|word| marks.contains(&words::singular(word).as_str()))
    };
    element.is(&["nav", "footer", "aside"])
        || ["navigation", "contentinfo", "complementary"].contains(&role)
        || element.classes().any(is_mark)
        || element.attr("id").is_some_and(is_mark)
}

fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
