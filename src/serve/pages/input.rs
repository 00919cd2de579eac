//! What page requests are asked, as it stands in their JSON, with its bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::actions::{Action, ActionInput};
use super::extract::ExtractInput;
use crate::page::Selector;
use crate::serve::error::ApiError;
use crate::serve::failures;
use crate::serve::session_input::{SessionInput, SessionInputSchema};
use crate::session::SessionOutcome;

/// How long a request may take where it does not say, in milliseconds.
const USUAL_TIMEOUT: u64 = 30_000;
/// The longest that a request may take, in milliseconds.
const LONGEST: u64 = 300_000;
/// The longest URL, in bytes.
const LONGEST_URL: usize = 8_192;
/// The most actions of one request.
const MOST_ACTIONS: usize = 100;

/// What `/v1/fetch` is asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct FetchInput {
    /// The page's address, http or https.
    #[schema(max_length = 8192, format = "uri", example = "https://shop.example.com/account/orders")]
    pub(super) url: String,
    /// Whether a browser reads the page. False, as by default: plain HTTP with the session's cookies. `actions`, `wait_for` and a
    /// screenshot need a browser and so imply it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(default = false)]
    pub(super) render_js: Option<bool>,
    /// The kind of device that the site is told of; as the session had it where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<Device>,
    /// The session: loaded before the page is asked for, saved after. None: nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SessionInputSchema>)]
    pub(super) session: Option<SessionInput>,
    /// What to do on the page once it has loaded, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100, value_type = Vec<Action>)]
    pub(super) actions: Vec<ActionInput>,
    /// What to answer with.
    #[serde(default = "html")]
    #[schema(default = json!(["html"]))]
    pub(super) output: Vec<Output>,
    /// What the `json` output holds; what the page says of itself (mode `page`) where nothing is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extract: Option<ExtractInput>,
    /// What to wait for once the page has loaded, before any action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wait_for: Option<WaitFor>,
    /// How long it may take, in milliseconds.
    #[serde(default = "usual_timeout")]
    #[schema(minimum = 1, maximum = 300_000, default = 30_000)]
    pub(super) timeout_ms: u64,
    /// The identity that the tenant keeps by this name: what the site is told of the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    /// Whether to go through the proxy that the server was started with. `proxy_unavailable` where it was started with none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) use_proxy: bool,
    /// What to find on the page, in words, for a language model: as `extract` with mode `instruction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prompt: Option<String>,
}

/// What `/v1/interact` is asked: as a fetch, with at least one action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::serve) struct InteractInput(pub(super) FetchInput);

impl utoipa::PartialSchema for InteractInput {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::{RefOr, Schema};
        let mut schema = FetchInput::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some("What `/v1/interact` is asked: as a fetch, with at least one action.".to_owned());
            object.required.push("actions".to_owned());
            if let Some(RefOr::T(Schema::Array(actions))) = object.properties.get_mut("actions") {
                actions.min_items = Some(1);
            }
        }
        schema
    }
}

impl ToSchema for InteractInput {
    fn name() -> std::borrow::Cow<'static, str> {
        "InteractInput".into()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        FetchInput::schemas(schemas);
    }
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Device {
    /// Chrome on a desktop, 1280 x 720.
    Desktop,
    /// Chrome on a phone, 412 x 839, touched.
    Mobile,
    /// Chrome on a tablet, 640 x 1024, touched.
    Tablet,
}

impl Device {
    /// Its name in the table of devices.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Desktop => "Desktop Chrome",
            Self::Mobile => "Pixel 7",
            Self::Tablet => "Galaxy Tab S9",
        }
    }
}

/// One kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Output {
    /// The document as HTML; of a response that is no HTML, its text.
    Html,
    /// The page's main content as Markdown.
    Markdown,
    /// What `extract` asks for.
    Json,
    /// A picture of the page, behind an address that works for 15 minutes.
    Screenshot,
}

impl Output {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Screenshot => "screenshot",
        }
    }
}

/// What to wait for once the page has loaded.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitFor {
    /// Until something that it matches is in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<String>,
    /// Until there was no network traffic for 500 ms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) network_idle: bool,
}

fn html() -> Vec<Output> {
    vec![Output::Html]
}

fn usual_timeout() -> u64 {
    USUAL_TIMEOUT
}

impl FetchInput {
    /// How long it may take.
    pub(in crate::serve) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The session that it works in, where that is to be saved.
    pub(in crate::serve) fn session_id(&self) -> Option<&str> {
        let session = self.session.as_ref().filter(|session| session.is_saved())?;
        Some(session.id.as_str())
    }

    /// The session that is named.
    pub(in crate::serve) fn session_mut(&mut self) -> Option<&mut SessionInput> {
        self.session.as_mut()
    }

    /// `session`: what became of the one that is named, null where none is.
    pub(in crate::serve) fn session_members(&self, outcomes: &[SessionOutcome]) -> Map<String, Value> {
        let told = self.session.as_ref().map(|session| failures::told_of(&session.id, outcomes));
        Map::from_iter([("session".to_owned(), told.unwrap_or_default())])
    }

