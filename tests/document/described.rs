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

/// Rows of cards; `look` is what utility classes say of the elements in them.
fn cards(look: &str) -> String {
    let card = |at: usize| {
        format!(
            "<li class='product {look}'><div class='{look}'><div class='{look}'><div class='{look}'><div class='{look}'>\
             <a class='name {look}' href='/p/{at}'>Widget no. {}</a><div class='{look}'><span class='price {look}'>${at}.50</span></div>\
             <p class='tagline {look}'>Made of {at} parts by hand in town</p></div></div></div></div></li>",
            ["one", "two", "three", "four", "five", "six"][at - 1]
        )
    };
    format!("<h1>Products</h1><ul class=products>{}</ul>", (1..=6).map(card).collect::<String>())
}

#[test]
fn classes_of_any_letters_and_length_only_tell_places_apart() {
    let asked = json!({"products": "products with name, price as number, tagline and link"});
    let schema = Schema::parse(&asked).unwrap();
    let found = |look: &str| extract(&cards(look), None, &schema).unwrap();
    let plain = found("box");
    let first =
        json!({"name": "Widget no. one", "price": 1.5, "tagline": "Made of 1 parts by hand in town", "link": "/p/1"});
    assert_eq!(plain.data["products"][0], first);
    assert_eq!(plain.data["products"].as_array().map(Vec::len), Some(6));
    let long = (0..10).map(|at| format!("supports-backdrop-blur:tone-{at}")).collect::<Vec<_>>().join(" ");
    for look in ["w-1/2 bg-black/60", "@md:flex x@href", "[&>li]:p-2 a>b", "row#2 py-1.5", "x/part1 y/before", &long] {
        let found = found(look);
        assert_eq!(found.data, plain.data, "{look}");
        assert_eq!(found.missing, plain.missing, "{look}");
    }
}

/// What nothing labels is found in boxes of any class.
#[test]
fn a_fraction_in_a_class_hides_no_name() {
    let schema = Schema::parse(&json!({"events": "events with name and venue"})).unwrap();
    let row = |(song, hall): (char, char)| {
        format!(
            "<li class=event><div class='w-1/2'><span class=a>Song {song}</span><span class=b>by me</span></div>\
             <div class='w-1/2 q'><b class=venue>Hall {hall}</b></div></li>"
        )
    };
    let rows: String = "ABCD".chars().zip("EFGH".chars()).map(row).collect();
    let found = extract(&format!("<h1>Events</h1><ul class=events>{rows}</ul>"), None, &schema).unwrap();
    assert_eq!(found.data["events"][3], json!({"name": "Song D", "venue": "Hall H"}));
}

/// A label that looks like a place among the parts of a text.
#[test]
fn labels_of_a_page_are_only_labels() {
    let label = format!("Kind of a building/after{}", usize::MAX);
    let row =
        |at: usize| format!("<li class=order><p>{label}: house | No: {at}</p><b data-x@href=/{at}>A-{at}</b></li>");
    timed("a label", &format!("<ul class=orders>{}</ul>", (1..=5).map(row).collect::<String>()));
}

#[test]
fn many_rows_and_many_lists_come_to_an_end() {
    // Rows with one part each, but for the last.
    let row =
        |at: usize| format!("<div class=order>{}</div>", "<p class=dish><b>A</b><i>x</i></p>".repeat(1 + at / 999));
    timed("parts of rows", &format!("<div>{}</div>", (0..1_000).map(row).collect::<String>()));
    let kinds = ["orders", "products", "events", "people", "books", "jobs"];
    let list = |at: usize| {
        let kind = kinds[at % kinds.len()];
        (format!("{kind}{at}"), json!(format!("{kind} with name, price, date and status")))
    };
    let schema = Schema::parse(&serde_json::Value::Object((0..12).map(list).collect())).unwrap();
    let rows = "<li><a href=/1>A</a> <b>$1</b> <i>open</i></li>".repeat(3);
    let found = extract(&format!("<ul class=orders>{rows}</ul>").repeat(40), None, &schema).unwrap();
    assert_eq!(found.data.len() + found.missing.iter().filter(|name| !name.contains('[')).count(), 12);
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
