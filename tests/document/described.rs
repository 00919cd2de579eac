//! Extraction by description on pages that mean no good, and on any text at all: it ends, and says the same twice.

use proptest::prelude::*;
use rhaven::document::heuristic::{Schema, extract};
use serde_json::json;

fn schema() -> Schema {
    let schema = json!({
        "orders": "array of recent order IDs, dates and statuses",
        "products": "products with name, price as number, list of tags and link",
        "title": "title of the page",
        "price": "price as number",
        "phone": "phone number",
        "open": "whether it is open"
    });
    Schema::parse(&schema).unwrap()
}

/// How long it took, for people who run it by hand.
fn timed(name: &str, html: &str) {
    let began = std::time::Instant::now();
    let found = extract(html, None, &schema()).unwrap();
    println!("{name:20} {:8} bytes {:6} ms, {} found", html.len(), began.elapsed().as_millis(), found.data.len());
}

#[test]
fn hostile_pages_come_to_an_end() {
    timed("deep", &"<div class=order>x".repeat(6_000));
    timed("deep spans", &"<span class=price>$1 ".repeat(6_000));
    timed("wide", &format!("<ul>{}</ul>", "<li class=order><a href=/1>A-1</a> <b>open</b>".repeat(300)));
    timed("pairs in pairs", &nested_pairs(8));
    timed("definitions", &format!("<dl>{}</dl>", "<dt>price".repeat(6_000)));
    timed("labels", &"<label for=x>price</label>".repeat(400));
    timed("many tables", &"<table><tr><th>Order<th>Status<tr><td>A-1<td>open</table>".repeat(200));
    timed("nested tables", &"<table><tr><th>Order<th>Status<tr><td>".repeat(100));
    timed("classes", &format!("<p class='{}'>x", "price ".repeat(5_000)));
    timed(
        "wide spans",
        &format!("<table><tr><th>a<th>b<tr>{}</table>", "<td colspan=999999999 rowspan=99999999>1".repeat(5_000)),
    );
    timed("one long text", &"price: $1 | ".repeat(20_000));
    timed("linked", &format!("<script type=application/ld+json>{}{}</script>", "[".repeat(10_000), "]".repeat(10_000)));
    let things =
        (0..400).map(|at| format!(r#"{{"@type":"Order","orderNumber":"A-{at}","k{at}":{at}}}"#)).collect::<Vec<_>>();
    timed("linked things", &format!("<script type=application/ld+json>[{}]</script>", things.join(",")));
    timed("different kinds", &{
        let kinds = (0..400).map(|at| format!(r#"{{"@type":"T{at}","name":"x"}}"#)).collect::<Vec<_>>();
        format!("<script type=application/ld+json>[{}]</script>", kinds.join(","))
    });
}

fn nested_pairs(depth: usize) -> String {
    (0..depth).fold("<b class=price>$1</b>".to_owned(), |inner, _| {
        format!("<div class=order>{inner}</div><div class=order>{inner}</div>")
    })
}

/// Pieces that pages are made of, put together in any way.
fn page() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<table><tr><th>Order</th><th rowspan=3>Status</th></tr>".to_owned()),
        Just("<tr><td>A-1</td><td colspan=2>open</td></tr>".to_owned()),
        Just("</table>".to_owned()),
        Just("<ul class=orders><li class='order x'>".to_owned()),
        Just("<li class=order><b>Price:</b> $5 | 3 items".to_owned()),
        Just("</ul></div></li>".to_owned()),
        Just("<dl><dt>Price<dd>1.234,50 €<dd>".to_owned()),
        Just("<div class=product itemscope><h3 itemprop=name>ünï…</h3><a href='//x'>".to_owned()),
        Just("<script type=application/ld+json>{\"@type\":\"Product\",\"offers\":[{\"price\":1}]}</script>".to_owned()),
        Just("<details><summary>Why?</summary>Because.".to_owned()),
        Just("<label>Phone <input value='+1 555 0100'></label><fieldset><legend>x".to_owned()),
        Just("<time datetime=2026-01-01>1.1.2026</time>".to_owned()),
        "\\PC{0,40}",
        "<[a-z]{1,8} [a-z]{1,8}=\"\\PC{0,20}\">",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_page_gives_one_answer(html in page()) {
        let first = extract(&html, None, &schema()).unwrap();
        prop_assert_eq!(first, extract(&html, None, &schema()).unwrap());
    }

    #[test]
    fn any_description_is_read(name in "\\PC{0,20}", description in "\\PC{0,200}") {
        if let Ok(schema) = Schema::parse(&json!({ name: description })) {
            extract("<h1>Price</h1><ul><li>a<li>b</ul><table><tr><th>x<th>y<tr><td>1<td>2</table>", None, &schema).unwrap();
        }
    }

    #[test]
    fn descriptions_of_known_words_are_read(words in prop::collection::vec(prop::sample::select(vec![
        "array", "list", "of", "with", "and", ",", "(", ")", ":", "each", "all", "the", "order", "IDs", "prices", "as", "number",
        "date", "url", "first", "5", "for", "or", "number", "name", "tags", "whether", "is", "YYYY-MM-DD", ".", "items",
    ]), 0..14)) {
        let description = words.join(" ");
        let schema = Schema::parse(&json!({ "orders": description.clone(), "x": [description] })).unwrap();
        extract("<h1>Orders</h1><ul><li>a<li>b</ul><table><tr><th>ID<th>Name<tr><td>1<td>2</table>", None, &schema).unwrap();
    }
}