    /// Whether a browser is needed.
    pub(super) fn needs_browser(&self) -> bool {
        let asked = self.render_js == Some(true) || !self.actions.is_empty() || self.wants(Output::Screenshot);
        asked || self.wait_for.is_some() || self.session.as_ref().is_some_and(|session| session.profile == Some(true))
    }

    /// Whether this is among the outputs.
    pub(super) fn wants(&self, output: Output) -> bool {
        self.output.contains(&output)
    }

    /// What is to be extracted.
    pub(super) fn extraction(&self) -> ExtractInput {
        match (&self.extract, &self.prompt) {
            (Some(extract), _) => extract.clone(),
            (None, Some(prompt)) => ExtractInput::instruction(prompt.clone()),
            (None, None) => ExtractInput::page(),
        }
    }

    /// Checks what types alone do not; the error names the place in the JSON.
    pub(in crate::serve) fn check(&self) -> Result<(), ApiError> {
        check_url(&self.url).map_err(|reason| ApiError::invalid("url", reason))?;
        if !(1..=LONGEST).contains(&self.timeout_ms) {
            let message = format!("timeout_ms is 1 to {LONGEST} milliseconds, found {}", self.timeout_ms);
            return Err(ApiError::invalid("timeout_ms", message));
        }
        self.check_outputs()?;
        self.check_browser()?;
        if let Some(selector) = self.wait_for.as_ref().and_then(|wait| wait.selector.as_deref()) {
            check_selector(selector).map_err(|reason| ApiError::invalid("wait_for.selector", reason))?;
        }
        self.steps().map(drop)
    }

    fn check_outputs(&self) -> Result<(), ApiError> {
        let json = self.wants(Output::Json);
        let name = match (&self.extract, &self.prompt) {
            (Some(_), Some(_)) => {
                let message = "prompt and extract both say what to extract: give one of them";
                return Err(ApiError::invalid("prompt", message));
            }
            (Some(_), None) => "extract",
            (None, Some(_)) => "prompt",
            (None, None) => return Ok(()),
        };
        if !json {
            let message = format!("{name} fills the output \"json\", which is not asked for: add it to output");
            return Err(ApiError::invalid(name, message));
        }
        self.extract.as_ref().map_or(Ok(()), ExtractInput::check)
    }

    /// What needs a browser is not for who wants none.
    fn check_browser(&self) -> Result<(), ApiError> {
        if self.render_js != Some(false) || !self.actions.is_empty() {
            return Ok(());
        }
        let profile = self.session.as_ref().is_some_and(|session| session.profile == Some(true));
        let needing = [
            (self.wants(Output::Screenshot), "output", "a screenshot"),
            (self.wait_for.is_some(), "wait_for", "wait_for"),
            (profile, "session.profile", "a profile session"),
        ];
        match needing.into_iter().find(|(needs, ..)| *needs) {
            Some((_, path, what)) => {
                Err(ApiError::invalid(path, format!("{what} needs a browser: leave render_js out, or make it true")))
            }
            None => Ok(()),
        }
    }

    /// The actions, checked.
    pub(super) fn steps(&self) -> Result<Vec<(Action, bool)>, ApiError> {
        if self.actions.len() > MOST_ACTIONS {
            let message = format!("there are {} actions, of which {MOST_ACTIONS} are the most", self.actions.len());
            return Err(ApiError::invalid("actions", message));
        }
        self.actions.iter().enumerate().map(|(at, action)| action.checked(&format!("actions[{at}]"))).collect()
    }
}

impl InteractInput {
    /// How long it may take.
    pub(in crate::serve) fn timeout(&self) -> Duration {
        self.0.timeout()
    }

    /// The session that it works in, where that is to be saved.
    pub(in crate::serve) fn session_id(&self) -> Option<&str> {
        self.0.session_id()
    }

    /// The session that is named.
    pub(in crate::serve) fn session_mut(&mut self) -> Option<&mut SessionInput> {
        self.0.session_mut()
    }

    /// `session`: what became of the one that is named, null where none is.
    pub(in crate::serve) fn session_members(&self, outcomes: &[SessionOutcome]) -> Map<String, Value> {
        self.0.session_members(outcomes)
    }

    /// Checks what types alone do not; the error names the place in the JSON.
    pub(in crate::serve) fn check(&self) -> Result<(), ApiError> {
        if self.0.actions.is_empty() {
            return Err(ApiError::invalid("actions", "at least one action is wanted; /v1/fetch reads without any"));
        }
        self.0.check()
    }
}

/// Whether a page may be asked for by this address; an error in words.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    if url.len() > LONGEST_URL {
        return Err(format!("a URL has {LONGEST_URL} bytes at the most, this one has {}", url.len()));
    }
    match url::Url::parse(url) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("a URL such as \"https://example.com/\" is wanted, this is none: {error}")),
    }
}

/// Whether this is a selector; an error in words.
pub(super) fn check_selector(selector: &str) -> Result<(), String> {
    Selector::parse(selector).map(drop).map_err(|error| error.to_string())
}
