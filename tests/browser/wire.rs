//! Commands, answers and events.

use chromiumoxide::cdp::browser_protocol::target::EventTargetCreated;
use chromiumoxide::cdp::js_protocol::runtime::{
    EnableParams, EvaluateParams, EventConsoleApiCalled, EventExecutionContextCreated, ExecutionContextId,
};
use chromiumoxide::types::{MethodId, MethodType};
use rhaven::browser::BrowserError;

use super::support::*;

#[tokio::test]
async fn commands_arrive_in_the_order_of_the_calls() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    let cdp = target.cdp();
    evaluate(cdp, "window.seen = [], 1").await;
    let sent: Vec<_> = (0..500).map(|n| cdp.send(EvaluateParams::new(format!("seen.push({n})")))).collect();
    for (n, answer) in sent.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().result.value.unwrap(), n + 1);
    }
    assert_eq!(evaluate(cdp, "seen.every((n, at) => n === at)").await, true);
    end(browser).await;
}

#[tokio::test]
async fn large_messages_travel_both_ways() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    let text = "x".repeat(8_000_000);
    assert_eq!(evaluate(target.cdp(), &format!("'{text}'.length")).await, 8_000_000);
    assert_eq!(evaluate(target.cdp(), "'ž'.repeat(4000000)").await.as_str().unwrap().chars().count(), 4_000_000);
    end(browser).await;
}

#[tokio::test]
async fn an_answer_with_half_a_surrogate_pair_is_understood() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    assert_eq!(evaluate(target.cdp(), "'😀'[0] + '|😀'").await, "\u{fffd}|😀");
    end(browser).await;
}

#[tokio::test]
async fn a_refused_command_names_itself() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    let params = EvaluateParams { context_id: Some(ExecutionContextId::new(987)), ..EvaluateParams::new("1") };
    let error = target.cdp().call(params).await.unwrap_err();
    let BrowserError::Cdp { method, message, .. } = error else { panic!("{error}") };
    assert_eq!(method, "Runtime.evaluate");
    assert!(message.contains("context"), "{message}");
    end(browser).await;
}

/// What `Runtime.consoleAPICalled` is not.
#[derive(Debug, serde::Deserialize)]
struct Misunderstood {
    #[serde(rename = "no such field")]
    _missing: u8,
}

impl MethodType for Misunderstood {
    fn method_id() -> MethodId {
        "Runtime.consoleAPICalled".into()
    }
}

#[tokio::test]
async fn an_event_that_does_not_decode_is_passed_over() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    let cdp = target.cdp();
    let (mut wrong, mut right) = (cdp.events::<Misunderstood>(), cdp.events::<EventConsoleApiCalled>());
    let mut raw = cdp.raw_events(&["Runtime.consoleAPICalled"]);
    cdp.call(EnableParams::default()).await.unwrap();
    evaluate(cdp, "console.log('one'), console.log('two'), 1").await;
    for expected in ["one", "two"] {
        let event = in_time("the event", right.next()).await.unwrap();
        assert_eq!(event.args[0].value.clone().unwrap(), expected);
        let event = in_time("the event", raw.next()).await.unwrap();
        assert_eq!(&*event.method, "Runtime.consoleAPICalled");
        assert!(event.decode::<Misunderstood>().is_none());
    }
    assert!(wrong.try_next().is_none());
    assert_eq!(evaluate(cdp, "3").await, 3);
    end(browser).await;
    assert!(in_time("the end", wrong.next()).await.is_none());
}

#[tokio::test]
async fn events_before_an_answer_are_there_once_it_is() {
    let browser = start().await;
    let (_, target) = tab(&browser).await;
    let mut contexts = target.cdp().events::<EventExecutionContextCreated>();
    target.cdp().call(EnableParams::default()).await.unwrap();
    assert!(contexts.try_next().is_some());
    assert!(browser.cdp().events::<EventTargetCreated>().try_next().is_none());
    end(browser).await;
}
