//! A document as Markdown.

use dom_query::NodeRef;
use htmd::element_handler::Handlers;
use htmd::options::{BulletListMarker, Options};
use htmd::{Element, HtmlToMarkdown};
use url::Url;

use super::dom::{Dom, attribute, collapse, is, is_hidden, name, text, with_dom};
use super::{DocumentError, main_content, plain_tables};

/// What of a document becomes Markdown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MarkdownOptions {
    /// Only what the page is about: no navigation, sidebars, footers, banners.
    pub main_content: bool,
}

/// The document as Markdown: absolute links, tables, code; nothing that a reader does not see. Blocks while it reads.
pub fn markdown(html: &str, base: &Url, options: &MarkdownOptions) -> Result<String, DocumentError> {
    with_dom(html, base, |dom| {
        tidy(dom);
        let chosen = options.main_content.then(|| main_content::choose(&dom.document));
        let document = chosen.as_ref().map_or(&dom.document, |chosen| &chosen.document);
        plain_tables::simplify(document);
        let converted = converter().convert(&document.html()).map_err(|_| DocumentError::Broken)?;
        let title = chosen.and_then(|chosen| chosen.title).map(|title| format!("# {title}\n\n")).unwrap_or_default();
        Ok(settle(&[title, converted].concat()))
    })
}

/// Takes out what a reader does not see and puts the rest into words that Markdown has.
fn tidy(dom: &Dom) {
    let nodes: Vec<NodeRef<'_>> = dom.document.root().descendants_it().collect();
    for node in nodes {
        if node.is_comment() || (node.is_element() && is_hidden(&node) && !is(&node, &["head"])) {
            node.remove_from_parent();
        } else if node.is_element() {
            tidy_element(dom, &node);
        }
    }
}

fn tidy_element(dom: &Dom, node: &NodeRef<'_>) {
    match name(node).as_str() {
        "a" => tidy_link(dom, node),
        "img" => tidy_picture(dom, node),
        "input" => tidy_input(node),
        "select" => {
            let options: Vec<NodeRef<'_>> = node.descendants_it().filter(|inner| is(inner, &["option"])).collect();
            let chosen = options.iter().find(|option| option.has_attr("selected")).or(options.first());
            say(node, &chosen.map(text).unwrap_or_default());
        }
        "textarea" => say(node, &node.text()),
        "pre" if !node.descendants_it().any(|inner| is(&inner, &["code"])) => {
            let html = node.inner_html();
            node.set_html(format!("<code>{html}</code>"));
        }
        "svg" | "canvas" | "audio" | "video" | "object" | "embed" | "math" => node.remove_from_parent(),
        _ => {}
    }
}

fn tidy_link(dom: &Dom, node: &NodeRef<'_>) {
    let Some(href) = attribute(node, "href") else { return };
    if href.to_ascii_lowercase().starts_with("javascript:") {
        return node.remove_attr("href");
    }
    node.set_attr("href", &dom.absolute(&href));
    let is_empty = text(node).is_empty() && !node.descendants_it().any(|inner| is_shown_picture(&inner));
    if is_empty {
        let told = attribute(node, "aria-label").or_else(|| attribute(node, "title"));
        match told {
            Some(told) => node.set_text(collapse(&told)),
            None => node.remove_from_parent(),
        }
    }
}

fn is_shown_picture(node: &NodeRef<'_>) -> bool {
    is(node, &["img"]) && attribute(node, "alt").is_some()
}

fn tidy_picture(dom: &Dom, node: &NodeRef<'_>) {
    // Pictures that load late have their address elsewhere until then.
    let sources = ["src", "data-src", "data-lazy-src"].into_iter().filter_map(|name| attribute(node, name));
    let source = sources.map(|source| dom.absolute(&source)).find(|source| !source.starts_with("data:"));
    match (source, is_shown_picture(node)) {
        (Some(source), true) => node.set_attr("src", &source),
        _ => node.remove_from_parent(),
    }
}

/// What a field holds, as text.
fn tidy_input(node: &NodeRef<'_>) {
    let kind = attribute(node, "type").unwrap_or_default().to_ascii_lowercase();
    let value = attribute(node, "value").unwrap_or_default();
    match kind.as_str() {
        "checkbox" | "radio" => say(node, if node.has_attr("checked") { "☑" } else { "☐" }),
        "password" | "file" | "image" => node.remove_from_parent(),
        _ => say(node, &value),
    }
}

/// Puts text in the place of an element.
fn say(node: &NodeRef<'_>, text: &str) {
    node.insert_before(&node.tree.new_text(format!(" {} ", collapse(text))));
    node.remove_from_parent();
}

fn converter() -> HtmlToMarkdown {
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    HtmlToMarkdown::builder()
        .options(options)
        .scripting_enabled(false)
        .skip_tags(vec!["head", "script", "style"])
        // Ours do not pad cells: one long cell would make all of its column as long.
        .add_handler(vec!["table"], |handlers: &dyn Handlers, element: Element<'_>| {
            Some(format!("\n\n{}\n\n", handlers.walk_children(element.node).content.trim()).into())
        })
        .add_handler(vec!["caption"], |handlers: &dyn Handlers, element: Element<'_>| {
            Some(format!("{}\n\n", one_line(&handlers.walk_children(element.node).content)).into())
        })
        .add_handler(vec!["thead"], |handlers: &dyn Handlers, element: Element<'_>| {
            let columns = element.attrs.iter().find(|attr| &*attr.name.local == plain_tables::COLUMNS);
            let columns = columns.and_then(|attr| attr.value.parse().ok()).unwrap_or(0);
            let row = handlers.walk_children(element.node).content;
            Some(format!("{}\n|{}\n", row.trim(), " --- |".repeat(columns)).into())
        })
        .add_handler(vec!["tbody"], |handlers: &dyn Handlers, element: Element<'_>| {
            Some(handlers.walk_children(element.node).content.into())
        })
        .add_handler(vec!["tr"], |handlers: &dyn Handlers, element: Element<'_>| {
            Some(format!("|{}\n", handlers.walk_children(element.node).content.trim_end_matches('\n')).into())
        })
        .add_handler(vec!["td", "th"], |handlers: &dyn Handlers, element: Element<'_>| {
            Some(format!(" {} |", one_line(&handlers.walk_children(element.node).content)).into())
        })
        .build()
}

/// The content of a cell: in one line, its bars no borders.
fn one_line(content: &str) -> String {
    collapse(content).replace('|', "\\|")
}

/// No more than one empty line anywhere but in code, none at the ends.
fn settle(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut empty = 0;
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let marker: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if marker.len() >= open.len() => fence = None,
            None if marker.len() >= 3 => fence = Some(marker),
            _ => {}
        }
        empty = if line.trim().is_empty() && fence.is_none() { empty + 1 } else { 0 };
        if empty <= 1 && !(out.is_empty() && empty > 0) {
            out.push_str(if empty == 1 { "" } else { line });
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out
}
