//! Structured data of documents.

use rhaven::document::{StructuredData, structured_data};
use serde_json::json;

use super::base;

fn read(html: &str) -> StructuredData {
    structured_data(html, &base()).unwrap()
}

fn page(name: &str) -> StructuredData {
    read(&std::fs::read_to_string(format!("tests/document/corpus/{name}.html")).unwrap())
}

#[test]
fn json_ld_is_one_list_of_nodes() {
    let found = page("02-product-json-ld");
    let types: Vec<_> = found.json_ld.iter().map(|node| node["@type"].as_str().unwrap()).collect();
    assert_eq!(types, ["BreadcrumbList", "Product"]);
    assert_eq!(found.json_ld[1]["offers"]["price"], "149.95");
    let graph = page("05-event-schedule");
    let names: Vec<_> = graph.json_ld.iter().map(|node| node["@type"].as_str().unwrap()).collect();
    assert_eq!(names, ["Organization", "WebSite", "Event"]);
    assert!(graph.json_ld.iter().all(|node| node["@context"] == "https://schema.org"));
}

#[test]
fn json_ld_as_it_stands_in_pages() {
    let html = "<script type='application/ld+json'><!-- {\"a\": 1} --></script>\
                <script type='application/ld+json; charset=utf-8'>[{\"b\": \"two\nlines\"}];</script>\
                <script type='application/ld+json'>{broken</script><script type='application/json'>{\"no\": 1}</script>";
    let found = read(html);
    assert_eq!(json!(found.json_ld), json!([{"a": 1}, {"b": "two lines"}]));
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
}

#[test]
fn microdata_nests_and_refers() {
    let found = page("06-recipe-microdata");
    let recipe = &found.microdata[0];
    assert_eq!(recipe["type"], json!(["https://schema.org/Recipe"]));
    assert_eq!(recipe["properties"]["author"][0]["properties"]["name"], json!(["Milena Brandt"]));
    assert_eq!(recipe["properties"]["prepTime"], json!(["PT40M"]));
    assert_eq!(recipe["properties"]["image"], json!(["https://example.com/img/plum-dumplings.jpg"]));
    assert_eq!(recipe["properties"]["recipeIngredient"].as_array().unwrap().len(), 6);
    let html = "<div itemscope itemref='more self' id=self><meta itemprop=price content='9.5'><div itemprop='offer extra' itemscope>\
                <link itemprop=url href='/o'></div></div><p id=more><b itemprop=name>Late</b></p>";
    let wanted = json!([{"properties": {
        "name": ["Late"],
        "price": ["9.5"],
        "offer": [{"properties": {"url": ["https://example.com/o"]}}],
        "extra": [{"properties": {"url": ["https://example.com/o"]}}],
    }}]);
    assert_eq!(json!(read(html).microdata), wanted);
}

#[test]
fn items_that_refer_to_each_other_end() {
    let html = "<div id=a itemscope itemref=b></div><div id=b itemprop=x itemscope itemref=c></div>\
                <div id=c itemprop=y itemscope itemref=b></div>";
    assert!(!read(html).microdata.is_empty());
    let many = (0..40)
        .map(|n| format!("<div id=i{n} itemprop=p itemscope itemref='i{} i{}'></div>", n + 1, n + 2))
        .collect::<Vec<_>>()
        .concat();
    let found = read(&format!("<div itemscope itemref='i0 i1'></div>{many}"));
    assert_eq!(found.microdata.len(), 1);
}

#[test]
fn what_the_head_says() {
    let html = "<html lang=en><head><title> A  title </title><link rel='canonical' href='/c'><meta name=description content=D>\
                <meta property='og:title' content='O'><meta property='og:image' content='/1.png'><meta property='og:image' content='/2.png'>\
                <meta name='twitter:card' content=summary><meta name=viewport content=x></head><svg><title>no</title></svg>";
    let found = read(html);
    assert_eq!(
        json!(found.meta),
        json!({"lang": "en", "title": "A title", "canonical": "https://example.com/c", "description": "D"})
    );
    let images = json!(["https://example.com/1.png", "https://example.com/2.png"]);
    assert_eq!(json!(found.open_graph), json!({"title": "O", "image": images}));
    assert_eq!(json!(found.twitter), json!({"card": "summary"}));
}
