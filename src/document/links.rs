//! Where a document leads.

use std::collections::HashMap;

use dom_query::NodeRef;
use serde::Serialize;
use url::Url;

use super::DocumentError;
use super::dom::{Dom, attribute, collapse, name, text, with_dom};

/// A link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Where to, absolute.
    pub url: String,
    /// What it is called: its text, or what is told in its place (a label, the description of its picture).
    pub text: String,
    /// Its `rel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rel: Option<String>,
    /// Its `title`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The links of a document in its order, each URL once. Left out are those that lead nowhere: within the page, scripts, data.
/// Blocks while it reads.
pub fn links(html: &str, base: &Url) -> Result<Vec<Link>, DocumentError> {
    with_dom(html, base, |dom| Ok(links_of(dom)))
}

fn links_of(dom: &Dom) -> Vec<Link> {
    let mut found: Vec<Link> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for node in dom.elements().filter(|node| matches!(name(node).as_str(), "a" | "area")) {
        let Some(href) = attribute(&node, "href") else { continue };
        let Some(url) = target(dom, &href) else { continue };
        let link = Link {
            text: label(&node),
            rel: attribute(&node, "rel"),
            title: attribute(&node, "title"),
            url: url.clone(),
        };
        match places.get(&url).and_then(|place| found.get_mut(*place)) {
            // A picture and a name often lead to the same place: the name is what it is called.
            Some(known) if known.text.is_empty() => known.text = link.text,
            Some(_) => {}
            None => {
                places.insert(url, found.len());
                found.push(link);
            }
        }
    }
    found
}

fn target(dom: &Dom, href: &str) -> Option<String> {
    if href.starts_with('#') {
        return None;
    }
    let url = dom.base.join(href).ok()?;
    (!matches!(url.scheme(), "javascript" | "data" | "blob" | "about" | "vbscript")).then(|| url.into())
}

/// What a link is called.
fn label(node: &NodeRef<'_>) -> String {
    let read = text(node);
    if !read.is_empty() {
        return read;
    }
    let told = |node: &NodeRef<'_>, names: &[&str]| names.iter().find_map(|name| attribute(node, name));
    let own = told(node, &["aria-label", "alt"]);
    let inside = || node.descendants_it().find_map(|inner| told(&inner, &["alt", "aria-label", "title"]));
    // A title says more about a name, and is one only where there is no other.
    collapse(&own.or_else(inside).or_else(|| told(node, &["title"])).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_absolute_once_and_named() {
        let html = "<a href='/a'><img src=x alt=''></a><a href='/a'>Name <b>of a</b></a><a href='#top'>up</a>\
                    <a href='javascript:void(0)'>no</a><a href='b?x=1#y' rel='next nofollow' title='T'><img alt='Next'></a>\
                    <a>none</a><a href='mailto:x@example.com'>write</a><area href='https://example.org/' aria-label='Map'>";
        let found = links(html, &Url::parse("https://example.com/dir/page").unwrap()).unwrap();
        let seen: Vec<(&str, &str)> = found.iter().map(|link| (link.url.as_str(), link.text.as_str())).collect();
        let wanted = [
            ("https://example.com/a", "Name of a"),
            ("https://example.com/dir/b?x=1#y", "Next"),
            ("mailto:x@example.com", "write"),
            ("https://example.org/", "Map"),
        ];
        assert_eq!(seen, wanted);
        assert_eq!(found[1].rel.as_deref(), Some("next nofollow"));
    }
}
