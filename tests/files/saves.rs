//! One file, saved in every way that editors have.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::Desk;

#[test]
fn a_file_written_in_place_is_told_once() {
    let mut desk = Desk::new();
    desk.write("a.rhai", "second");
    desk.tells("a.rhai", "second");
    desk.nothing_more();
}

#[test]
fn a_file_written_piece_by_piece_is_told_once_whole() {
    let mut desk = Desk::new();
    let mut file = std::fs::File::create(desk.at("a.rhai")).unwrap();
    for piece in ["one ", "two ", "three"] {
        file.write_all(piece.as_bytes()).unwrap();
        file.sync_all().unwrap();
    }
    drop(file);
    desk.tells("a.rhai", "one two three");
    desk.nothing_more();
}

#[test]
fn a_new_file_renamed_over_it_is_told_once() {
    let mut desk = Desk::new();
    desk.write(".a.rhai.tmp", "second");
    desk.rename(".a.rhai.tmp", "a.rhai");
    desk.tells("a.rhai", "second");
    // The inode is another one now.
    desk.write("a.rhai", "third");
    desk.tells("a.rhai", "third");
    desk.nothing_more();
}

#[test]
fn a_backup_and_then_a_new_file_is_told_once() {
    let mut desk = Desk::new();
    desk.rename("a.rhai", "a.rhai~");
    desk.write("a.rhai", "second");
    std::fs::remove_file(desk.at("a.rhai~")).unwrap();
    desk.tells("a.rhai", "second");
    desk.nothing_more();
}

#[test]
fn a_file_deleted_and_made_again_is_told_once() {
    let mut desk = Desk::new();
    std::fs::remove_file(desk.at("a.rhai")).unwrap();
    desk.write("a.rhai", "second");
    desk.tells("a.rhai", "second");
    desk.nothing_more();
}

#[test]
fn what_leaves_the_contents_alone_is_not_told() {
    let mut desk = Desk::new();
    let file = std::fs::File::options().append(true).open(desk.at("a.rhai")).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    std::fs::set_permissions(desk.at("a.rhai"), std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.write("a.rhai", "first");
    desk.write("b.rhai", "somebody else's");
    desk.nothing_more();
}

#[test]
fn a_file_that_goes_is_told_once_and_again_when_it_is_back() {
    let mut desk = Desk::new();
    std::fs::remove_file(desk.at("a.rhai")).unwrap();
    assert_eq!(desk.changed(), ["a.rhai"]);
    desk.nothing_more();
    desk.write("a.rhai", "first");
    desk.tells("a.rhai", "first");
    desk.nothing_more();
}

#[test]
fn what_was_read_meanwhile_counts_as_told() {
    let mut desk = Desk::new();
    desk.write("a.rhai", "second");
    let file = desk.at("a.rhai");
    assert_eq!(desk.watch.read(&file).unwrap(), b"second");
    desk.nothing_more();
}

#[test]
fn a_change_before_anybody_listens_is_not_lost() {
    let mut desk = Desk::new();
    let file = desk.at("a.rhai");
    for text in ["second", "third"] {
        desk.write("a.rhai", text);
        // Following the same file again does not make its contents told.
        desk.watch.follow([file.clone(), desk.at("last.rhai")]).unwrap();
    }
    desk.tells("a.rhai", "third");
    desk.nothing_more();
}

#[test]
fn a_hundred_quick_saves_end_with_the_last() {
    let mut desk = Desk::new();
    let file = desk.at("a.rhai");
    let saving = std::thread::spawn(move || {
        for number in 1..=100 {
            std::fs::write(&file, format!("save {number}")).unwrap();
        }
    });
    assert_eq!(desk.changed(), ["a.rhai"]);
    saving.join().unwrap();
    // Where the machine was slow one was told in between; whatever is told together with this one is the last.
    desk.write("last.rhai", "saved");
    while !desk.changed().contains(&"last.rhai".to_owned()) {}
    assert_eq!(desk.watch.read(&desk.at("a.rhai")).unwrap(), b"save 100");
    desk.nothing_more();
}

#[test]
fn a_burst_that_never_calms_is_told_all_the_same() {
    let mut desk = Desk::new();
    let file = desk.at("a.rhai");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let saving = std::thread::spawn(move || {
        let mut number = 0;
        // Far more often than it would have to be quiet.
        while stopped.recv_timeout(std::time::Duration::from_millis(5)).is_err() {
            number += 1;
            std::fs::write(&file, format!("save {number}")).unwrap();
        }
    });
    for _ in 0..3 {
        assert_eq!(desk.changed(), ["a.rhai"]);
    }
    stop.send(()).unwrap();
    saving.join().unwrap();
}
