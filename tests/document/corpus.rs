//! The corpus for extraction by description is whole: each page has its answer, in the shape that its README tells.

use std::fs;
use std::path::Path;

use serde_json::Value;

const FOLDER: &str = "tests/document/corpus";

#[test]
fn each_page_has_its_answer() {
    let mut names: Vec<String> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "html"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 20);
    for name in names {
        let answer = fs::read_to_string(format!("{FOLDER}/{}", name.replace(".html", ".json"))).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let keys = |part: &str| answer[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys("schema"), keys("expected"), "{name}");
        assert!(url::Url::parse(answer["url"].as_str().unwrap()).is_ok(), "{name}");
    }
}
