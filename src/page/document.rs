//! The page's document as text, for what reads documents: one round trip, then the reading on a thread of its own.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::base::Deadline;
use crate::document::DocumentError;

use super::resolve::{Ask, ask};
use super::verb::{Answer, Result, Verb};
use super::world::{Arg, CallError, Shared};
use super::{PageError, Selector};

/// What of the document is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What is displayed.
    Shown,
    /// Everything.
    All,
}

#[derive(Deserialize)]
struct Written {
    html: String,
    url: String,
}

impl Part {
    /// Everything, or not.
    pub(super) fn of(all: bool) -> Self {
        if all { Self::All } else { Self::Shown }
    }
}

/// Writes down the main frame's document; [`PageError::TooLarge`] where it has more than `most` bytes.
pub(super) async fn whole(page: &Shared, part: Part, most: Option<usize>, deadline: Deadline) -> Result<(String, Url)> {
    let reader = |html: &str, base: &Url| Ok((html.to_owned(), base.clone()));
    read_within(page, None, part, most, deadline, reader).await
}

/// Writes down the main frame's document, or the selector's one match, and has it read.
pub(super) async fn read<T: Send + 'static>(
    page: &Shared,
    selector: Option<&Selector>,
    part: Part,
    deadline: Deadline,
    reader: impl FnOnce(&str, &Url) -> std::result::Result<T, DocumentError> + Send + 'static,
) -> Result<T> {
    read_within(page, selector, part, None, deadline, reader).await
}

async fn read_within<T: Send + 'static>(
    page: &Shared,
    selector: Option<&Selector>,
    part: Part,
    most: Option<usize>,
    deadline: Deadline,
    reader: impl FnOnce(&str, &Url) -> std::result::Result<T, DocumentError> + Send + 'static,
) -> Result<T> {
    let mut verb = Verb::new(deadline, "the page to answer");
    if let Some(selector) = selector {
        verb.log.line(format!("waiting for {:?}", selector.source()));
        verb.missing = format!("an element that matches {:?}", selector.source());
    }
    let main = page.tree().main.clone();
    let work = Box::pin(async {
        let Written { html, url } = written(page, &main, selector, part == Part::All, most, &mut verb).await?;
        let base = Url::parse(&url).or_else(|_| Url::parse("about:blank"));
        let base = base.map_err(|error| PageError::Argument(error.to_string()))?;
        "the document to be read".clone_into(&mut verb.missing);
        let read = tokio::task::spawn_blocking(move || reader(&html, &base)).await;
        Ok(read.unwrap_or(Err(DocumentError::Broken))?)
    });
    let outcome = page.race(deadline, work).await;
    verb.end(page, outcome).await
}

async fn written(
    page: &Shared,
    frame: &str,
    selector: Option<&Selector>,
    all: bool,
    most: Option<usize>,
    verb: &mut Verb,
) -> std::result::Result<Written, PageError> {
    let answer = match selector {
        Some(selector) => {
            let args = [Value::from(all)];
            ask(page, frame, selector, verb, &Ask::new("writtenOf", &[], &args)).await?.answer
        }
        None => all_of(page, frame, all, most, verb).await?,
    };
    if answer.t == "large" {
        return Err(PageError::too_large(answer.n, most));
    }
    Written::deserialize(answer.value).map_err(|error| PageError::JavaScript(error.to_string()))
}

async fn all_of(
    page: &Shared,
    frame: &str,
    all: bool,
    most: Option<usize>,
    verb: &mut Verb,
) -> std::result::Result<Answer, PageError> {
    let args = [Arg::Value(all.into()), Arg::Value(most.into())];
    loop {
        page.settle(frame, verb).await;
        "the page to answer".clone_into(&mut verb.missing);
        match page.call(frame, "written", &args).await {
            Ok(answer) => {
                return Answer::deserialize(answer).map_err(|error| PageError::JavaScript(error.to_string()));
            }
            Err(CallError::Lost) if page.tree().get(frame).is_some() => verb.log.line("the document was replaced"),
            Err(CallError::Lost) => return Err(PageError::Argument("the frame has gone from its page".into())),
            Err(CallError::Page(error)) => return Err(error),
        }
    }
}
