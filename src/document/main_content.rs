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
    let chosen = article(document).filter(|article| text(&article.root()).len() * LEAST >= whole).unwrap_or(rest);
    let has_heading = heading
        .as_ref()
        .is_some_and(|heading| chosen.select("h1,h2").nodes().iter().any(|inner| text(inner) == *heading));
    Chosen { title: heading.filter(|_| !has_heading), document: chosen }
}

fn article(document: &Document) -> Option<Document> {
    let mut reader = Readability::with_document(document.clone(), None, None).ok()?;
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
