//! The pointer: from a selector to a press that is known to have landed on its element.

use std::time::Duration;

use serde_json::{Value, json};

use super::resolve::{Ask, ask, missing};
use super::rpc::{Ack, rpc};
use super::selector::Selector;
use super::verb::{Answer, Verb};
use super::world::{Arg, CallError, Shared, World};
use super::{ClickOptions, PageError};

/// What the pointer does once it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gesture {
    Hover,
    Click,
    Double,
}

/// The checks before a pointer action.
const CLICK_NEEDS: &[&str] = &["visible", "enabled"];
const HOVER_NEEDS: &[&str] = &["visible"];

/// Moves there and does it, once the element would really receive it; again where it turns out that it did not.
pub(super) async fn point(
    page: &Shared,
    frame: &str,
    selector: &Selector,
    verb: &mut Verb,
    gesture: Gesture,
    options: &ClickOptions,
) -> Result<(), PageError> {
    let buttons = Buttons::read(options)?;
    let (mut turn, mut first) = (0, true);
    loop {
        let tried = attempt(page, frame, selector, verb, gesture, options, &buttons, turn, first).await;
        first = false;
        match tried {
            Ok(None) => return Ok(()),
            Ok(Some(answer)) => {
                verb.log.line(&answer.why);
                verb.missing = missing(selector, &answer.why);
                // What covers it may be a bar that floats: scroll it elsewhere the next time.
                turn += usize::from(answer.covered);
                if turn > 0 {
                    let pause = Duration::from_millis([20, 50, 100, 100, 500][turn.min(5) - 1]);
                    let ms = Value::from(u64::try_from(pause.as_millis()).unwrap_or(500));
                    let _ = page.call(frame, "change", &[Arg::Value(ms)]).await;
                }
            }
            Err(CallError::Lost) => verb.log.line("the document was replaced, looking again"),
            Err(CallError::Page(error)) => return Err(error),
        }
    }
}

/// One attempt. None: done. Otherwise why not.
#[allow(clippy::too_many_arguments)]
async fn attempt(
    page: &Shared,
    root: &str,
    selector: &Selector,
    verb: &mut Verb,
    gesture: Gesture,
    options: &ClickOptions,
    buttons: &Buttons,
    turn: usize,
    first: bool,
) -> Result<Option<Answer>, CallError> {
    let force = options.action.force;
    let needs = match (force, gesture) {
        (true, _) => &[],
        (false, Gesture::Hover) => HOVER_NEEDS,
        (false, _) => CLICK_NEEDS,
    };
    let mut prepare = Ask::new("prepare", needs, &[]);
    prepare.with.insert("force".into(), force.into());
    prepare.with.insert("turn".into(), turn.into());
    if let Some((x, y)) = options.position {
        prepare.with.insert("position".into(), json!([x, y]));
    }
    let found = ask(page, root, selector, verb, &prepare).await?;
    let (Some((x, y)), Some(rect)) = (found.answer.point, found.answer.rect) else {
        return Err(PageError::JavaScript("no point in the answer".into()).into());
    };
    verb.matched(&found.answer.what);
    if first {
        // Later ones leave what was in the way the last time.
        verb.missing = format!("{:?} to take the pointer", selector.source());
    }
    let path = page.frame_path(&found.frame).await?;
    let world = page.bundled(&found.frame).await?;
    let (left, top) = path.offset(page).await?;
    let pointer = Pointer { page, x: left + x, y: top + y, buttons };

    // One pointer per page; the next frame is awaited while the mouse is on its way.
    let _turn = page.input.lock().await;
    let moved = pointer.send("mouseMoved", "none", 0, 0);
    let confirm = [
        Arg::Value(verb.token.clone().into()),
        Arg::Value(json!(rect)),
        Arg::Value(options.position.map_or(Value::Null, |(x, y)| json!([x, y]))),
        Arg::Value(force.into()),
    ];
    let mut watch = Watch { world: &world, token: &verb.token, over: false };
    let confirmed = page.call_in(&found.frame, &world, "confirm", &confirm);
    let (confirmed, moved) = tokio::join!(confirmed, moved);
    moved?;
    let confirmed = read(confirmed?)?;
    let mut hits = path.hits(page, x, y, !force).await?;
    if !force && hits.point.is_some_and(|point| !pointer.is_at(point)) {
        // In its frame it stands still, but the frame does not.
        hits = Answer { t: "wait".to_owned(), why: "element is moving".to_owned(), ..Answer::default() };
    }
    if let Some(answer) = [confirmed, hits].into_iter().find(|answer| answer.t != "ok") {
        return Ok(Some(answer));
    }
    let token = [Arg::Value(verb.token.clone().into())];
    if gesture == Gesture::Hover || options.action.trial {
        page.call_in(&found.frame, &world, "release", &token).await.or_else(forgive)?;
        watch.over = true;
        return Ok(None);
    }
    // Sent before the press, because a navigation that the click starts holds back all that is sent after it.
    let mut early = std::pin::pin!(page.call_in(&found.frame, &world, "verdict", &token));
    let early_first = futures_util::poll!(&mut early);
    "the click to be done".clone_into(&mut verb.missing);
    pointer.press(gesture, options).await?;
    let finish = page.call_in(&found.frame, &world, "finish", &token);
    let verdict = tokio::select! {
        biased;
        done = finish => done,
        () = page.leaving(world.cdp.session_id()) => match early_first {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => match futures_util::poll!(&mut early) {
                std::task::Poll::Ready(done) => done,
                std::task::Poll::Pending => Err(CallError::Lost),
            },
        },
    };
    watch.over = true;
    // A document that went by its own click has had it.
    let verdict = match verdict {
        Ok(value) => read(value)?,
        Err(CallError::Lost) => return Ok(None),
        Err(error @ CallError::Page(_)) => return Err(error),
    };
    Ok(judge(verdict, force))
}

