//! Labelled values: what a page says about one thing, in all the ways in which pages say it.

use std::collections::HashMap;

use super::dom::Dom;
use super::model::{Cell, Facet, Fact, Label, Labels, Source, is_label};
use super::shapes;

/// No more than this is gathered.
const MAX_FACTS: usize = 60_000;
/// An element with more text than this is no value.
const LONG_VALUE: usize = 6_000;

/// Gathers the facts of a document, in its order.
pub fn gather(dom: &Dom, labels: &mut Labels) -> Vec<Fact> {
    let ids = dom.elements.iter().enumerate().filter_map(|(at, element)| Some((element.attr("id")?, at))).collect();
    let mut facts = Gatherer { dom, labels, facts: Vec::new(), pictures: 0, ids };
    for node in 0..dom.elements.len() {
        if facts.facts.len() > MAX_FACTS || dom.given_up.is_so() {
            break;
        }
        facts.element(node);
    }
    facts.several();
    facts.facts
}

pub(super) struct Gatherer<'a> {
    pub dom: &'a Dom,
    labels: &'a mut Labels,
    facts: Vec<Fact>,
    pictures: usize,
    /// Elements by their ids.
    ids: HashMap<&'a str, usize>,
}

impl Gatherer<'_> {
    fn add(&mut self, labels: Vec<Label>, values: Vec<Cell>, node: usize) {
        if !labels.is_empty() && !values.is_empty() {
            self.facts.push(Fact { labels, values, source: Source::Node(node) });
        }
    }

    /// A fact with one label and one value.
    pub fn say(&mut self, label: &str, weight: f32, value: Cell, node: usize) {
        let labels = self.labels.of(label, weight).into_iter().collect();
        self.add(labels, vec![value], node);
    }

    /// What is said again and again in one place is one fact with several values: authors, tags.
    fn several(&mut self) {
        let mut places: std::collections::BTreeMap<(usize, Option<usize>), Vec<usize>> =
            std::collections::BTreeMap::new();
        for (index, fact) in self.facts.iter().enumerate() {
            let (Source::Node(node), [value]) = (&fact.source, fact.values.as_slice()) else { continue };
            let element = &self.dom.elements[*node];
            let telling = element.tag == "meta"
                || element.attr("rel") == Some("author") && matches!(value, Cell::Node(_, Facet::Text));
            if let (true, Some(label)) = (telling, fact.labels.first().filter(|label| label.weight >= 0.88)) {
                let known = places.entry((label.words.as_ptr() as usize, element.parent)).or_default();
                if known.last().is_none_or(
                    |last: &usize| !matches!(self.facts[*last].source, Source::Node(other) if other == *node),
                ) {
                    known.push(index);
                }
            }
        }
        for indices in places.into_values().filter(|indices| indices.len() > 1) {
            let first = &self.facts[indices[0]];
            let (labels, source) = (first.labels.clone(), first.source.clone());
            let values = indices.iter().flat_map(|at| self.facts[*at].values.clone()).take(200).collect();
            self.facts.push(Fact { labels, values, source });
        }
    }

    fn element(&mut self, node: usize) {
        let dom = self.dom;
        let element = &dom.elements[node];
        match element.tag.as_str() {
            "meta" => return self.meta(node),
            "link" | "html" | "head" | "body" => return self.head(node),
            "title" => return self.say("page title", 0.66, Cell::Node(node, Facet::Text), node),
            "dt" => self.definition(node),
            "tr" => self.row(node),
            "label" => self.control(node),
            "input" | "select" | "textarea" => self.named_control(node),
            "a" => self.link(node),
            "img" => self.image(node),
            "h1" => {
                for label in ["title", "name", "heading"] {
                    self.say(label, 0.92, Cell::Node(node, Facet::Text), node);
                }
            }
            "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(node),
            "time" => {
                let value = Cell::Node(node, Facet::Text);
                let label = if element.attr("datetime").is_some() { "published date" } else { "date" };
                self.say(label, 0.68, value.clone(), node);
                self.say("date", 0.68, value, node);
            }
            _ => {}
        }
        self.switch(node);
        self.own_labels(node);
        self.pair(node);
        if dom.length(node) <= 600 && is_inline_only(dom, node) {
            self.leaf(node);
        }
        if let Some(current) = element.attr("aria-current").filter(|current| *current != "false") {
            let what = if current == "true" { "item" } else { current };
            self.say(&format!("current {what}"), 0.9, Cell::Node(node, Facet::Text), node);
        }
        if let Some(spoken) = element.attr("aria-label").filter(|spoken| spoken.len() < 120) {
            self.text_facts(spoken, node);
        }
    }

    /// Classes, ids, `itemprop` and the like.
    fn own_labels(&mut self, node: usize) {
        let dom = self.dom;
        let element = &dom.elements[node];
        if dom.length(node) > LONG_VALUE || element.end - node > 60 {
            return;
        }
        let many = element.end - node > 12;
        let labels = self.labels.of_element(dom, node, if many { 0.85 } else { 1.0 });
        if labels.is_empty() {
            return;
        }
        let scoped = element.attrs.iter().any(|(name, _)| name == "itemscope");
        let named = |at: &usize| matches!(dom.elements[*at].attr("itemprop"), Some("name" | "headline"));
        let inner = if scoped { (node + 1..element.end).find(named) } else { None };
        if element.tag == "img" {
            return self.add(labels, vec![Cell::Node(node, Facet::Picture)], node);
        }
        if element.tag == "a" || element.tag == "link" {
            self.add(labels.clone(), vec![Cell::Node(node, Facet::Link)], node);
        }
        if dom.has_text(node)
            || element.attr("content").is_some()
            || element.attr("value").is_some()
            || element.attr("aria-label").is_some()
        {
            self.add(labels, vec![Cell::Node(inner.unwrap_or(node), Facet::Text)], node);
        }
        for (name, value) in &element.attrs {
            if let Some(name) = name.strip_prefix("data-")
                && value.len() <= 120
                && !matches!(
                    name,
                    "testid"
                        | "test"
                        | "field"
                        | "name"
                        | "label"
                        | "title"
                        | "th"
                        | "column"
                        | "key"
                        | "type"
                        | "role"
                        | "src"
                        | "index"
                        | "action"
                        | "target"
                        | "toggle"
                )
            {
                self.say(name, 0.7, Cell::Data(value.trim().to_owned()), node);
            }
        }
    }

    fn meta(&mut self, node: usize) {
        let element = &self.dom.elements[node];
        let name = ["property", "name", "itemprop"].iter().find_map(|name| element.attr(name));
        let (Some(name), Some(content)) = (name, element.attr("content")) else { return };
        let telling = ["article:", "product:", "book:", "video:", "music:"].iter().any(|kind| name.starts_with(kind));
        let weight = match (element.attr("itemprop"), telling) {
            (Some(_), _) => 1.0,
            (None, true) => 0.88,
            (None, false) => 0.72,
        };
        let skipped = [
            "viewport",
            "robots",
            "theme-color",
            "generator",
            "referrer",
            "csrf-token",
            "format-detection",
            "og:type",
            "twitter:card",
            "og:locale",
        ];
        if skipped.contains(&name) || name.starts_with("fb:") || name.starts_with("msapplication") {
            return;
        }
        let mut parts = name.split([':', '.']);
        let last = parts.next_back().unwrap_or(name);
        let value = Cell::Data(content.to_owned());
        self.say(last, weight, value.clone(), node);
        if name.contains(':') {
            let prefixes = ["og", "twitter", "article", "product", "book", "dc", "dcterms"];
            let label = name.split(':').filter(|part| !prefixes.contains(part)).collect::<Vec<_>>().join(" ");
            self.say(&label, weight, value, node);
        }
    }

    fn head(&mut self, node: usize) {
        let element = &self.dom.elements[node];
        if element.tag == "html"
            && let Some(language) = element.attr("lang")
        {
            self.say("language", 0.6, Cell::Data(language.to_owned()), node);
        }
        if let (Some(rel), Some(_)) = (element.attr("rel"), element.attr("href")) {
            let label = format!("{rel} url");
            self.say(&label, 0.8, Cell::Node(node, Facet::Link), node);
        }
    }

    fn definition(&mut self, node: usize) {
        let dom = self.dom;
        let Some(parent) = dom.elements[node].parent else { return };
        let label = dom.text(node);
        let after = siblings_after(dom, node, parent);
        let after = after.take(100).skip_while(|at| dom.elements[*at].tag == "dt");
        let values: Vec<usize> = after.take_while(|at| dom.elements[*at].tag == "dd").collect();
        let labels = self.labels.of(label.trim_end_matches([':', ' ', '?']), 1.0).into_iter().collect();
        self.add(labels, values.into_iter().map(|at| Cell::Node(at, Facet::Text)).collect(), node);
    }

    fn row(&mut self, node: usize) {
        let dom = self.dom;
        let cells: Vec<usize> = dom.children(node).filter(|at| dom.elements[*at].is(&["td", "th"])).take(9).collect();
        let cells: Vec<usize> = match cells.as_slice() {
            // A total below several columns.
            [first, .., last]
                if dom.elements[*first].attr("colspan").is_some() && cells.len() < 5 && !dom.has_text(*last) =>
            {
                cells.iter().copied().filter(|at| dom.has_text(*at)).collect()
            }
            _ => cells,
        };
        let is_head = |at: &usize| dom.elements[*at].tag == "th";
        let pairs: Vec<(usize, usize)> = match cells.as_slice() {
            [label, value] if !is_head(value) => vec![(*label, *value)],
            cells if cells.len() % 2 == 0 && cells.len() <= 8 => {
                let pairs: Vec<(usize, usize)> = cells.chunks(2).map(|pair| (pair[0], pair[1])).collect();
                let says = |label: &usize| is_head(label) || dom.text(*label).ends_with(':');
                let proper = pairs.iter().all(|(label, value)| says(label) && !says(value));
                if proper { pairs } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        for (label, value) in pairs {
            let text = dom.text(label);
            let weight = if is_head(&label) { 1.0 } else { 0.93 };
            if is_label(&text) {
                self.say(text.trim_end_matches([':', ' ']), weight, Cell::Node(value, Facet::Text), node);
            }
        }
    }

    fn control(&mut self, node: usize) {
        let dom = self.dom;
        let element = &dom.elements[node];
        let is_control =
            |at: &usize| dom.elements[*at].is(&["input", "select", "textarea", "output", "meter", "progress"]);
        let inside = (node + 1..element.end).take(30).find(is_control);
        let named = || self.ids.get(element.attr("for")?).copied();
        let Some(control) = inside.or_else(named) else { return };
        let text = dom.text(node);
        if dom.elements[control].attr("type") == Some("radio") {
            return self.choice(node, control, &text);
        }
        if let Some(value) = control_value(dom, control) {
            self.say(text.trim_end_matches([':', '*', ' ']), 1.0, value, control);
        }
    }

    /// Of several choices the one that is made, under the name that they share and the legend above them.
    fn choice(&mut self, node: usize, control: usize, text: &str) {
        let dom = self.dom;
        let element = &dom.elements[control];
        if !element.attrs.iter().any(|(name, _)| name == "checked") {
            return;
        }
        let value = Cell::Part(text.to_owned(), Some(node));
        if let Some(name) = element.attr("name") {
            self.say(name, 0.85, value.clone(), node);
        }
        let set = dom.upwards(node).take(6).find(|at| dom.elements[*at].tag == "fieldset");
        let legend = set.and_then(|set| dom.children(set).take(3).find(|at| dom.elements[*at].tag == "legend"));
        if let Some(legend) = legend {
            self.say(&dom.text(legend), 0.95, value, node);
        }
    }

    fn named_control(&mut self, node: usize) {
        let Some(value) = control_value(self.dom, node) else { return };
        let element = &self.dom.elements[node];
        let asks = element.attr("type") == Some("search")
            || element
                .attr("name")
                .is_some_and(|name| ["q", "query", "search", "keyword", "keywords", "s"].contains(&name));
        if asks {
            self.say("search query", 0.85, value.clone(), node);
        }
        let labels = self.labels.of_element(self.dom, node, 1.0);
        self.add(labels, vec![value], node);
    }

    /// What is switched on or off.
    fn switch(&mut self, node: usize) {
        let element = &self.dom.elements[node];
        let pressed = element
            .attr("aria-checked")
            .or(element.attr("aria-pressed").filter(|_| element.attr("role") == Some("switch")));
        let (Some(state @ ("true" | "false")), Some(label)) = (pressed, element.attr("aria-label")) else { return };
        self.say(label, 0.97, Cell::Data(state.to_owned()), node);
    }

    fn link(&mut self, node: usize) {
        let dom = self.dom;
        let element = &dom.elements[node];
        let Some(href) = element.attr("href") else { return };
        if let Some(address) = href.strip_prefix("mailto:") {
            let address = address.split('?').next().unwrap_or(address);
            return self.say("email", 0.8, Cell::Part(address.to_owned(), Some(node)), node);
        }
        if let Some(number) = href.strip_prefix("tel:") {
            let text = dom.text(node);
            let shown = if shapes::phone(&text).is_some() { text } else { number.to_owned() };
            return self.say("phone", 0.8, Cell::Part(shown, Some(node)), node);
        }
        if href.starts_with("javascript:") || href == "#" {
            return;
        }
        let value = Cell::Node(node, Facet::Link);
        let text = dom.text(node);
        if is_label(&text) {
            self.say(&text, 0.88, value.clone(), node);
            self.say(&format!("{text} url"), 0.88, value.clone(), node);
        }
        if element.attr("rel") == Some("author") {
            self.say("author", 0.9, Cell::Node(node, Facet::Text), node);
        }
        for name in ["rel", "aria-label", "title"] {
            if let Some(label) = element.attr(name) {
                self.say(&format!("{label} url"), 0.85, value.clone(), node);
                self.say(label, 0.85, value.clone(), node);
            }
        }
        for class in element.classes().take(5) {
            self.say(&format!("{class} url"), 0.8, value.clone(), node);
        }
    }

    fn image(&mut self, node: usize) {
        let element = &self.dom.elements[node];
        let value = Cell::Node(node, Facet::Picture);
        if let Some(alt) = element.attr("alt") {
            self.say(&format!("{alt} image"), 0.8, value.clone(), node);
        }
        if !element.aside {
            self.pictures += 1;
            if self.pictures == 1 {
                self.say("image", 0.62, value, node);
            }
        }
    }

    /// What follows a heading.
    fn heading(&mut self, node: usize) {
        let dom = self.dom;
        let Some(parent) = dom.elements[node].parent else { return };
        let text = dom.text(node);
        let next = siblings_after(dom, node, parent).take(10).find(|at| dom.has_text(*at));
        let Some(next) = next.filter(|at| !is_heading(dom, *at)) else { return };
        if is_label(&text) {
            // What has parts of its own is no value.
            let weight = if dom.elements[next].is(&["dl", "table", "form"]) { 0.5 } else { 0.8 };
            self.say(text.trim_end_matches(':'), weight, Cell::Node(next, Facet::Text), next);
        }
    }

    /// Two elements of which one labels the other.
    fn pair(&mut self, node: usize) {
        let dom = self.dom;
        let element = &dom.elements[node];
        if element.own || element.end - node > 30 || element.is(&["tr", "dl", "thead", "tbody", "ul", "ol", "select"]) {
            return;
        }
        let children: Vec<usize> = dom.children(node).filter(|at| dom.has_text(*at)).take(4).collect();
        let ([first, second] | [first, second, _]) = children.as_slice() else { return };
        let (before, after) = (dom.text(*first), dom.text(*second));
        if after.len() > LONG_VALUE || is_heading(dom, *first) {
            return;
        }
        // With a third, a change or a note, the second must look like what is measured.
        if children.len() > 2
            && !(says_label(dom, *first)
                || after.len() < 24 && after.starts_with(|c: char| c.is_ascii_digit() || "$€£-+".contains(c)))
        {
            return;
        }
        let marked = is_label(&before) && (before.ends_with(':') || says_label(dom, *first));
        if is_label(&before) {
            let weight = if marked { 0.97 } else { 0.82 };
            self.say(before.trim_end_matches([':', ' ']), weight, Cell::Node(*second, Facet::Text), *second);
        }
        let numeric = shapes::number(&before).is_some() && before.len() <= 14;
        if (numeric || says_label(dom, *second)) && is_label(&after) && !marked {
            let label = if numeric { format!("{after} count") } else { after.clone() };
            self.say(&label, 0.84, Cell::Node(*first, Facet::Text), *first);
            self.say(&after, 0.84, Cell::Node(*first, Facet::Text), *first);
        }
    }
}

/// The elements after `node` in its parent.
pub fn siblings_after(dom: &Dom, node: usize, parent: usize) -> impl Iterator<Item = usize> {
    let end = dom.elements[parent].end;
    let mut next = dom.elements[node].end;
    std::iter::from_fn(move || {
        let at = (next < end).then_some(next)?;
        next = dom.elements[at].end;
        Some(at)
    })
}

fn is_heading(dom: &Dom, node: usize) -> bool {
    dom.elements[node].is(&["h1", "h2", "h3", "h4", "h5", "h6"])
}

/// Whether an element says of itself that it is a label.
fn says_label(dom: &Dom, node: usize) -> bool {
    let element = &dom.elements[node];
    let words = ["label", "key", "term", "caption", "name", "title", "heading", "th", "dt"];
    element.is(&["label", "b", "strong", "th", "dt"])
        || element.classes().any(|class| {
            let parts = super::words::split(class);
            parts.last().is_some_and(|last| words.contains(&last.as_str()))
                && !parts.iter().any(|part| part == "product")
        })
}

/// Whether nothing but runs of text is in it.
pub fn is_inline_only(dom: &Dom, node: usize) -> bool {
    let inline = [
        "a", "abbr", "b", "bdi", "br", "cite", "code", "data", "em", "font", "i", "img", "ins", "kbd", "mark", "s",
        "small", "span", "strong", "sub", "sup", "svg", "time", "u", "wbr", "del", "q", "meta", "link", "path", "use",
    ];
    let end = dom.elements[node].end;
    end - node <= 25 && (node + 1..end).all(|at| dom.elements[at].is(&inline) || dom.elements[at].tag.contains('-'))
}

fn control_value(dom: &Dom, node: usize) -> Option<Cell> {
    let element = &dom.elements[node];
    let kind = element.attr("type").unwrap_or("text");
    match (element.tag.as_str(), kind) {
        ("input", "password" | "submit" | "button" | "reset" | "image" | "file") => None,
        ("input", "checkbox" | "radio") => {
            let checked = element.attrs.iter().any(|(name, _)| name == "checked");
            (kind == "checkbox").then(|| Cell::Data(checked.to_string()))
        }
        ("input" | "select" | "textarea" | "meter" | "progress", _) => {
            element.attr("value").map(|value| Cell::Part(super::words::plain(value), Some(node)))
        }
        _ => dom.has_text(node).then_some(Cell::Node(node, Facet::Text)),
    }
}
