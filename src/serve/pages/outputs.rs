//! What a page request answers with: the page as HTML, Markdown, data or a picture, each on its own, so that one that cannot be
//! had does not cost the others.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::extract::Extracted;
use super::input::{FetchInput, Output};
use super::plain::Response;
use super::visit::Visit;
use crate::base::Deadline;
use crate::document::heuristic::Provenance;
use crate::document::{self, DocumentError, MarkdownOptions};
use crate::page::{Page, ScreenshotOptions, VerbError};
use crate::serve::app::App;
use crate::serve::artifacts::Artifact;
use crate::serve::task::Task;

/// Where outputs come from.
pub(super) enum Source<'a> {
    /// A page in a browser, by when to read it, and the most of it in bytes.
    Page { page: &'a Page, deadline: Deadline, most: usize },
    /// What a server answered.
    Response(&'a Response),
}

impl Source<'_> {
    /// Its HTML, and what addresses in it are relative to; with `all` also what is not displayed, where that is known.
    pub(super) async fn document(&self, output: Output, all: bool) -> Result<(String, Url), Failed> {
        match self {
            Self::Page { page, deadline, most } => {
                page.written_within(all, *most, *deadline).await.map_err(|error| Failed::verb(output, &error))
            }
            Self::Response(response) => {
                let html = response.document().map_err(|reason| Failed::new(output, "not_html", reason))?;
                Ok((html, response.url.clone()))
            }
        }
    }
}

/// An output, or a part of one, that could not be had.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Failed {
    pub(super) output: &'static str,
    pub(super) code: String,
    pub(super) message: String,
}

/// What was captured.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) outputs: Map<String, Value>,
    pub(super) failures: Vec<Failed>,
    pub(super) engine: Option<&'static str>,
    /// Where each value of the extraction was taken from.
    pub(super) sources: Vec<Provenance>,
}

impl Failed {
    pub(super) fn new(output: Output, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { output: output.name(), code: code.into(), message: message.into() }
    }

    pub(super) fn json(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Output::Json, code, message)
    }

    fn verb(output: Output, error: &VerbError) -> Self {
        Self::new(output, error.error.code(), error.to_string())
    }
}

impl Captured {
    /// Captures what `input` wants, into `self` as it comes.
    pub(super) async fn take(&mut self, visit: &Visit, source: &Source<'_>) {
        let Visit { app, task, input, .. } = visit;
        for output in [Output::Html, Output::Markdown, Output::Json, Output::Screenshot] {
            if !input.wants(output) {
                continue;
            }
            let taken = match output {
                Output::Html => html(source, visit.room.left()).await.map(Value::from),
                Output::Markdown => markdown(source).await.map(Value::from),
                Output::Json => input.extraction().run(visit, source).await.map(|found| self.extracted(found)),
                Output::Screenshot => screenshot(app, task, source).await,
            };
            let too_large = |reason| Failed::new(output, TOO_LARGE, reason);
            let bounded = |value| visit.room.take(&value).map(|()| value).map_err(too_large);
            match taken.and_then(bounded) {
                Ok(value) => {
                    self.outputs.insert(output.name().to_owned(), value);
                }
                Err(failed) => self.failures.push(failed),
            }
        }
    }

    fn extracted(&mut self, found: Extracted) -> Value {
        (self.engine, self.sources) = (found.engine, found.sources);
        self.failures.extend(found.missing);
        found.value
    }

    /// What makes the whole request fail: it asked for what cannot be had.
    pub(super) fn fatal(&self) -> Option<&Failed> {
        let fatal = ["selectors_unsupported", "schema_validation_failed"];
        self.failures.iter().find(|failed| fatal.contains(&&*failed.code))
    }

    /// What was wanted and is not there, as time ran out.
    pub(super) fn late(&mut self, input: &FetchInput) {
        for output in &input.output {
            let is_told = self.failures.iter().any(|failed| failed.output == output.name());
            if !self.outputs.contains_key(output.name()) && !is_told {
                self.failures.push(Failed::new(*output, "timeout", "no time was left for it"));
            }
        }
    }
}

/// The code of what is more than this server answers with.
pub(super) const TOO_LARGE: &str = "result_too_large";

/// What an answer may still take, of all that it may: the results of its steps and its outputs together.
pub(super) struct Room {
    most: usize,
    left: AtomicUsize,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self { most, left: AtomicUsize::new(most) }
    }

    /// Bytes.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Takes the room of a value; where there is not so much, the reason in words.
    pub(super) fn take(&self, value: &Value) -> Result<(), String> {
        let bytes = value.as_str().map_or_else(|| value.to_string().len(), str::len);
        let (left, most) = (self.left(), self.most);
        let Some(rest) = left.checked_sub(bytes) else {
            return Err(format!("it has {bytes} bytes; {most} are the most of an answer, of which {left} are left"));
        };
        self.left.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

async fn html(source: &Source<'_>, most: usize) -> Result<String, Failed> {
    match source {
        Source::Page { page, deadline, .. } => {
            let html = page.main_frame().content_within(most, *deadline).await;
            html.map_err(|error| Failed::verb(Output::Html, &error))
        }
        Source::Response(response) => response.text().map_err(|reason| Failed::new(Output::Html, "not_text", reason)),
    }
}

async fn markdown(source: &Source<'_>) -> Result<String, Failed> {
    if let Source::Response(response) = source
        && !response.is_html()
        && let Ok(text) = response.text()
    {
        return Ok(text);
    }
    let (html, base) = source.document(Output::Markdown, false).await?;
    read_aside(Output::Markdown, move || document::markdown(&html, &base, &MarkdownOptions::default())).await
}

/// Reads a document on a thread that may be kept busy.
pub(super) async fn read_aside<T: Send + 'static>(
    output: Output,
    read: impl FnOnce() -> Result<T, DocumentError> + Send + 'static,
) -> Result<T, Failed> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read.map_err(|error| Failed::new(output, error.code(), error.to_string())),
        Err(_) => Err(Failed::new(output, "internal_error", "the document could not be read to its end")),
    }
}

async fn screenshot(app: &App, task: &Task, source: &Source<'_>) -> Result<Value, Failed> {
    let Source::Page { page, deadline, .. } = source else {
        return Err(Failed::new(Output::Screenshot, "unsupported_output", "a screenshot needs a browser: render_js"));
    };
    let options = ScreenshotOptions::default();
    let picture =
        page.screenshot(&options, *deadline).await.map_err(|error| Failed::verb(Output::Screenshot, &error))?;
    Ok(keep(app, task, picture))
}

/// Keeps a picture for a while and answers where it is.
pub(super) fn keep(app: &App, task: &Task, picture: Vec<u8>) -> Value {
    let artifact = Artifact::png(picture);
    let url = app.artifacts.keep(task.caller.tenant(), artifact, &app.base_url());
    let told = json!({"url": url});
    task.events.tell(crate::serve::task::TaskEvent { event: "screenshot".to_owned(), data: told.clone() });
    told
}
