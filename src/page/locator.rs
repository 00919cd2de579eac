//! A locator: a selector in a frame or page, resolved anew at each use.

use std::fmt;
use std::future::Future;

use serde_json::{Value, json};

use crate::base::{Deadline, Input};

use super::mouse::{Gesture, point};
use super::resolve::{Ask, Found, ask};
use super::upload::{InputFile, set_files};
use super::verb::{Result, Verb};
use super::world::Shared;
use super::{ActionOptions, ClickOptions, PageError, SelectBy, Selector, TypeOptions, WaitState, keyboard};

/// What has to be true before a field is written to.
const EDIT: &[&str] = &["visible", "enabled", "editable"];
/// What has to be true before a control is operated.
const OPERATE: &[&str] = &["visible", "enabled"];

/// Elements by selector, resolved at each use. Actions and reads are strict. Cheap to clone.
#[derive(Clone)]
pub struct Locator {
    page: Shared,
    frame: String,
    selector: Selector,
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locator({:?})", self.selector.source())
    }
}

impl Locator {
    pub(super) fn new(page: Shared, frame: String, selector: Selector) -> Self {
        Self { page, frame, selector }
    }

    /// The selector.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Moves there, presses and releases, once the element would really receive it.
    pub async fn click(&self, options: &ClickOptions, deadline: Deadline) -> Result<()> {
        self.pointer(Gesture::Click, options, deadline).await
    }

    /// Two clicks and a `dblclick` event.
    pub async fn dblclick(&self, options: &ClickOptions, deadline: Deadline) -> Result<()> {
        self.pointer(Gesture::Double, options, deadline).await
    }

    /// Moves the mouse there.
    pub async fn hover(&self, options: &ClickOptions, deadline: Deadline) -> Result<()> {
        self.pointer(Gesture::Hover, options, deadline).await
    }

