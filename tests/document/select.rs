//! Values by CSS selector without a browser.

use rhaven::document::select;
use serde_json::{Value, json};

use super::base;

const HTML: &str = "<h1>Shop <small>open</small></h1><ul><li class=item data-id=1><a href='/a'>A</a><b>10</b></li>\
                    <li class=item data-id=2><a href='b'>B</a></li></ul>";

fn read(fields: &Value) -> Value {
    select(HTML, &base(), fields).unwrap()
}

fn code(fields: &Value) -> &'static str {
    select(HTML, &base(), fields).unwrap_err().code()
}

#[test]
fn fields_of_each_type() {
    let fields = json!({
        "title": {"selector": "h1", "type": "text"},
        "raw": {"selector": "h1", "type": "html"},
        "first": {"selector": ".item a", "type": "attr", "attribute": "href"},
        "id": {"selector": ".item:last-child", "type": "attr", "attribute": "data-id"},
        "short": "li:nth-child(2) > a@href",
        "none": {"selector": ".none"},
        "no_attribute": {"selector": "h1", "type": "attr", "attribute": "href"},
    });
    let wanted = json!({
        "title": "Shop open",
        "raw": "Shop <small>open</small>",
        "first": "https://example.com/a",
        "id": "2",
        "short": "https://example.com/shop/b",
        "none": null,
        "no_attribute": null,
    });
    assert_eq!(read(&fields), wanted);
}

#[test]
fn lists_and_records() {
    let fields = json!({
        "names": ["li a"],
        "items": [{"selector": ".item", "fields": {"name": "a", "price": "b", "id": {"selector": ".", "attribute": "data-id"}}}],
        "nothing": [".none"],
    });
    let wanted = json!({
        "names": ["A", "B"],
        "items": [{"name": "A", "price": "10", "id": "1"}, {"name": "B", "price": null, "id": "2"}],
        "nothing": [],
    });
    assert_eq!(read(&fields), wanted);
}

#[test]
fn what_needs_a_browser_is_refused() {
    for selector in [
        "text=Shop",
        "role=button[name=\"x\"]",
        "label=Name",
        "#a >> b",
        "//h1",
        "h1:visible",
        "li:has-text(\"A\")",
        "a:hover",
        "nth=0",
        "xpath=//h1",
        "li::marker",
    ] {
        assert_eq!(code(&json!({"x": {"selector": selector}})), "selectors_unsupported", "{selector}");
    }
    assert_eq!(code(&json!({"x": "li["})), "invalid_selector");
    assert_eq!(code(&json!({"x": {"selector": "li", "type": "attr"}})), "invalid_argument");
    assert_eq!(code(&json!({"x": {"selector": "li", "kind": "text"}})), "invalid_argument");
    assert_eq!(code(&json!([])), "invalid_argument");
    assert_eq!(code(&json!({"x": format!("{}a{}", ":not(".repeat(5000), ")".repeat(5000))})), "invalid_selector");
}
