//! `rhaven new`: the script that it writes runs as it stands.

use crate::home::{Home, said};

#[test]
fn the_starter_is_right_and_runs_as_it_stands() {
    let home = Home::new();
    let said_new = home.rhaven(&["new", "shop/orders"]).ends(0).tells("rhaven run shop/orders.rhai");
    assert_eq!(said_new.out, "shop/orders.rhai\n");
    let text = std::fs::read_to_string(home.path().join("shop/orders.rhai")).expect("the script");
    assert!(text.contains("rhaven run shop/orders.rhai") && !text.contains("SCRIPT"), "{text}");
    home.rhaven(&["check", "shop/orders.rhai"]).ends(0).tells("1 file: no problem found");
    let base = format!("base={}", home.site());
    let run = |more: &[&str]| home.rhaven(&[&["run", "shop/orders.rhai", "--arg", &base], more].concat()).ends(0);
    let first = run(&[]).tells("saved v1").tells("of 10 orders are open");
    let orders = first.json();
    let orders = orders.as_array().expect("a list");
    assert!(!orders.is_empty());
    for order in orders {
        assert_eq!(order["status"], "open");
        assert!(
            order["total"].is_f64() && order["link"].as_str().is_some_and(|link| link.starts_with(home.site())),
            "{order}"
        );
    }
    let logins = home.visits()["/login"].clone();
    let shipped = run(&["--arg", "status=shipped"]).tells("restored v1").json();
    assert_eq!(shipped[0]["status"], "shipped");
    assert_eq!(home.visits()["/login"], logins, "the second run signed in again");
}

#[test]
fn nothing_is_overwritten_and_nothing_else_is_written() {
    let home = Home::new();
    home.write("mine.rhai", "1");
    home.rhaven(&["new", "mine"]).ends(1).tells("error[file_exists]").tells("give another name");
    assert_eq!(std::fs::read_to_string(home.path().join("mine.rhai")).expect("the script"), "1");
    home.rhaven(&["new", "other.rhai", "--quiet"]).ends(0);
    let mut names: Vec<String> = std::fs::read_dir(home.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["mine.rhai", "other.rhai"]);
    home.rhaven(&["new", "shop/"]).ends(1).tells("a file's name is wanted");
    let json = home.rhaven(&["new", "third", "--json"]).ends(0).json();
    assert_eq!(json["path"], "third.rhai");
}

#[test]
fn an_unset_secret_of_the_starter_is_told_by_the_check() {
    let home = Home::new();
    home.rhaven(&["new", "a"]).ends(0);
    let mut command = home.command(&["check", "a.rhai"]);
    said(command.env_remove("RHAVEN_SECRET_PRACTICE_PASSWORD")).ends(2).tells("secret_not_set");
}
