//! Scrolling: one step, or step after step until a list that loads as one scrolls has no more to show.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::base::Deadline;

use super::resolve::{Ask, ask};
use super::verb::{Answer, Result, Verb};
use super::world::{Arg, CallError, Shared};
use super::{PageError, ScrollOptions, Scrolled, Selector};

/// How long nothing may be added at the end before it counts as the end: twice, with a step back and forth between.
const QUIET: Duration = Duration::from_millis(750);
/// How long one call waits for a change at the end.
const WAKE_MS: u64 = 250;
/// What is left of the time for the answer.
const SPARE: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Step {
    moved: i64,
    end: bool,
    size: f64,
    count: u64,
    busy: bool,
}

/// Scrolls.
pub(super) async fn scroll(
    page: &Shared,
    selector: Option<&Selector>,
    options: &ScrollOptions,
    deadline: Deadline,
) -> Result<Scrolled> {
    let mut verb = Verb::new(deadline, "the page to scroll");
    if let Some(selector) = selector {
        verb.log.line(format!("waiting for {:?}", selector.source()));
        verb.missing = format!("an element that matches {:?}", selector.source());
    }
    let main = page.tree().main.clone();
    let work = Box::pin(async {
        if options.until_stable {
            return until_stable(page, &main, selector, options, &mut verb).await;
        }
        let step = step(page, &main, selector, options, false, &mut verb).await?;
        Ok(Scrolled { moved: step.moved, at_end: step.end, stable: false })
    });
    let outcome = page.race(deadline, work).await;
    verb.end(page, outcome).await
}

/// Time being over is no error here: a list without end is read as far as the time allows, and the answer says so.
async fn until_stable(
    page: &Shared,
    frame: &str,
    selector: Option<&Selector>,
    options: &ScrollOptions,
    verb: &mut Verb,
) -> std::result::Result<Scrolled, PageError> {
    let mut done = Scrolled::default();
    let mut last = Step::default();
    let mut grew = Instant::now();
    let mut nudged = false;
    let mut nudge = false;
    while verb.deadline.remaining() > SPARE {
        let now = step(page, frame, selector, options, nudge, verb).await?;
        done.moved += now.moved;
        done.at_end = now.end;
        let has_grown = now.count != last.count || (now.size - last.size).abs() > 0.5;
        // What a nudge moves is taken back by it.
        if has_grown || now.busy || (now.moved != 0 && !nudge) {
            grew = Instant::now();
            nudged = nudged && !has_grown;
        }
        last = now;
        nudge = false;
        if now.moved != 0 && !now.end {
            continue;
        }
        if grew.elapsed() < QUIET {
            wait(page, frame, verb).await?;
        } else if nudged {
            done.stable = true;
            break;
        } else {
            nudge = true;
            nudged = true;
            grew = Instant::now();
        }
    }
    verb.log.line(format!("scrolled by {} px, {} elements", done.moved, last.count));
    Ok(done)
}

/// Waits for a change of the page, or a moment.
async fn wait(page: &Shared, frame: &str, verb: &Verb) -> std::result::Result<(), PageError> {
    let left = verb.deadline.remaining().saturating_sub(SPARE);
    let patience = WAKE_MS.min(u64::try_from(left.as_millis()).unwrap_or(WAKE_MS));
    match page.call(frame, "change", &[Arg::Value(patience.into())]).await {
        Ok(_) | Err(CallError::Lost) => Ok(()),
        Err(CallError::Page(error)) => Err(error),
    }
}

async fn step(
    page: &Shared,
    frame: &str,
    selector: Option<&Selector>,
    options: &ScrollOptions,
    nudge: bool,
    verb: &mut Verb,
) -> std::result::Result<Step, PageError> {
    let wanted = json!({"direction": options.direction.name(), "amount": options.amount, "nudge": nudge});
    let answer: Answer = match selector {
        Some(selector) => {
            let args = [wanted];
            ask(page, frame, selector, verb, &Ask::new("scrollOf", &[], &args)).await?.answer
        }
        None => loop {
            page.settle(frame, verb).await;
            match page.call(frame, "scroll", &[Arg::Value(wanted.clone())]).await {
                Ok(answer) => break read_answer(answer)?,
                Err(CallError::Lost) if page.tree().get(frame).is_some() => verb.log.line("the document was replaced"),
                Err(CallError::Lost) => return Err(PageError::Argument("the frame has gone from its page".into())),
                Err(CallError::Page(error)) => return Err(error),
            }
        },
    };
    Step::deserialize(answer.value).map_err(|error| PageError::JavaScript(error.to_string()))
}

fn read_answer(answer: Value) -> std::result::Result<Answer, PageError> {
    Answer::deserialize(answer).map_err(|error| PageError::JavaScript(error.to_string()))
}
