//! Tables of documents.

use rhaven::document::{Table, tables};
use serde_json::{Value, json};

use super::base;

fn read(html: &str) -> Vec<Table> {
    tables(html, &base()).unwrap()
}

fn rows(html: &str) -> Value {
    let found = read(html);
    assert_eq!(found.len(), 1, "{found:?}");
    json!(found[0].rows)
}

fn page(name: &str) -> Vec<Table> {
    read(&std::fs::read_to_string(format!("tests/document/corpus/{name}.html")).unwrap())
}

#[test]
fn headers_are_found_where_people_put_them() {
    let wanted = json!([{"Name": "Ada", "Age": "36"}, {"Name": "Alan", "Age": "41"}]);
    let body = "<tr><td>Ada<td>36<tr><td>Alan<td>41";
    for head in [
        "<thead><tr><th>Name<th>Age</thead><tbody>",
        "<thead><tr><td>Name<td>Age</thead><tbody>",
        "<tr><th>Name<th>Age",
        "<tr><td><b>Name</b><td><b>Age</b>",
        "<tr><td>Name<td>Age",
    ] {
        assert_eq!(rows(&format!("<table>{head}{body}</table>")), wanted, "{head}");
    }
}

#[test]
fn spans_are_filled_in() {
    let html = "<table><tr><th rowspan=2>City<th colspan=2>2024<th>Note<tr><th>Q1<th>Q2<th>\
                <tr><td rowspan=2>Bern<td>1<td>2<td>a<tr><td colspan=2>3<td>b</table>";
    let wanted = json!([
        {"City": "Bern", "2024 Q1": "1", "2024 Q2": "2", "Note": "a"},
        {"City": "Bern", "2024 Q1": "3", "2024 Q2": "3", "Note": "b"},
    ]);
    assert_eq!(rows(html), wanted);
}

#[test]
fn pairs_with_headers_are_one_row() {
    let html = "<table><tr><th>Weight<td>1 kg<tr><th>Size<td>2 m<tr><th>Size<td>3 m</table>";
    assert_eq!(rows(html), json!([{"Weight": "1 kg", "Size": "2 m", "Size_2": "3 m"}]));
}

#[test]
fn without_headers_rows_are_lists() {
    let html = "<table><tr><td>Widcombe School<td>0.3 miles<tr><td>Canal path<td>50 yards</table>";
    assert_eq!(rows(html), json!([["Widcombe School", "0.3 miles"], ["Canal path", "50 yards"]]));
}

#[test]
fn tables_that_arrange_a_page_are_none_and_those_in_them_are() {
    let found = page("10-spec-table");
    let names: Vec<_> =
        found.iter().map(|table| (table.heading.as_deref(), table.headers.len(), table.rows.len())).collect();
    assert_eq!(names, [(Some("Technical data"), 0, 14), (Some("Compare"), 4, 2)]);
    assert_eq!(
        json!(found[1].rows[0]),
        json!({"column_1": "Weight", "K12": "0.98 kg", "K14": "1.24 kg", "K16": "1.71 kg"})
    );
}

#[test]
fn tables_by_role_and_their_names() {
    let found = page("19-departures-grid");
    assert_eq!(found[0].caption.as_deref(), Some("Departures"));
    assert_eq!(found[0].headers, ["Time", "Flight", "Destination", "Gate", "Remarks"]);
    assert_eq!(
        json!(found[0].rows[3]),
        json!({"Time": "15:45", "Flight": "BE 1202", "Destination": "London City", "Gate": "", "Remarks": "Gate opens 15:05"})
    );
    let found = page("14-two-tables");
    let headings: Vec<_> = found.iter().filter_map(|table| table.heading.as_deref()).collect();
    assert_eq!(headings, ["Upcoming appointments", "Past appointments", "Opening hours"]);
    let found = page("16-league-table");
    assert_eq!(found[0].caption.as_deref(), Some("First division"));
    assert_eq!(json!(found[0].rows)[2]["Club"], "Pinewood");
}

#[test]
fn hidden_tables_are_not_there() {
    assert!(read("<div style='display:none'><table><tr><th>a<td>b</table></div>").is_empty());
}
