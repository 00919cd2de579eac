//! Folders that come, go and are replaced, links, and files that are not there yet.

use std::os::unix::fs::symlink;

use crate::support::Desk;

#[test]
fn a_file_that_is_not_there_yet_is_told_when_it_comes() {
    let mut desk = Desk::new();
    desk.follow(&["b.rhai", "lib/deep/c.rhai"]);
    desk.write("b.rhai", "new");
    desk.tells("b.rhai", "new");
    std::fs::create_dir(desk.at("lib")).unwrap();
    std::fs::create_dir(desk.at("lib/deep")).unwrap();
    desk.write("lib/deep/c.rhai", "new");
    desk.tells("lib/deep/c.rhai", "new");
    desk.write("lib/deep/c.rhai", "newer");
    desk.tells("lib/deep/c.rhai", "newer");
    desk.nothing_more();
}

#[test]
fn only_what_is_followed_now_is_told() {
    let mut desk = Desk::new();
    desk.write("b.rhai", "first");
    desk.follow(&["b.rhai"]);
    desk.write("a.rhai", "second");
    desk.write("b.rhai", "second");
    desk.tells("b.rhai", "second");
    desk.follow(&["a.rhai"]);
    desk.write("b.rhai", "third");
    desk.nothing_more();
}

#[test]
fn files_that_change_together_are_told_together() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.at("lib")).unwrap();
    desk.follow(&["a.rhai", "lib/b.rhai"]);
    desk.write("a.rhai", "second");
    desk.write("lib/b.rhai", "second");
    assert_eq!(desk.changed(), ["a.rhai", "lib/b.rhai"]);
    desk.nothing_more();
}

#[test]
fn a_folder_that_is_replaced_is_still_watched() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.at("lib")).unwrap();
    desk.write("lib/a.rhai", "first");
    desk.follow(&["lib/a.rhai"]);
    // As a checkout does it: everything goes, then comes again.
    std::fs::remove_dir_all(desk.at("lib")).unwrap();
    std::fs::create_dir(desk.at("lib")).unwrap();
    desk.write("lib/a.rhai", "second");
    desk.tells("lib/a.rhai", "second");
    desk.write("lib/a.rhai", "third");
    desk.tells("lib/a.rhai", "third");
    // As a deployment does it: the new folder is ready before the old one goes.
    std::fs::create_dir(desk.at("next")).unwrap();
    desk.write("next/a.rhai", "fourth");
    desk.rename("lib", "old");
    desk.rename("next", "lib");
    desk.tells("lib/a.rhai", "fourth");
    desk.write("lib/a.rhai", "fifth");
    desk.tells("lib/a.rhai", "fifth");
    desk.write("old/a.rhai", "nobody's");
    desk.nothing_more();
}

#[test]
fn a_folder_that_goes_for_long_is_seen_when_it_is_back() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.at("lib")).unwrap();
    desk.write("lib/a.rhai", "first");
    desk.follow(&["lib/a.rhai"]);
    std::fs::remove_dir_all(desk.at("lib")).unwrap();
    assert_eq!(desk.changed(), ["lib/a.rhai"]);
    std::fs::create_dir(desk.at("lib")).unwrap();
    desk.write("lib/a.rhai", "first");
    desk.tells("lib/a.rhai", "first");
    desk.write("lib/a.rhai", "second");
    desk.tells("lib/a.rhai", "second");
    desk.nothing_more();
}

#[test]
fn a_linked_file_is_told_when_its_target_changes_and_when_the_link_does() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.at("real")).unwrap();
    desk.write("real/one", "one");
    desk.write("real/two", "two");
    symlink("real/one", desk.at("link.rhai")).unwrap();
    desk.follow(&["link.rhai"]);
    desk.write("real/one", "one more");
    desk.tells("link.rhai", "one more");
    symlink("real/two", desk.at("next")).unwrap();
    desk.rename("next", "link.rhai");
    desk.tells("link.rhai", "two");
    desk.write("real/two", "two more");
    desk.tells("link.rhai", "two more");
    desk.write("real/one", "nobody's");
    desk.nothing_more();
}

#[test]
fn a_linked_folder_is_told_when_the_link_changes() {
    let mut desk = Desk::new();
    for name in ["one", "two"] {
        std::fs::create_dir(desk.at(name)).unwrap();
        desk.write(&format!("{name}/a.rhai"), name);
    }
    symlink("one", desk.at("now")).unwrap();
    desk.follow(&["now/a.rhai"]);
    symlink("two", desk.at("next")).unwrap();
    desk.rename("next", "now");
    desk.tells("now/a.rhai", "two");
    desk.write("two/a.rhai", "two more");
    desk.tells("now/a.rhai", "two more");
    desk.nothing_more();
}
