//! A frame: a document in a page, in the page's process or one of its own.

use std::fmt;

use serde_json::Value;

use crate::base::Deadline;
use crate::browser::Cdp;

use super::extract;
use super::verb::{Result, Verb};
use super::world::{Arg, CallError, Shared};
use super::{Locator, PageError, Schema, Selector};

/// A frame of a page. Cheap to clone.
#[derive(Clone)]
pub struct Frame {
    page: Shared,
    id: String,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({})", self.id)
    }
}

impl Frame {
    pub(super) fn new(page: Shared, id: String) -> Self {
        Self { page, id }
    }

    /// Chromium's id, as [`super::Page::commits`] names it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The CDP session that speaks for it: its page's, or its own where it is in a process of its own.
    pub fn cdp(&self) -> Cdp {
        self.page.tree().get(&self.id).map_or_else(|| self.page.target.cdp().clone(), |node| node.cdp.clone())
    }

    /// Its URL, as of the last committed navigation.
    pub fn url(&self) -> String {
        self.page.tree().get(&self.id).map(|node| node.url.clone()).unwrap_or_default()
    }

    /// Whether it has gone from its page.
    pub fn is_detached(&self) -> bool {
        self.page.tree().get(&self.id).is_none()
    }

    /// Elements in it.
    pub fn locator(&self, selector: &Selector) -> Locator {
        Locator::new(self.page.clone(), self.id.clone(), selector.clone())
    }

    /// The document as HTML.
    pub async fn content(&self, deadline: Deadline) -> Result<String> {
        self.ask("content", None, deadline).await
    }

    /// The document as HTML, of `most` bytes; [`PageError::TooLarge`] where it has more.
    pub async fn content_within(&self, most: usize, deadline: Deadline) -> Result<String> {
        self.ask("content", Some(most), deadline).await
    }

    /// Its title.
    pub async fn title(&self, deadline: Deadline) -> Result<String> {
        self.ask("title", None, deadline).await
    }

    /// Evaluates an expression, or calls a function expression with `argument`, in the page's own world; a promise is
    /// awaited. What is not JSON (undefined, functions, cycles) comes back as null or is left out.
    pub async fn evaluate(&self, expression: &str, argument: Option<&Value>, deadline: Deadline) -> Result<Value> {
        self.run(expression, argument, None, deadline).await
    }

    /// The same of `most` characters at the most, keys and all; [`PageError::LargeResult`] where it answers more.
    pub async fn evaluate_within(
        &self,
        expression: &str,
        argument: Option<&Value>,
        most: usize,
        deadline: Deadline,
    ) -> Result<Value> {
        self.run(expression, argument, Some(most), deadline).await
    }

    async fn run(
        &self,
        expression: &str,
        argument: Option<&Value>,
        most: Option<usize>,
        deadline: Deadline,
    ) -> Result<Value> {
        let mut verb = Verb::new(deadline, "the JavaScript to end");
        let work = async {
            self.page.settle(&self.id, &mut verb).await;
            "the JavaScript to end".clone_into(&mut verb.missing);
            self.page.evaluate(&self.id, expression, argument, most).await.map_err(|error| self.gone(error))
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    /// Extracts as the schema says; waits for required top-level matches until the deadline.
    pub async fn extract(&self, schema: &Schema, deadline: Deadline) -> Result<Value> {
        let mut verb = Verb::new(deadline, "what the schema names");
        let work = extract::run(&self.page, &self.id, schema, &mut verb);
        let outcome = self.page.race(deadline, work).await;
        let outcome = outcome.or_else(|| Schema::missing(&verb).map(Err));
        verb.end(&self.page, outcome).await
    }

    /// Evaluates `function` (a JS function expression taking one JSON argument and answering JSON, perhaps as a promise) in
    /// an isolated world of ours named `world`. For the session floor's capture and restore.
    pub async fn evaluate_isolated(
        &self,
        world: &str,
        function: &str,
        argument: &Value,
        deadline: Deadline,
    ) -> Result<Value> {
        let verb = Verb::new(deadline, "the JavaScript to end");
        let work = async {
            let answer = self.page.evaluate_isolated(&self.id, world, function, argument).await;
            answer.map_err(|error| self.gone(error))
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    async fn ask(&self, method: &str, most: Option<usize>, deadline: Deadline) -> Result<String> {
        let args: Vec<Arg> = most.into_iter().map(|most| Arg::Value(most.into())).collect();
        let mut verb = Verb::new(deadline, "the page to answer");
        let work = async {
            loop {
                self.page.settle(&self.id, &mut verb).await;
                "the page to answer".clone_into(&mut verb.missing);
                match self.page.call(&self.id, method, &args).await {
                    Ok(answer) if answer["t"] == "large" => {
                        return Err(PageError::too_large(
                            answer["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default(),
                            most,
                        ));
                    }
                    Ok(answer) => return Ok(answer["value"].as_str().unwrap_or_default().to_owned()),
                    Err(CallError::Lost) if !self.is_detached() => verb.log.line("the document was replaced"),
                    Err(error) => return Err(self.gone(error)),
                }
            }
        };
        let outcome = self.page.race(deadline, work).await;
        verb.end(&self.page, outcome).await
    }

    fn gone(&self, error: CallError) -> PageError {
        match error {
            CallError::Lost if self.is_detached() => PageError::Argument("the frame has gone from its page".into()),
            CallError::Lost => PageError::JavaScript("the page navigated while it ran".into()),
            CallError::Page(error) => error,
        }
    }
}