/// What the events said. None: the element had its click.
fn judge(mut verdict: Answer, force: bool) -> Option<Answer> {
    let by = if verdict.by.is_empty() { "something else".to_owned() } else { verdict.by.clone() };
    verdict.why = match verdict.t.as_str() {
        "ok" | "gone" => return None,
        _ if force => return None,
        "missed" => format!("the layout shifted: the press would have landed on {by} and was held back"),
        "moved" => format!("the element moved away under the press; its release would have landed on {by}"),
        _ => "the press reached no part of this document".to_owned(),
    };
    verdict.covered = true;
    Some(verdict)
}

fn read(value: Value) -> Result<Answer, PageError> {
    serde_json::from_value(value).map_err(|error| PageError::JavaScript(error.to_string()))
}

fn forgive(error: CallError) -> Result<Value, CallError> {
    match error {
        CallError::Lost => Ok(Value::Null),
        error @ CallError::Page(_) => Err(error),
    }
}

/// What watches the events in the page. Let go of there when the attempt ends, however it ends: it would hold back presses that
/// are none of its business.
struct Watch<'a> {
    world: &'a World,
    token: &'a str,
    over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.world.post("release", &[Arg::Value(self.token.into())]);
        }
    }
}

/// The button and the modifier keys of a click.
struct Buttons {
    button: &'static str,
    bit: i64,
    modifiers: i64,
}

impl Buttons {
    fn read(options: &ClickOptions) -> Result<Self, PageError> {
        let (button, bit) = match options.button.as_deref() {
            None | Some("left") => ("left", 1),
            Some("right") => ("right", 2),
            Some("middle") => ("middle", 4),
            Some(other) => {
                let reason = format!("button is \"left\", \"right\" or \"middle\", found {other:?}");
                return Err(PageError::Argument(reason));
            }
        };
        let mut modifiers = 0;
        for name in &options.modifiers {
            modifiers |=
                super::keys::modifier(name).ok_or_else(|| PageError::Argument(super::keys::unknown_modifier(name)))?;
        }
        Ok(Self { button, bit, modifiers })
    }
}

struct Pointer<'a> {
    page: &'a Shared,
    x: f64,
    y: f64,
    buttons: &'a Buttons,
}

impl Pointer<'_> {
    /// Whether it is as good as there.
    fn is_at(&self, (x, y): (f64, f64)) -> bool {
        (self.x - x).abs() < 0.01 && (self.y - y).abs() < 0.01
    }

    fn send(
        &self,
        kind: &str,
        button: &str,
        held: i64,
        count: u32,
    ) -> impl Future<Output = Result<(), CallError>> + use<> {
        let sent = self.page.target.cdp().send(rpc::<Ack>(
            "Input.dispatchMouseEvent",
            json!({
                "type": kind, "x": self.x, "y": self.y, "button": button, "buttons": held,
                "clickCount": count, "modifiers": self.buttons.modifiers,
            }),
        ));
        async move { sent.await.map(|_| ()).map_err(CallError::from) }
    }

    /// Press and release in one burst, as often as asked.
    async fn press(&self, gesture: Gesture, options: &ClickOptions) -> Result<(), CallError> {
        let times = options.click_count.unwrap_or(if gesture == Gesture::Double { 2 } else { 1 });
        let Buttons { button, bit, .. } = *self.buttons;
        let mut sent = Vec::new();
        for count in 1..=times {
            sent.push(self.send("mousePressed", button, bit, count));
            let mut held = Held { pointer: self, count, over: false };
            if let Some(delay) = options.delay {
                // The one pause that a script asks for by name.
                tokio::time::sleep(delay).await;
            }
            held.over = true;
            sent.push(self.send("mouseReleased", button, 0, count));
        }
        for answer in futures_util::future::join_all(sent).await {
            answer?;
        }
        Ok(())
    }
}

/// A button that is down. Let go of also when the verb ends in between: the next action would drag.
struct Held<'a> {
    pointer: &'a Pointer<'a>,
    count: u32,
    over: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.over {
            drop(self.pointer.send("mouseReleased", self.pointer.buttons.button, 0, self.count));
        }
    }
}
