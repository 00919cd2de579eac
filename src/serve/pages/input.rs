//! What page requests are asked, as it stands in their JSON, with its bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::actions::{Action, ActionInput};
use super::extract::ExtractInput;
use crate::base::SessionId;
use crate::page::Selector;
use crate::serve::error::ApiError;

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
    /// What addresses of ours begin with for who asked.
    #[serde(skip)]
    pub(super) base: String,
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

/// The session of a request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionInput {
    /// Its id: any text of 1 to 256 bytes without control characters. Made on first use.
    #[schema(min_length = 1, max_length = 256, example = "acme-login")]
    pub(super) id: String,
    /// The identity that the tenant keeps by this name, from now on the session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    /// How it is opened where another request holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<ModeInput>,
    /// Whether it has a browser profile of its own, which is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<bool>,
    /// How long it is kept unused: milliseconds, a number with a unit (`24h`, `30d`), or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<Ttl>,
}

/// How a session is opened where another request holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeInput {
    /// Waits for it, as long as the request may take: so requests on one session are done in order.
    Wait,
    /// Fails with `session_busy`.
    Fail,
    /// Opens it as it was last saved, whoever holds it, and saves nothing.
    ReadOnly,
    /// Works on a fork of it, named `ID.fork-N`.
    Fork,
}

/// A span of time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "milliseconds, a number with a unit such as \"24h\", or \"never\"")]
pub(super) enum Ttl {
    /// In milliseconds.
    Millis(u64),
    /// As people write it.
    Text(String),
}

impl Ttl {
    /// The span, none for ever; an error in words.
    pub(super) fn span(&self) -> Result<Option<Duration>, String> {
        let span = match self {
            Self::Text(text) if text == "never" => return Ok(None),
            Self::Text(text) => crate::base::parse_duration(text).map_err(|error| error.to_string())?,
            Self::Millis(millis) => Duration::from_millis(*millis),
        };
        let bounds = Duration::from_secs(1)..=Duration::from_hours(24 * 366 * 100);
        match bounds.contains(&span) {
            true => Ok(Some(span)),
            false => Err("a session is kept for one second at least and a hundred years at most".to_owned()),
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

    /// Whether a browser is needed.
    pub(super) fn needs_browser(&self) -> bool {
        let asked = self.render_js == Some(true) || !self.actions.is_empty() || self.wants(Output::Screenshot);
        asked || self.wait_for.is_some() || self.session.as_ref().is_some_and(|session| session.profile == Some(true))
    }

    /// Whether this is among the outputs.
    pub(super) fn wants(&self, output: Output) -> bool {
        self.output.contains(&output)
    }

    /// The name of the identity that is asked for.
    pub(super) fn identity_name(&self) -> Option<&str> {
        self.identity.as_deref().or(self.session.as_ref().and_then(|session| session.identity.as_deref()))
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
        self.check_session()?;
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

    fn check_session(&self) -> Result<(), ApiError> {
        let Some(session) = &self.session else { return Ok(()) };
        SessionId::new(&*session.id).map_err(|error| ApiError::invalid("session.id", error.to_string()))?;
        if let Some(ttl) = &session.ttl {
            ttl.span().map_err(|reason| ApiError::invalid("session.ttl", reason))?;
        }
        match (&self.identity, &session.identity) {
            (Some(one), Some(other)) if one != other => {
                let message =
                    format!("the request's identity is {one:?} and its session's {other:?}: give one of them");
                Err(ApiError::invalid("session.identity", message))
            }
            _ => Ok(()),
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
