//! The parsed document: parsing, what of it a reader sees, its text, absolute URLs. Everything that walks the tree does so
//! with a stack of its own.

use std::thread;

use dom_query::{Document, NodeRef};
use url::Url;

use super::DocumentError;
use super::tame::tame;

/// For the stack of the thread on which documents are read: libraries below recurse as deep as the document nests.
const STACK: usize = 64 << 20;

/// A parsed document and where it came from.
pub(super) struct Dom {
    pub document: Document,
    pub base: Url,
}

/// Parses `html` and hands it to `work`, on a thread with a stack that no document exhausts. Blocks until it is done.
pub(super) fn with_dom<T: Send>(
    html: &str,
    base: &Url,
    work: impl FnOnce(&Dom) -> Result<T, DocumentError> + Send,
) -> Result<T, DocumentError> {
    thread::scope(|scope| {
        let read = || {
            let html = tame(html)?;
            work(&Dom::new(&html, base))
        };
        let thread = thread::Builder::new().name("document".into()).stack_size(STACK).spawn_scoped(scope, read);
        let thread = thread.map_err(|error| DocumentError::NoThread(error.to_string()))?;
        thread.join().unwrap_or(Err(DocumentError::Broken))
    })
}

impl Dom {
    fn new(html: &str, base: &Url) -> Self {
        let document = Document::from(html);
        // The first `<base>` with an address counts, as in a browser.
        let told = document.select_single("base[href]").attr("href");
        let base = told.and_then(|href| base.join(href.trim()).ok()).unwrap_or_else(|| base.clone());
        Self { document, base }
    }

    /// Where `href` leads, absolute; as it is where it cannot be resolved.
    pub fn absolute(&self, href: &str) -> String {
        let href = href.trim();
        self.base.join(href).map_or_else(|_| href.to_owned(), String::from)
    }

    /// All elements in the order of the document.
    pub fn elements(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.document.root().descendants().into_iter().filter(NodeRef::is_element)
    }
}

/// The element's name in lower case; empty for what is no element.
pub(super) fn name(node: &NodeRef<'_>) -> String {
    node.qual_name_ref().map(|name| name.local.to_string()).unwrap_or_default()
}

/// Whether the element has this name.
pub(super) fn is(node: &NodeRef<'_>, names: &[&str]) -> bool {
    node.qual_name_ref().is_some_and(|name| names.contains(&name.local.as_ref()))
}

/// An attribute, trimmed; none where it is empty.
pub(super) fn attribute(node: &NodeRef<'_>, name: &str) -> Option<String> {
    let value = node.attr(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Elements whose text nobody reads.
const SILENT: &[&str] = &["head", "iframe", "noscript", "script", "style", "template"];

/// Whether a reader does not see the element and what is in it, as far as the document itself says so.
pub(super) fn is_hidden(node: &NodeRef<'_>) -> bool {
    if is(node, SILENT) {
        return true;
    }
    // Those may be found or opened by the reader.
    if node.attr("hidden").is_some_and(|how| !how.trim().eq_ignore_ascii_case("until-found")) {
        return true;
    }
    if is(node, &["dialog"]) && !node.has_attr("open") {
        return true;
    }
    if is(node, &["input"]) && node.attr("type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("hidden")) {
        return true;
    }
    node.attr("style").is_some_and(|style| {
        let style: String = style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        style.split(';').any(|rule| {
            let rule = rule.trim_end_matches("!important");
            rule == "display:none" || rule == "visibility:hidden"
        })
    })
}

/// Elements that stand in a line of text: around others a reader sees a gap.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "meter", "nobr", "output", "progress", "q", "s", "samp", "slot", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// The text of an element as a reader sees it, white space collapsed, a space where one block ends and another begins.
pub(super) fn text(node: &NodeRef<'_>) -> String {
    collapse(&raw_text(node))
}

/// One space for any white space, none at the ends.
pub(super) fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(1024));
    for word in text.split(|c: char| c.is_whitespace() || c == '\u{200b}').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word.replace('\u{ad}', ""));
    }
    out
}

enum Step<'a> {
    Enter(NodeRef<'a>),
    Gap,
}

fn raw_text(root: &NodeRef<'_>) -> String {
    let mut text = String::new();
    let mut steps = vec![Step::Enter(*root)];
    while let Some(step) = steps.pop() {
        let node = match step {
            Step::Enter(node) => node,
            Step::Gap => {
                text.push(' ');
                continue;
            }
        };
        if node.is_text() {
            text.push_str(&node.text());
        } else if !(node.is_element() && is_hidden(&node)) {
            if node.is_element() && !is(&node, INLINE) {
                text.push(' ');
                steps.push(Step::Gap);
            }
            steps.extend(node.children_it(true).map(Step::Enter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(html: &str) -> String {
        let document = Document::from(html);
        text(&document.root())
    }

    #[test]
    fn text_is_what_a_reader_sees() {
        let html = "<title>t</title><p>One<b>Two</b>\n three</p><p>four</p><div hidden>no</div><script>no</script>\
                    <p style='color: red; DISPLAY : none !important'>no</p><li>five</li>six<br>seven";
        assert_eq!(text_of(html), "OneTwo three four five six seven");
    }

    #[test]
    fn a_base_element_counts() {
        let dom = Dom::new("<base href='/shop/'>", &Url::parse("https://example.com/a/b").unwrap());
        assert_eq!(dom.absolute("c?d"), "https://example.com/shop/c?d");
        assert_eq!(dom.absolute("http://["), "http://[");
    }
}
