//! Every way in which a script can take too much, and every way in which it is stopped.

use std::time::{Duration, Instant};

use rhaven::run::{Event, FailureKind};

use super::rig::script;

#[tokio::test]
async fn limits_are_named() {
    let check = async |text: &str, part: &str| {
        let failure = script(text)
            .limits(|limits| {
                limits.operations = 50_000;
                limits.string_bytes = 1_000;
                limits.array_len = 100;
                limits.map_len = 100;
                limits.emitted_bytes = 100;
                limits.call_depth = 20;
            })
            .failure()
            .await;
        assert_eq!(failure.code, "limit_exceeded", "{text}: {}", failure.message);
        assert!(failure.message.contains(part), "{text}: {}", failure.message);
    };
    check("loop { }", "operations (50000)").await;
    check("fn f(n) { f(n + 1) } f(0)", "nested calls (20)").await;
    check("let s = \"x\"; loop { s += s; }", "string").await;
    check("let a = []; loop { a.push(1); }", "array").await;
    check("loop { emit(\"0123456789\"); }", "100 bytes").await;
    check("try { loop { emit(\"0123456789\"); } } catch { }", "100 bytes").await;
}

#[tokio::test]
async fn deep_recursion_within_the_limits_has_the_stack_for_it() {
    let text = "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(60)";
    assert_eq!(script(text).result().await, 60);
}

#[tokio::test]
async fn the_runs_time_ends_loops_and_waits_and_cannot_be_caught() {
    for text in ["loop { }", "sleep(\"1h\")", "loop { try { sleep(\"1h\") } catch { } }", "retry(9, || sleep(\"1h\"))"]
    {
        let started = Instant::now();
        let failure = script(text).limits(|limits| limits.wall_time = Duration::from_millis(50)).failure().await;
        assert_eq!((failure.code.as_str(), failure.kind), ("run_timeout", FailureKind::Script), "{text}");
        assert_eq!(failure.message, "the run took longer than 50 ms");
        assert!(started.elapsed() < Duration::from_secs(5), "{text} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn cancelling_stops_a_script_wherever_it_is() {
    for text in
        ["print(\"on\"); loop { }", "print(\"on\"); sleep(\"1h\")", "print(\"on\"); try { sleep(\"1h\") } catch { }"]
    {
        let script = script(text);
        let cancel = script.cancel.clone();
        let failure = script
            .on_event(move |event| {
                if matches!(event, Event::Print { .. }) {
                    cancel.cancel();
                }
            })
            .failure()
            .await;
        assert_eq!((failure.code.as_str(), failure.kind), ("cancelled", FailureKind::Interrupted), "{text}");
    }
}

#[tokio::test]
async fn a_dropped_run_stops_its_script() {
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let script = script("loop { print(1); sleep(1); }").on_event(move |_| {
        // Nobody listens any more once the test has what it wanted.
        let _ = sender.send(());
    });
    tokio::select! {
        _ = script.run() => panic!("it ended by itself"),
        Some(()) = told.recv() => {}
    }
    // The sender goes when the script's thread ends.
    while told.recv().await.is_some() {}
}