    /// Checks (or unchecks) a checkbox or radio button, by a click where its state differs.
    pub async fn set_checked(&self, checked: bool, options: &ActionOptions, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async {
            let args = [Value::from(checked)];
            // Visibility is the click's matter: where nothing has to be clicked, nothing has to be seen.
            let look = Ask::new("checked", &[], &args);
            if self.ask(&mut verb, &look).await?.answer.value == json!(checked) {
                verb.log.line(if checked { "element is checked already" } else { "element is unchecked already" });
                return Ok(());
            }
            let click = ClickOptions { action: options.clone(), ..ClickOptions::default() };
            point(&self.page, &self.frame, &self.selector, &mut verb, Gesture::Click, &click).await?;
            if options.trial {
                return Ok(());
            }
            let found = self.ask(&mut verb, &look).await?;
            if found.answer.value == json!(checked) {
                return Ok(());
            }
            Err(PageError::NotActionable(format!("{} did not change its state when it was clicked", found.answer.what)))
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Replaces the value in one input event.
    pub async fn fill(&self, value: &Input, options: &ActionOptions, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async {
            let args = [Value::from(value.expose())];
            let mut fill = Ask::new("fill", EDIT, &args);
            act(&mut fill, options);
            let found = self.ask(&mut verb, &fill).await?;
            if found.answer.t == "insert" {
                // Several lines as one input event: only the browser's own insertion does that.
                keyboard::insert(&self.page, value.expose()).await?;
            }
            verb.log.line(format!("filled {value} into {}", found.answer.what));
            Ok(())
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Empties a field.
    pub async fn clear(&self, options: &ActionOptions, deadline: Deadline) -> Result<()> {
        self.fill(&Input::from(""), options, deadline).await
    }

    /// Focuses and presses key after key, appending. `type` in scripts.
    pub async fn type_text(&self, text: &Input, options: &TypeOptions, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async {
            let found = self.focus(&mut verb, EDIT, &options.action).await?;
            if options.action.trial {
                return Ok(());
            }
            verb.log.line(format!("typing {text}"));
            "the keys to be taken".clone_into(&mut verb.missing);
            keyboard::type_text(&self.page, text.expose(), options.delay).await?;
            self.page.caught_up(&found).await
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Focuses and presses a key or chord (`Enter`, `Control+A`).
    pub async fn press(&self, key: &str, options: &TypeOptions, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async {
            keyboard::check(key)?;
            let found = self.focus(&mut verb, &[], &options.action).await?;
            if options.action.trial {
                return Ok(());
            }
            verb.log.line(format!("pressing {key}"));
            "the keys to be taken".clone_into(&mut verb.missing);
            keyboard::press(&self.page, key, options.delay).await?;
            self.page.caught_up(&found).await
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Selects options of a `<select>`; answers the values that are selected then.
    pub async fn select_option(
        &self,
        by: &[SelectBy],
        options: &ActionOptions,
        deadline: Deadline,
    ) -> Result<Vec<String>> {
        let mut verb = self.verb(deadline);
        let work = async {
            let wanted = by.iter().map(|by| match by {
                SelectBy::ValueOrLabel(any) => json!({"any": any}),
                SelectBy::Value(value) => json!({"value": value}),
                SelectBy::Label(label) => json!({"label": label}),
                SelectBy::Index(index) => json!({"index": index}),
            });
            let args = [wanted.collect::<Value>()];
            let mut select = Ask::new("select", OPERATE, &args);
            act(&mut select, options);
            let found = self.ask(&mut verb, &select).await?;
            Ok(serde_json::from_value(found.answer.value).unwrap_or_default())
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Gives files to an `<input type=file>` or the one that a label belongs to, in place of those that it has; none empties it. Does
    /// not wait for it to be visible: such fields are hidden more often than not.
    pub async fn set_input_files(&self, files: &[InputFile], deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = set_files(&self.page, &self.frame, &self.selector, &mut verb, files);
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Waits for the state.
    pub async fn wait_for(&self, state: WaitState, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async {
            let name = match state {
                WaitState::Attached => "attached",
                WaitState::Detached => "detached",
                WaitState::Visible => "visible",
                WaitState::Hidden => "hidden",
            };
            let args = [Value::from(name)];
            let mut wait = Ask::new("state", &[], &args);
            wait.closed = matches!(state, WaitState::Detached | WaitState::Hidden);
            self.ask(&mut verb, &wait).await.map(|_| ())
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Brings it into the viewport.
    pub async fn scroll_into_view(&self, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = async { self.ask(&mut verb, &Ask::new("intoView", &[], &[])).await.map(|_| ()) };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// `textContent`.
    pub async fn text_content(&self, deadline: Deadline) -> Result<String> {
        self.read("text_content", None, deadline).await.map(text)
    }

    /// `innerText`.
    pub async fn inner_text(&self, deadline: Deadline) -> Result<String> {
        self.read("inner_text", None, deadline).await.map(text)
    }

    /// An attribute; none where the element lacks it.
    pub async fn get_attribute(&self, name: &str, deadline: Deadline) -> Result<Option<String>> {
        self.read("attribute", Some(name), deadline).await.map(|value| value.as_str().map(str::to_owned))
    }

    /// The value of a field.
    pub async fn input_value(&self, deadline: Deadline) -> Result<String> {
        self.read("input_value", None, deadline).await.map(text)
    }

    /// Whether what is typed into it is a secret: a password field by its type or purpose, or one that shows dots. Waits for it.
    pub async fn is_password(&self, deadline: Deadline) -> Result<bool> {
        self.read("is_password", None, deadline).await.map(|value| value == json!(true))
    }

    /// Whether the one match is visible now; false where nothing matches. Does not wait.
    pub async fn is_visible(&self, deadline: Deadline) -> Result<bool> {
        self.now("visible", deadline).await.map(|value| value == json!(true))
    }

    /// How many match now.
    pub async fn count(&self, deadline: Deadline) -> Result<usize> {
        let count = self.now("count", deadline).await?;
        Ok(count.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
    }

    fn verb(&self, deadline: Deadline) -> Verb {
        let selector = self.selector.source();
        let mut verb = Verb::new(deadline, format!("an element that matches {selector:?}"));
        verb.log.line(format!("waiting for {selector:?}"));
        verb
    }

    fn ask<'a>(&'a self, verb: &'a mut Verb, question: &'a Ask<'_>) -> impl Future<Output = Result2<Found>> + 'a {
        ask(&self.page, &self.frame, &self.selector, verb, question)
    }

    async fn pointer(&self, gesture: Gesture, options: &ClickOptions, deadline: Deadline) -> Result<()> {
        let mut verb = self.verb(deadline);
        let work = point(&self.page, &self.frame, &self.selector, &mut verb, gesture, options);
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    async fn focus(&self, verb: &mut Verb, needs: &'static [&'static str], options: &ActionOptions) -> Result2<String> {
        let args = [Value::from(!needs.is_empty())];
        let mut focus = Ask::new("focus", needs, &args);
        act(&mut focus, options);
        let found = self.ask(verb, &focus).await?;
        verb.matched(&found.answer.what);
        Ok(found.frame)
    }

    async fn read(&self, what: &str, name: Option<&str>, deadline: Deadline) -> Result<Value> {
        let mut verb = self.verb(deadline);
        let work = async {
            let args = [Value::from(what), Value::from(name)];
            Ok(self.ask(&mut verb, &Ask::new("read", &[], &args)).await?.answer.value)
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    async fn now(&self, method: &'static str, deadline: Deadline) -> Result<Value> {
        let mut verb = self.verb(deadline);
        "the page to answer".clone_into(&mut verb.missing);
        let work = async {
            let mut look = Ask::new(method, &[], &[]);
            look.once = true;
            Ok(self.ask(&mut verb, &look).await?.answer.value)
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }
}

/// A result inside a running verb, whose log is added at its end.
type Result2<T> = std::result::Result<T, PageError>;

fn act(ask: &mut Ask<'_>, options: &ActionOptions) {
    ask.with.insert("force".into(), options.force.into());
    ask.with.insert("trial".into(), options.trial.into());
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}
