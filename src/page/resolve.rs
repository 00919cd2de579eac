//! The one loop of all verbs that need elements: ask the injected code, step into frames, bring in roles and closed shadow
//! roots when it asks for them, log, and ask again until the deadline (which the caller enforces).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::browser::BrowserError;

use super::PageError;
use super::rpc::{Described, rpc};
use super::selector::{Selector, SelectorError, Step};
use super::verb::{Answer, Verb};
use super::world::{Arg, CallError, Shared};

/// How long one call stays in the page, waking at every change, before Rust looks at the whole again.
const PATIENCE: Duration = Duration::from_millis(500);
/// Retries of our own (where the page cannot wake us), as specified.
const PAUSES: [u64; 5] = [0, 20, 50, 100, 100];

/// What to ask the injected code.
pub(super) struct Ask<'a> {
    pub method: &'static str,
    /// `visible`, `enabled`, `editable`.
    pub needs: &'static [&'static str],
    /// More fields of the request.
    pub with: Map<String, Value>,
    /// Arguments between the request and the nodes.
    pub args: &'a [Value],
    /// Answer at the first look; nothing to wait for.
    pub once: bool,
    /// Search closed shadow roots from the start (where nothing found is a good answer).
    pub closed: bool,
}

impl<'a> Ask<'a> {
    pub fn new(method: &'static str, needs: &'static [&'static str], args: &'a [Value]) -> Self {
        Self { method, needs, with: Map::new(), args, once: false, closed: false }
    }
}

/// Where the selector led: the frame in whose document the answer holds.
pub(super) struct Found {
    pub frame: String,
    pub answer: Answer,
}

/// Asks until the answer is good or final.
pub(super) async fn ask(
    page: &Shared,
    frame: &str,
    selector: &Selector,
    verb: &mut Verb,
    ask: &Ask<'_>,
) -> Result<Found, PageError> {
    let mut round = 0;
    loop {
        page.settle(frame, verb).await;
        match look(page, frame, selector, verb, ask, round).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(CallError::Lost) => {
                if page.tree().get(frame).is_none() {
                    return Err(PageError::Argument("the frame has gone from its page".to_owned()));
                }
                verb.log.line("the document was replaced, looking again");
            }
            Err(CallError::Page(error)) => return Err(error),
        }
        round += 1;
    }
}

/// One look through all frames of the chain. None: not there yet, and the pause has passed.
async fn look(
    page: &Shared,
    root: &str,
    selector: &Selector,
    verb: &mut Verb,
    ask: &Ask<'_>,
    round: usize,
) -> Result<Option<Found>, CallError> {
    let mut frame = root.to_owned();
    let mut first = 0;
    let mut closed = ask.closed && page.bring_closed_roots(&frame).await?;
    let mut tried_closed = ask.closed;
    let mut sets: Vec<(usize, Vec<String>)> = Vec::new();
    loop {
        let steps = &selector.steps()[first..];
        // A list of roles is true for this moment only: the page must not wait on it.
        let patient = !ask.once && sets.is_empty() && !steps.iter().any(|step| matches!(step, Step::Role(_)));
        let patience = if patient { patience(verb, round) } else { Duration::ZERO };
        let value = page.call(&frame, ask.method, &request(verb, ask, steps, &sets, patience, closed)).await?;
        let answer: Answer = serde_json::from_value(value).map_err(|error| PageError::JavaScript(error.to_string()))?;
        match answer.t.as_str() {
            "role" => {
                let Some(Step::Role(role)) = steps.get(answer.at) else { return Err(CallError::Lost) };
                let nodes = page.by_role(&frame, role).await?;
                sets.push((answer.at, nodes));
            }
            "frame" => {
                frame = content_frame(page, &frame, verb).await?;
                page.settle(&frame, verb).await;
                first += answer.at;
                sets.clear();
                closed = ask.closed && page.bring_closed_roots(&frame).await?;
                tried_closed = ask.closed;
            }
            "none" | "wait" if !ask.once || answer.t == "none" => {
                if answer.t == "none" && !tried_closed && (ask.once || round > 0) {
                    tried_closed = true;
                    closed = page.bring_closed_roots(&frame).await?;
                    if closed {
                        continue;
                    }
                }
                if ask.once {
                    return Ok(Some(Found { frame, answer }));
                }
                report(verb, &frame, selector, &answer);
                if !patient {
                    pause(page, &frame, round).await?;
                }
                return Ok(None);
            }
            "many" => return Err(strict(selector, answer).into()),
            "never" => return Err(PageError::NotActionable(format!("{} {}", answer.what, answer.why)).into()),
            "bad" => return Err(invalid(selector, answer.why).into()),
            _ => {
                verb.unmatched = None;
                // Reads that find nothing in the open tree look into the closed ones once.
                let empty = ask.once && (answer.value == json!(0) || answer.value == json!(false));
                if empty && !tried_closed {
                    tried_closed = true;
                    closed = page.bring_closed_roots(&frame).await?;
                    if closed {
                        continue;
                    }
                }
                return Ok(Some(Found { frame, answer }));
            }
        }
    }
}

