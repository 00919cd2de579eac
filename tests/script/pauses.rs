//! `pause()`: the dialogue in the middle of a script.

use std::sync::Arc;
use std::time::Duration;

use rhaven::run::{Event, Pauses};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::rig::{Ran, Script, script};
use super::talk::{Talk, quiet, talk};

#[tokio::test]
async fn a_pause_without_anybody_says_so() {
    let ran = script("let a = 1; pause(); a + 1").run().await;
    assert_eq!(ran.report.result, json!(2), "{:?}", ran.report.failure);
    let notices = ran.events.iter().filter(|event| matches!(event, Event::Notice { text } if text == "pause(): nobody is at a terminal; the script goes on"));
    assert_eq!(notices.count(), 1);
    let failure = script("Fn(\"pause\").call()").failure().await;
    assert!(failure.message.contains("written out"), "{failure:?}");
    let mut talk = talk().await;
    assert_eq!(talk.value("fn f() { pause(); 1 } pause(); f()").await, json!(1));
    assert!(format!("{:?}", talk.events.lock().unwrap()).contains("you are in a dialogue already"));
    talk.finish().await;
}

#[tokio::test]
async fn nobody_can_be_asked_where_nobody_is_shown_anything() {
    let failure = script("session(\"a\", #{ live: true }); pause_for_human(\"sign in\")").failure().await;
    assert_eq!(failure.code, "nobody_to_ask", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("rhaven serve")));
}

#[tokio::test]
async fn the_check_knows_pause() {
    let failure = script("paus();").failure().await;
    assert_eq!(failure.hint.as_deref(), Some("did you mean pause?"));
    for text in ["pause(1);", "let pause = 1; sleep(pause);", "let a = pause;"] {
        let report = script(text).run().await.report;
        let failure = report.failure.unwrap_or_else(|| panic!("{text} gave {}", report.result));
        assert_eq!(failure.code, "parse_error", "{text}");
        let told = format!("{} {:?}", failure.message, failure.hint);
        assert!(told.contains("pause"), "{text}: {told}");
    }
    for text in ["pause( ); 1", "let x = 1; if x == 1 { pause() } let y = x; (|| { pause(); y }).call()"] {
        assert_eq!(script(text).result().await, json!(1), "{text}");
    }
}

