//! Doing an action on a page: the verbs of scripts, with what is different over HTTP: the first of several matches is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use super::actions::{Action, Direction, Text};
use super::outputs;
use super::steps::{Step, of_verb};
use super::visit::Visit;
use crate::base::{Deadline, Input, Secret};
use crate::page::{
    ActionOptions, ClickOptions, GotoOptions, Locator, Page, PageError, ScreenshotOptions, SelectBy, Selector,
    TypeOptions, VerbError, WaitState,
};
use crate::serve::error::ApiError;
use crate::session::Session;

/// Scrolls by `amount`, or by what is seen; answers where the page is now and how far it goes.
const SCROLL: &str = "({ amount, up }) => {
    const root = document.scrollingElement ?? document.documentElement;
    const by = (amount ?? innerHeight) * (up ? -1 : 1);
    root.scrollBy({ top: by, behavior: 'instant' });
    return [root.scrollTop, root.scrollHeight];
}";
/// The isolated world that it runs in.
const WORLD: &str = "rhaven-serve";
/// How long a page is given to bring more once its end was reached.
const MORE: Duration = Duration::from_millis(500);

/// Who does the actions of a request.
pub(super) struct Actor<'a> {
    pub(super) visit: &'a Visit,
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
            Action::WaitFor { selector, timeout_ms, optional } => {
                self.wait_for(selector, *timeout_ms, *optional, step).await?;
            }
            Action::WaitMs { duration_ms } => self.pause(*duration_ms).await?,
            Action::Scroll { amount, direction, until_stable, .. } => {
                self.scroll(*amount, *direction, *until_stable).await?;
            }
            Action::Screenshot { selector, full_page } => {
                let selector = selector.as_deref().map(|selector| self.selector(selector, strict)).transpose()?;
                let options = ScreenshotOptions { selector, full_page: *full_page, ..ScreenshotOptions::default() };
                let picture = verb(self.page().await?.screenshot(&options, deadline).await)?;
                step.screenshot = Some(outputs::keep(&self.visit.app, &self.visit.task, picture));
            }
            Action::Evaluate { expression, argument } => {
                let frame = self.page().await?.main_frame();
                step.result = Some(verb(frame.evaluate(expression, argument.as_ref(), deadline).await)?);
            }
            Action::Upload { .. } | Action::Script { .. } => {
                return Err(ApiError::new("unsupported_action", format!("{} is not there yet", action.name())));
            }
        }
        Ok(None)
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

    fn selector(&self, selector: &str, strict: bool) -> Done<Selector> {
        let text = if strict { selector.to_owned() } else { format!("{selector} >> nth=0") };
        Selector::parse(&text).map_err(|error| ApiError::new("invalid_selector", error.to_string()))
    }

    /// The element that an action is for: the first of several, unless it is strict.
    async fn locate(&self, selector: &str, strict: bool, step: &mut Step) -> Done<Locator> {
        let page = self.page().await?;
        let locator = page.locator(&self.selector(selector, strict)?);
        if !strict {
            verb(locator.wait_for(WaitState::Attached, self.deadline).await)?;
            let all = page.locator(&self.selector(selector, true)?);
            let count = verb(all.count(self.deadline).await)?;
            step.matches = (count > 1).then_some(count);
        }
        Ok(locator)
    }

    async fn goto(&self, url: Option<&str>) -> Done<Option<u16>> {
        let (page, options) = (self.page().await?, GotoOptions::default());
        match url {
            Some(url) => self.visit.goto(&page, url, self.deadline).await,
            None => verb(page.reload(&options, self.deadline).await),
        }
    }

    async fn wait_for(&self, selector: &str, timeout_ms: Option<u64>, optional: bool, step: &mut Step) -> Done {
        let own = timeout_ms.map(|timeout| Deadline::after(Duration::from_millis(timeout)));
        let deadline = own.map_or(self.deadline, |own| own.min(self.deadline));
        let locator = self.page().await?.locator(&self.selector(selector, false)?);
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

    async fn scroll(&self, amount: Option<u64>, direction: Direction, until_stable: bool) -> Done {
        let argument = serde_json::json!({"amount": amount, "up": direction == Direction::Up});
        let mut before = None;
        loop {
            let frame = self.page().await?.main_frame();
            let place = verb(frame.evaluate_isolated(WORLD, SCROLL, &argument, self.deadline).await)?;
            if !until_stable || before.as_ref() == Some(&place) {
                return Ok(());
            }
            before = Some(place);
            self.pause(u64::try_from(MORE.as_millis()).unwrap_or_default()).await?;
        }
    }
}