/// The first look answers at once, so that the log has it; no stay lasts to the very deadline, so that its answer counts.
fn patience(verb: &Verb, round: usize) -> Duration {
    if round == 0 { Duration::ZERO } else { PATIENCE.min(verb.deadline.remaining().mul_f64(0.75)) }
}

fn request(
    verb: &Verb,
    ask: &Ask<'_>,
    steps: &[Step],
    sets: &[(usize, Vec<String>)],
    patience: Duration,
    closed: bool,
) -> Vec<Arg> {
    let mut request = ask.with.clone();
    request.insert("steps".into(), serde_json::to_value(steps).unwrap_or_default());
    request.insert("token".into(), verb.token.clone().into());
    request.insert("needs".into(), ask.needs.into());
    request.insert("patience".into(), u64::try_from(patience.as_millis()).unwrap_or(0).into());
    request.insert("closed".into(), closed.into());
    if !sets.is_empty() {
        let sizes: Vec<Value> = sets.iter().map(|(step, nodes)| json!([step, nodes.len()])).collect();
        request.insert("sets".into(), sizes.into());
    }
    let mut args = vec![Arg::Value(Value::Object(request))];
    args.extend(ask.args.iter().cloned().map(Arg::Value));
    args.extend(sets.iter().flat_map(|(_, nodes)| nodes.iter().cloned().map(Arg::Object)));
    args
}

/// The frame inside the element that the page holds under the verb's token; waits until its document is known.
async fn content_frame(page: &Shared, frame: &str, verb: &Verb) -> Result<String, CallError> {
    let world = page.bundled(frame).await?;
    let token = [Arg::Value(verb.token.clone().into())];
    let Some(object) = page.handle(&world, "node", &token).await? else { return Err(CallError::Lost) };
    let described: Described =
        world.cdp.call(rpc("DOM.describeNode", json!({"objectId": object}))).await.map_err(CallError::from)?;
    let Some(id) = described.node.frame_id else { return Err(CallError::Lost) };
    page.until(|tree| tree.get(&id).map(|_| ())).await;
    Ok(id)
}

/// Our own retries, for what the page cannot watch by itself.
async fn pause(page: &Shared, frame: &str, round: usize) -> Result<(), CallError> {
    let wait = PAUSES.get(round).copied().unwrap_or(500);
    if wait > 0 {
        page.call(frame, "change", &[Arg::Value(wait.into())]).await?;
    }
    Ok(())
}

fn report(verb: &mut Verb, frame: &str, selector: &Selector, answer: &Answer) {
    if answer.t == "none" {
        verb.unmatched = Some((frame.to_owned(), selector.clone()));
        let line = "no element matches";
        verb.log.line(line);
        verb.missing = format!("an element that matches {:?}", selector.source());
        return;
    }
    verb.unmatched = None;
    verb.matched(&answer.what);
    verb.log.line(&answer.why);
    verb.missing = missing(selector, &answer.why);
}

/// What a state that was found leaves to be wished for.
pub(super) fn missing(selector: &Selector, why: &str) -> String {
    let what = selector.source();
    match why {
        "element is not visible" => format!("{what:?} to be visible"),
        "element is not enabled" => format!("{what:?} to be enabled"),
        "element is still visible" => format!("{what:?} to be hidden"),
        "element is still there" => format!("{what:?} to be detached"),
        "element is moving" => format!("{what:?} to stop moving"),
        why => format!("{what:?}: {why}"),
    }
}

pub(super) fn strict(selector: &Selector, answer: Answer) -> PageError {
    PageError::StrictViolation { selector: selector.source().to_owned(), count: answer.n, matches: answer.list }
}

pub(super) fn invalid(selector: &Selector, reason: String) -> PageError {
    SelectorError { selector: selector.source().to_owned(), at: 0, reason }.into()
}

/// A frame that went while it was looked at.
pub(super) fn lost(error: CallError) -> PageError {
    match error {
        CallError::Lost => PageError::Browser(BrowserError::TargetGone),
        CallError::Page(error) => error,
    }
}
