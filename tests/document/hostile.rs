//! Documents that want to do harm: each is read, or refused, in bounded time, and nothing breaks down.

use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rhaven::document::{DocumentError, MarkdownOptions, links, markdown, select, structured_data, tables};
use serde_json::json;

use super::base;

/// Reads the document in every way.
fn read_all(html: &str) -> Result<(), DocumentError> {
    let base = base();
    markdown(html, &base, &MarkdownOptions::default())?;
    markdown(html, &base, &MarkdownOptions { main_content: true })?;
    tables(html, &base)?;
    structured_data(html, &base)?;
    links(html, &base)?;
    select(html, &base, &json!({"x": ["b"], "y": {"selector": "p > :first-child"}}))?;
    Ok(())
}

/// Generous, for machines that are busy; what is meant is that nothing takes minutes.
const PATIENCE: Duration = Duration::from_mins(1);

fn survives(name: &str, html: &str) {
    let begun = Instant::now();
    let read = read_all(html);
    assert!(!matches!(read, Err(DocumentError::Broken)), "{name}: broke down");
    assert!(begun.elapsed() < PATIENCE, "{name}: {:?}", begun.elapsed());
}

#[test]
fn deep_documents() {
    for one in
        ["<div>", "<b>", "<table><tr><td>", "<ul><li>", "<blockquote>", "<a href=x><span>", "<svg><g>", "<div><p>text"]
    {
        survives(one, &one.repeat(4000));
    }
}

#[test]
fn wide_documents() {
    survives("paragraphs", &"<p>x".repeat(8000));
    survives(
        "links",
        &(0..4000).fold(String::new(), |mut all, n| {
            write!(all, "<a href='/{n}'>{n}</a>").unwrap();
            all
        }),
    );
    survives("one long text", &"word ".repeat(100_000));
    survives("attributes", &format!("<p {}>", "a=1 b ".repeat(30_000)));
}

#[test]
fn tables_that_span_the_world() {
    survives("spans", &format!("<table>{}</table>", "<tr><td rowspan=65534 colspan=1000>x".repeat(500)));
    survives(
        "one long cell",
        &format!("<table><tr><th>{}<th>b{}</table>", "long ".repeat(20_000), "<tr><td>x<td>y".repeat(1000)),
    );
    survives(
        "repeated text",
        &format!("<table><tr><th rowspan=0>{}<td>1{}</table>", "long ".repeat(20_000), "<tr><td>x".repeat(1000)),
    );
}

#[test]
fn what_is_too_large_is_refused() {
    let error = tables(&"x".repeat(rhaven::document::MAX_BYTES + 1), &base()).unwrap_err();
    assert_eq!(error.code(), "document_too_large");
}

/// Pieces that parsers stumble over.
fn piece() -> impl Strategy<Value = String> {
    let tags = prop::sample::select(vec![
        "div",
        "p",
        "b",
        "a href=x",
        "table",
        "tr",
        "td rowspan=3 colspan=2",
        "th",
        "ul",
        "li",
        "pre",
        "code",
        "svg",
        "math",
        "script type=application/ld+json",
        "style",
        "template",
        "select",
        "option",
        "form",
        "button",
        "h1",
        "dl",
        "dd",
        "dt",
        "caption",
        "thead",
        "textarea",
        "iframe",
        "title",
        "html",
        "body",
        "frameset",
        "div itemscope itemprop=a itemref=b id=b",
        "meta property=og:x content=y",
        "base href=http://[",
        "img src=data:x alt=y",
        "input value=1",
        "object",
        "nobr",
        "plaintext",
    ]);
    prop_oneof![
        8 => tags.clone().prop_map(|tag| format!("<{tag}>")),
        6 => tags.prop_map(|tag| format!("</{}>", tag.split(' ').next().unwrap())),
        3 => "[a-z &;|*_`\\[\\]#\n]{0,12}",
        1 => prop::sample::select(vec!["<!--", "-->", "<![CDATA[", "]]>", "<!doctype x>", "<", "<a b='", "\u{0}", "&#x110000;", "{\"@graph\": [{}]}"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn nothing_breaks_down(pieces in prop::collection::vec(piece(), 0..80)) {
        let html = pieces.concat();
        prop_assert!(read_all(&html).is_ok(), "{html}");
    }
}
