//! What a killed run leaves, as the command line shows it: told of, taken up by the next run or by hand, or dropped.

use rhaven::store::{Records as _, SqliteStore};
use rustix::process::Signal;

use crate::home::{Home, Running};

/// Changes something and goes on for ever.
const GOES_ON: &str = "\
session(\"acme\");
goto(args.base + \"/form\");
evaluate(\"localStorage.setItem('n', 'left')\");
emit(\"written\");
sleep(\"1m\");
";

const READS: &str = "\
session(\"acme\");
goto(args.base + \"/form\");
evaluate(\"localStorage.getItem('n')\")
";

/// A run that is killed once there is a checkpoint of it.
fn killed(home: &Home) {
    let mut run = Running::start(&mut home.run_command(GOES_ON, &[]));
    assert_eq!(run.line(), "\"written\"");
    let store = SqliteStore::open(&home.path().join("rhaven/store")).expect("the store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let is_kept = || {
        let all = runtime.block_on(store.all(None, 10)).expect("the sessions");
        all.iter().any(|kept| kept.checkpoint.is_some())
    };
    while !is_kept() {
        std::thread::yield_now();
    }
    run.signal(Signal::KILL);
    run.end();
}

#[test]
fn what_a_killed_run_left_is_told_of_and_taken_up_or_dropped() {
    let home = Home::new();
    home.rhaven(&["session", "recover", "acme"]).ends(1).tells("there is no session acme");
    killed(&home);
    home.rhaven(&["session", "show", "acme"]).ends(1).tells("rhaven session recover acme");
    let by_hand = home.rhaven(&["session", "recover", "acme"]).ends(0).tells("they are v1 now");
    assert!(by_hand.err.contains("localStorage n added"), "{}", by_hand.err);
    home.rhaven(&["session", "recover", "acme"]).ends(0).tells("nothing was left of it");

    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0);
    killed(&home);
    let next = home.run(READS, &[]).ends(0).tells("left changes from").tells("session acme: recovered v1, unchanged");
    assert_eq!(next.out.trim(), "\"left\"");

    home.run(&READS.replace("getItem('n')", "setItem('n', 'saved')"), &[]).ends(0);
    killed(&home);
    let shown = home.rhaven(&["session", "show", "acme"]).ends(0).out;
    assert!(shown.contains("not a version yet") && shown.contains("ended without saving"), "{shown}");
    home.rhaven(&["session", "recover", "acme", "--discard"]).ends(1).tells("--yes");
    home.rhaven(&["session", "recover", "acme", "--discard", "--yes"]).ends(0).tells("dropped");
    assert_eq!(home.run(READS, &[]).ends(0).out.trim(), "\"saved\"");
}

#[test]
fn a_listing_and_the_doctor_tell_of_the_outbox() {
    let home = Home::new();
    home.run(READS, &[]).ends(0);
    let outbox = home.path().join("rhaven/outbox");
    std::fs::create_dir_all(&outbox).expect("a folder");
    std::fs::write(outbox.join("ab-cd-01.sealed"), b"of another store").expect("a file");
    let doctor = home.rhaven(&["doctor"]).out;
    assert!(doctor.contains("1 state(s) that could not be saved wait in"), "{doctor}");
    // Not of this tenant.
    let list = home.rhaven(&["session", "list"]).ends(0);
    assert!(!list.err.contains("wait in"), "{}", list.err);
}
