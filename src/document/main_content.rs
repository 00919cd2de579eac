//! What a page is about: an article as a reader mode finds it, or else what is left without navigation and the like.

use dom_query::{Document, NodeRef};
use dom_smoothie::Readability;

use super::dom::{attribute, is, text};

/// What was chosen.
pub(super) struct Chosen {
    pub document: Document,
    /// The page's heading, where it is not in the document.
    pub title: Option<String>,
}

/// An article with less than this part of the text of the rest has missed most of the page.
const LEAST: usize = 3;

/// Roles of parts that stand beside what a page is about.
const BESIDE: &[&str] = &["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"];
/// Words in ids and classes of notices that lie over a page.
const NOTICES: &[&str] = &["cookie", "consent", "gdpr"];

/// Chooses.
pub(super) fn choose(document: &Document) -> Chosen {
    let heading = document.select("h1").nodes().first().map(text).filter(|heading| !heading.is_empty());
    let rest = without_sides(document);
    let whole = text(&rest.root()).len();
    let chosen = article(&rest).filter(|article| text(&article.root()).len() * LEAST >= whole).unwrap_or(rest);
    let title = heading.filter(|heading| !keeps_heading(&chosen, heading));
    Chosen { title, document: chosen }
}

/// Whether the page's heading is in what was chosen; it is of the first level again there.
fn keeps_heading(chosen: &Document, heading: &str) -> bool {
    let headings = chosen.select("h1,h2");
    let known = headings.nodes().iter().find(|inner| text(inner) == heading);
    if let Some(known) = known {
        // Readers make second headings of first ones.
        known.rename("h1");
    }
    known.is_some()
}

fn article(document: &Document) -> Option<Document> {
    let document = document.clone();
    // The reader takes the name of an author out of the text, unless it knows one.
    document.head()?.append_html("<meta name=author content=known>");
    let mut reader = Readability::with_document(document, None, None).ok()?;
    if !reader.is_probably_readable() {
        return None;
    }
    reader.parse().ok().map(|article| Document::from(article.content))
}

/// The main part, or the body, without what stands beside it.
fn without_sides(document: &Document) -> Document {
    let whole = document.clone();
    let mains = whole.select("main,[role=main]");
    let html = match mains.nodes() {
        [only] => only.html(),
        _ => whole.html(),
    };
    let rest = Document::from(html);
    for node in rest.root().descendants() {
        if node.is_element() && stands_beside(&node) {
            node.remove_from_parent();
        }
    }
    rest
}

fn stands_beside(node: &NodeRef<'_>) -> bool {
    if is(node, &["nav", "aside", "footer", "header"]) {
        // Articles have headers and footers of their own.
        let inside = node.ancestors_it(None).any(|outer| is(&outer, &["article", "section", "main", "li", "td"]));
        return is(node, &["nav", "aside"]) || !inside;
    }
    if attribute(node, "role").is_some_and(|role| BESIDE.contains(&role.as_str())) {
        return true;
    }
    let named = ["id", "class"].iter().filter_map(|name| attribute(node, name)).any(|value| {
        let value = value.to_ascii_lowercase();
        NOTICES.iter().any(|word| value.contains(word))
    });
    named && !is(node, &["html", "body", "main", "article"])
}
