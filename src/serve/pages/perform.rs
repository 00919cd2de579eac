//! Doing an action on a page: the verbs of scripts, with what is different over HTTP: the first of several matches is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::actions::{Action, Direction, Text};
use super::outputs;
use super::steps::{Step, of_verb};
use super::visit::Visit;
use crate::base::{Deadline, Input, Secret};
use crate::page::{
    self, ActionOptions, ClickOptions, GotoOptions, Locator, Page, PageError, ScreenshotOptions, ScrollOptions,
    SelectBy, Selector, TypeOptions, VerbError, WaitState,
};
use crate::serve::error::ApiError;
use crate::serve::runs;
use crate::session::{Session, Workspace};

/// Who does the actions of a request.
pub(super) struct Actor<'a> {
    pub(super) visit: &'a Visit,
    pub(super) workspace: &'a Workspace,
    pub(super) session: &'a Session,
    pub(super) secrets: &'a BTreeMap<String, Secret>,
    /// By when an action has to be done, so that there is time for what is to be captured.
    pub(super) deadline: Deadline,
}

type Done<T = ()> = Result<T, ApiError>;

fn verb<T>(done: Result<T, Box<VerbError>>) -> Done<T> {
    done.map_err(|error| of_verb(&error))
}

impl Actor<'_> {
    /// Does one; what it finds goes into `step`. Answers the status of a document that it went to.
    pub(super) async fn act(&self, action: &Action, strict: bool, step: &mut Step) -> Done<Option<u16>> {
        let (deadline, plain) = (self.deadline, ActionOptions::default());
        match action {
            Action::Goto { url } => return self.goto(url.as_deref()).await,
            Action::Click { selector, settle_ms } => {
                let locator = self.locate(selector, strict, step).await?;
                verb(locator.click(&ClickOptions::default(), deadline).await)?;
                self.pause(settle_ms.unwrap_or_default()).await?;
            }
            Action::Type { selector, value } => {
                let locator = self.locate(selector, strict, step).await?;
                verb(locator.type_text(&self.input(value)?, &TypeOptions::default(), deadline).await)?;
            }
            Action::Fill { selector, value } => {
                let locator = self.locate(selector, strict, step).await?;
                verb(locator.fill(&self.input(value)?, &plain, deadline).await)?;
            }
            Action::Select { selector, value } => {
                let locator = self.locate(selector, strict, step).await?;
                let by = [SelectBy::ValueOrLabel(self.input(value)?.expose().to_owned())];
                verb(locator.select_option(&by, &plain, deadline).await)?;
            }
            Action::Press { key, selector: Some(selector) } => {
                let locator = self.locate(selector, strict, step).await?;
                verb(locator.press(key, &TypeOptions::default(), deadline).await)?;
            }
            Action::Press { key, selector: None } => {
                verb(self.page().await?.keyboard_press(key, &TypeOptions::default(), deadline).await)?;
            }
            Action::Hover { selector } => {
                let locator = self.locate(selector, strict, step).await?;
                verb(locator.hover(&ClickOptions::default(), deadline).await)?;
            }
            Action::Check { selector } | Action::Uncheck { selector } => {
                let locator = self.locate(selector, strict, step).await?;
                let is_check = matches!(action, Action::Check { .. });
                verb(locator.set_checked(is_check, &plain, deadline).await)?;
            }
            Action::Upload { selector, files } => {
                let locator = self.locate(selector, strict, step).await?;
                let files = files.iter().map(|file| file.file().map_err(|(_, reason)| ApiError::internal(reason)));
                let files = files.collect::<Done<Vec<_>>>()?;
                verb(locator.set_input_files(&files, deadline).await)?;
            }
            Action::WaitFor { selector, timeout_ms, optional } => {
                self.wait_for(selector, *timeout_ms, *optional, step).await?;
            }
            Action::WaitMs { duration_ms } => self.pause(*duration_ms).await?,
            Action::Scroll { selector, amount, direction, until_stable } => {
                let selector = selector.as_deref().map(|selector| parsed(selector, strict)).transpose()?;
                let direction = match direction {
                    Direction::Down => page::Direction::Down,
                    Direction::Up => page::Direction::Up,
                };
                let amount = amount.and_then(|amount| u32::try_from(amount).ok());
                let options = ScrollOptions { direction, amount, until_stable: *until_stable };
                verb(self.page().await?.scroll(selector.as_ref(), &options, deadline).await)?;
            }
            Action::Screenshot { selector, full_page } => {
                let selector = selector.as_deref().map(|selector| parsed(selector, strict)).transpose()?;
                let options = ScreenshotOptions { selector, full_page: *full_page, ..ScreenshotOptions::default() };
                let picture = verb(self.page().await?.screenshot(&options, deadline).await)?;
                step.screenshot = Some(outputs::keep(&self.visit.app, &self.visit.task, picture));
            }
            Action::Evaluate { expression, argument } => {
                let frame = self.page().await?.main_frame();
                let most = self.visit.room.left();
                let result = verb(frame.evaluate_within(expression, argument.as_ref(), most, deadline).await)?;
                step.result = Some(self.bounded(result)?);
            }
            Action::Script { source } => {
                let (app, task) = (&self.visit.app, &self.visit.task);
                let result = runs::within(app, task, self.workspace, source, deadline).await?;
                step.result = Some(self.bounded(result)?);
            }
        }
        Ok(None)
    }

    /// What was answered, where it is not too much to be told.
    fn bounded(&self, result: Value) -> Done<Value> {
        match self.visit.room.take(&result) {
            Ok(()) => Ok(result),
            Err(reason) => Err(ApiError::new(outputs::TOO_LARGE, format!("the result of this is too large: {reason}"))),
        }
    }

    async fn page(&self) -> Done<Page> {
        self.session.page().await.map_err(ApiError::from)
    }

    fn input(&self, text: &Text) -> Done<Input> {
        match text {
            Text::Plain(text) => Ok(Input::from(text.as_str())),
            Text::Secret(name) => {
                let secret = self.secrets.get(&name.secret);
                secret.cloned().map(Input::Secret).ok_or_else(|| ApiError::internal("a secret was not looked up"))
            }
        }
    }

    /// The element that an action is for: the first of several, unless it is strict.
    async fn locate(&self, selector: &str, strict: bool, step: &mut Step) -> Done<Locator> {
        let page = self.page().await?;
        let locator = page.locator(&parsed(selector, strict)?);
        if !strict {
            verb(locator.wait_for(WaitState::Attached, self.deadline).await)?;
            let all = page.locator(&parsed(selector, true)?);
            let count = verb(all.count(self.deadline).await)?;
            step.matches = (count > 1).then_some(count);
        }
        Ok(locator)
    }

    async fn goto(&self, url: Option<&str>) -> Done<Option<u16>> {
        let (page, options) = (self.page().await?, GotoOptions::default());
        match url {
            Some(url) => self.visit.goto(&page, url, &options, self.deadline).await,
            None => verb(page.reload(&options, self.deadline).await),
        }
    }

    async fn wait_for(&self, selector: &str, timeout_ms: Option<u64>, optional: bool, step: &mut Step) -> Done {
        let own = timeout_ms.map(|timeout| Deadline::after(Duration::from_millis(timeout)));
        let deadline = own.map_or(self.deadline, |own| own.min(self.deadline));
        let locator = self.page().await?.locator(&parsed(selector, false)?);
        let waited = locator.wait_for(WaitState::Attached, deadline).await;
        let is_late = matches!(&waited, Err(error) if matches!(error.error, PageError::Timeout { .. }));
        if optional {
            step.found = Some(waited.is_ok());
        }
        if optional && is_late { Ok(()) } else { verb(waited) }
    }

    /// Waits, no longer than there is time.
    async fn pause(&self, millis: u64) -> Done {
        let span = Duration::from_millis(millis);
        if span > self.deadline.remaining() {
            tokio::time::sleep(self.deadline.remaining()).await;
            return Err(ApiError::new("timeout", format!("no time was left to wait {millis} ms")));
        }
        tokio::time::sleep(span).await;
        Ok(())
    }
}

/// The selector of an action: the first match, unless it is strict.
fn parsed(selector: &str, strict: bool) -> Done<Selector> {
    let text = if strict { selector.to_owned() } else { format!("{selector} >> nth=0") };
    Selector::parse(&text).map_err(|error| ApiError::new("invalid_selector", error.to_string()))
}