/// Runs a script whose pauses `talk` is given, one after the other; answers what the run came to.
async fn paused(script: Script, talk: impl AsyncFn(&mut Talk)) -> Ran {
    let (sender, mut pauses) = tokio::sync::mpsc::unbounded_channel();
    let mut script = script;
    script.job.pauses = Pauses(Some(Arc::new(move |dialogue| sender.send(dialogue).unwrap())));
    let mut running = std::pin::pin!(script.run());
    loop {
        let dialogue = tokio::select! {
            ran = &mut running => return ran,
            Some(dialogue) = pauses.recv() => dialogue,
        };
        let mut pause = Talk { dialogue, events: Arc::default(), _script: quiet("") };
        assert!(pause.dialogue.is_pause());
        // The script's own work goes on meanwhile: its deadlines, its verbs.
        tokio::select! {
            ran = &mut running => return ran,
            () = talk(&mut pause) => pause.finish().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_sees_and_changes_the_variables_of_the_script() {
    let text = "import \"m\" as m; const K = 4; let top = 1;\n
        fn helper(x) { x * 10 }
        fn work(a) { let inner = [a]; pause(); [a, inner, f.call(1)] }
        let f = |x| x;
        pause();
        [top, added, f.call(5), K]";
    // The check would refuse names that only a pause defines.
    let text = text.replace("[a, inner, f.call(1)]", "[a, inner]").replace("added, ", "");
    let text = text.replace("pause();\n        [top", "pause();\n        let worked = work(7);\n        [worked, top");
    let number = std::sync::atomic::AtomicUsize::new(0);
    let script =
        quiet(&text).file("m.rhai", "fn f() { 3 }").limits(|limits| limits.wall_time = Duration::from_millis(1500));
    let ran = Box::pin(paused(script, async |pause| {
        if number.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            assert_eq!(pause.value("[top, helper(2), m::f(), global::K]").await, json!([1, 20, 3, 4]));
            pause.value("top += 1; let extra = 5; f = |x| helper(x) + extra; fn helper(x) { x * 100 }").await;
            let names: Vec<String> =
                pause.dialogue.variables().await.into_iter().map(|variable| variable.name).collect();
            assert_eq!(names, ["K", "top", "f", "extra"]);
            pause.value("top = 50;").await;
            assert!(pause.dialogue.undo().await);
            assert_eq!(pause.value("top").await, json!(2));
            let failure = pause.failure("missing").await;
            assert_eq!(failure.code, "unknown_variable");
            // Longer than the run may take: time in a pause does not count.
            pause.value("sleep(2000)").await;
        } else {
            assert_eq!(pause.value("[a, inner]").await, json!([7, [7]]));
            pause.value("inner.push(8); a = 9;").await;
        }
    }))
    .await;
    assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
    assert_eq!(ran.report.result, json!([[9, [7, 8]], 2, 505, 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_in_a_pause_stops_that_input_only() {
    let ran = Box::pin(paused(quiet("let a = 1; try { pause(); } catch { a = 100; } a"), async |pause| {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let turn = pause.dialogue.say("loop { }", cancel).await;
        assert_eq!(turn.failure.unwrap().code, "cancelled");
        pause.failure("throw 1").await;
        pause.value("a += 1; exit(5);").await;
    }))
    .await;
    assert_eq!(ran.report.result, json!(2), "{:?}", ran.report.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_the_run_ends_its_pause() {
    for text in ["loop { }", "sleep(\"1h\")", ""] {
        let script = quiet("print(1); pause(); print(2);");
        let cancel = script.cancel.clone();
        let ran = Box::pin(paused(script, async |pause| {
            cancel.cancel();
            let turn = pause.say(text).await;
            // The pause is over; whoever holds the dialogue still hears so.
            assert!(turn.failure.is_some_and(|failure| failure.code == "cancelled") || text.is_empty());
            while pause.say("1").await.failure.is_none() {}
        }))
        .await;
        assert_eq!(ran.report.failure.as_ref().unwrap().code, "cancelled");
        assert_eq!(ran.events.iter().filter(|event| matches!(event, Event::Print { .. })).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_pause_lets_the_script_go_on() {
    let mut script = quiet("let n = 0; for i in 0..3 { pause(); n += 1; } n");
    script.job.pauses = Pauses(Some(Arc::new(drop)));
    assert_eq!(script.result().await, json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_whose_script_was_stopped_is_over_and_nothing_of_the_script_runs_after_it() {
    // Stopped from outside: whoever talks learns of it.
    let script = quiet("pause(); print(\"went on\")").limits(|limits| limits.wall_time = Duration::from_mins(1));
    let (sender, mut pauses) = tokio::sync::mpsc::unbounded_channel();
    let mut script = script;
    script.job.pauses = Pauses(Some(Arc::new(move |dialogue| sender.send(dialogue).unwrap())));
    let cancel = CancellationToken::new();
    let running = rhaven::run::run(script.job.clone(), cancel.clone(), |_| {});
    let talking = async {
        let dialogue = pauses.recv().await.unwrap();
        cancel.cancel();
        dialogue.ended().await;
    };
    let (report, ()) = tokio::join!(running, talking);
    assert_eq!(report.failure.map(|failure| failure.code).as_deref(), Some("cancelled"));
    // Left by whoever talks, without a word to the run.
    let printed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = printed.clone();
    let running = rhaven::run::run(script.job.clone(), CancellationToken::new(), move |event| {
        seen.fetch_or(matches!(event, Event::Print { .. }), std::sync::atomic::Ordering::Relaxed);
    });
    let (report, ()) = tokio::join!(running, async { pauses.recv().await.unwrap().abandon() });
    assert_eq!(report.failure.map(|failure| failure.code).as_deref(), Some("cancelled"));
    assert!(!printed.load(std::sync::atomic::Ordering::Relaxed), "the script went on");
}

#[tokio::test]
async fn pause_is_the_name_of_nothing_else() {
    for text in ["let x = #{}; x.pause", "let x = #{}; x.pause = 1;", "let x = 1; x.pause()"] {
        let failure = script(text).failure().await;
        assert_eq!(failure.code, "parse_error", "{text}: {failure:?}");
    }
}
