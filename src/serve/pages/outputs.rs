//! What a page request answers with: the page as HTML, Markdown, data or a picture, each on its own, so that one that cannot be
//! had does not cost the others.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::extract::Extracted;
use super::input::{FetchInput, Output};
use super::plain::Response;
use crate::base::Deadline;
use crate::page::{Page, ScreenshotOptions, VerbError};
use crate::serve::app::App;
use crate::serve::artifacts::Artifact;
use crate::serve::task::Task;

/// Where outputs come from.
pub(super) enum Source<'a> {
    /// A page in a browser.
    Page { page: &'a Page, deadline: Deadline },
    /// What a server answered.
    Response(&'a Response),
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
    pub(super) async fn take(&mut self, app: &App, task: &Task, input: &FetchInput, source: &Source<'_>) {
        for output in [Output::Html, Output::Markdown, Output::Json, Output::Screenshot] {
            if !input.wants(output) {
                continue;
            }
            let taken = match output {
                Output::Html => html(source).await.map(Value::from),
                Output::Markdown => markdown(source).await.map(Value::from),
                Output::Json => input.extraction().run(source).await.map(|found| self.extracted(found)),
                Output::Screenshot => screenshot(app, task, source).await,
            };
            match taken {
                Ok(value) => {
                    self.outputs.insert(output.name().to_owned(), value);
                }
                Err(failed) => self.failures.push(failed),
            }
        }
    }

    fn extracted(&mut self, found: Extracted) -> Value {
        self.engine = found.engine;
        self.failures.extend(found.missing);
        found.value
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

async fn html(source: &Source<'_>) -> Result<String, Failed> {
    match source {
        Source::Page { page, deadline } => {
            page.main_frame().content(*deadline).await.map_err(|error| Failed::verb(Output::Html, &error))
        }
        Source::Response(response) => response.text().map_err(|reason| Failed::new(Output::Html, "not_text", reason)),
    }
}

async fn markdown(_: &Source<'_>) -> Result<String, Failed> {
    Err(Failed::new(Output::Markdown, "unsupported_output", "markdown is not there yet"))
}

async fn screenshot(app: &App, task: &Task, source: &Source<'_>) -> Result<Value, Failed> {
    let Source::Page { page, deadline } = source else {
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
    let url = app.artifacts.keep(artifact, &app.base_url());
    let told = json!({"url": url});
    task.events.tell(crate::serve::task::TaskEvent { event: "screenshot".to_owned(), data: told.clone() });
    told
}
