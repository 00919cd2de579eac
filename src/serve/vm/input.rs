//! What `POST /v0/vm` is asked. Its names are Hyperbeam's: what has no meaning here is taken and named in `warnings`; what bears on
//! security and would not be honoured is refused, and so is what nobody knows.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;

use crate::session::{Identity, IdentityProxy};

use super::super::error::ApiError;
use super::super::json;
use super::profile::{Plan, ProfileInput, ProfileInputSchema};

/// The largest picture, in pixels: 1920 by 1080.
const MOST_PIXELS: u32 = 1920 * 1080;
/// The shortest side, in pixels.
const SHORTEST: u32 = 64;
/// Where nothing is said.
const USUAL: (u32, u32, u32) = (1280, 720, 24);
/// Seconds with nobody connected, where nothing is said.
const OFFLINE: f64 = 3600.0;
/// Seconds between a warning and the end, where nothing is said.
const WARNING: f64 = 60.0;
/// The longest time, in seconds: a year.
const LONGEST: f64 = 31_536_000.0;
/// The longest label, in bytes.
const LABEL: usize = 256;

/// Parameters of theirs that have no meaning here.
const NO_MEANING: [&str; 12] = [
    "adblock",
    "draw",
    "force_color_profile",
    "max_area",
    "nsfw",
    "offline_timeout",
    "quality",
    "region",
    "search_engine",
    "touch_gestures",
    "ublock",
    "webgl",
];
/// Parameters of theirs that bear on security, and would not be honoured.
const REFUSED: [&str; 3] = ["auth", "default_roles", "extension"];

/// What a live browser is to be. All of it may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LiveBrowserInput, example = json!({ "start_url": "https://example.com/", "profile": { "save": true } }))]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of theirs")]
pub(in crate::serve) struct VmInput {
    #[schema(value_type = ProfileInputSchema)]
    #[serde(default)]
    pub(super) profile: ProfileInput,
    /// The address of the first tab. Where none is said and a profile is loaded, its tabs come back.
    #[serde(default)]
    pub(super) start_url: Option<String>,
    #[serde(default)]
    pub(super) timeout: TimeoutInput,
    /// Of the picture, in pixels; with `height` no more than 1920 by 1080 pixels together.
    #[schema(minimum = 64)]
    #[serde(default)]
    width: Option<u32>,
    /// Of the picture, in pixels.
    #[schema(minimum = 64)]
    #[serde(default)]
    height: Option<u32>,
    /// Pictures a second, at most.
    #[schema(minimum = 1, maximum = 60)]
    #[serde(default)]
    fps: Option<u32>,
    /// What it calls itself to sites.
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    locale: Option<LocaleInput>,
    /// A proxy that all goes through: `http://USER:PASSWORD@HOST:PORT`.
    #[serde(default)]
    http_proxy: Option<String>,
    /// Whether it asks sites for dark colours.
    #[serde(default)]
    dark: bool,
    /// The picture alone, without tabs and address bar.
    #[serde(default)]
    pub(super) kiosk: bool,
    /// A label for usage, told in the log.
    #[schema(max_length = 256)]
    #[serde(default)]
    pub(super) tenant_id: Option<String>,
    /// Where a live browser of the same tag saves the profile that this one would save, that one is answered.
    #[schema(max_length = 256)]
    #[serde(default)]
    pub(super) tag: Option<String>,
    /// Who joins does not steer before `setPermissions` lets them.
    #[serde(default)]
    pub(super) control_disable_default: bool,
    /// Whether the cursor is not shown.
    #[serde(default)]
    pub(super) hide_cursor: bool,
}

/// When it ends by itself, in seconds; null for never.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LiveBrowserTimeouts)]
pub(super) struct TimeoutInput {
    /// After its start.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(super) absolute: Option<f64>,
    /// After somebody last did something.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(super) inactive: Option<f64>,
    /// After the last one left: 3600 where nothing is said.
    #[serde(default = "offline")]
    #[schema(minimum = 1)]
    pub(super) offline: Option<f64>,
    /// How long before an end it is announced: 60 where nothing is said.
    #[serde(default = "warning")]
    #[schema(minimum = 1)]
    pub(super) warning: Option<f64>,
    /// What is told of its end.
    #[serde(default)]
    pub(super) webhook: Option<WebhookInput>,
}

/// Who is told of its end, by a POST of `{"session_id", "type"}`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LiveBrowserWebhook)]
pub(super) struct WebhookInput {
    /// An address that the server's policy allows.
    pub(super) url: String,
    /// Sent as `Authorization: Bearer ..`.
    #[serde(default)]
    pub(super) bearer: Option<String>,
}

/// The language that sites are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LiveBrowserLocale)]
pub(super) struct LocaleInput {
    /// Two or three letters: `de`.
    language: String,
    /// Two letters: `AT`.
    #[serde(default)]
    country: Option<String>,
}

impl Default for TimeoutInput {
    fn default() -> Self {
        Self { absolute: None, inactive: None, offline: offline(), warning: warning(), webhook: None }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a default is what the field is")]
fn offline() -> Option<f64> {
    Some(OFFLINE)
}

#[expect(clippy::unnecessary_wraps, reason = "a default is what the field is")]
fn warning() -> Option<f64> {
    Some(WARNING)
}

/// The picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
}

/// Reads a body, which may be empty; what of it has no meaning here.
pub(super) fn read(body: &[u8]) -> Result<(VmInput, Vec<String>), ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok((VmInput::default(), Vec::new()));
    }
    let mut members: Map<String, Value> = json::read(body)?;
    if let Some(name) = REFUSED.iter().find(|name| members.contains_key(**name)) {
        let message = format!("{name}: it bears on who may do what, and is not honoured here: leave it out");
        return Err(ApiError::invalid(name, message));
    }
    let passed_over = NO_MEANING.iter().filter(|name| members.remove(**name).is_some());
    let warnings = passed_over.map(|name| format!("{name} has no meaning here")).collect();
    let input: VmInput = json::read(Value::Object(members).to_string().as_bytes())?;
    input.check()?;
    Ok((input, warnings))
}

impl VmInput {
    /// What can be told to be wrong with it before anything is begun.
    fn check(&self) -> Result<(), ApiError> {
        self.plan()?;
        self.identity()?;
        self.picture()?;
        self.timeout.check()?;
        if let Some(url) = &self.start_url {
            check_address("start_url", url)?;
        }
        for (name, label) in [("tenant_id", &self.tenant_id), ("tag", &self.tag)] {
            if label.as_ref().is_some_and(|label| label.is_empty() || label.len() > LABEL) {
                return Err(ApiError::invalid(name, format!("{name}: 1 to {LABEL} bytes")));
            }
        }
        Ok(())
    }

    /// What is loaded and saved.
    pub(super) fn plan(&self) -> Result<Plan, ApiError> {
        let what = "profile.save: an id says what is saved over; say with load what to begin with, or with true that it is new";
        self.profile.plan().ok_or_else(|| ApiError::invalid("profile.save", what))
    }

    /// What sites are told, and the way to them.
    pub(super) fn identity(&self) -> Result<Identity, ApiError> {
        let identity = Identity {
            user_agent: self.user_agent.clone(),
            locale: self.language()?,
            color_scheme: self.dark.then(|| "dark".to_owned()),
            proxy: self.proxy()?,
            ..Identity::default()
        };
        // All else of it was looked at.
        identity.checked().map_err(|error| ApiError::invalid("user_agent", format!("user_agent: {error}")))
    }

    /// The proxy that it goes out through.
    fn proxy(&self) -> Result<Option<IdentityProxy>, ApiError> {
        let parsed = self.http_proxy.as_deref().map(IdentityProxy::parse).transpose();
        // The address may hold a password, and is not told.
        parsed.map_err(|error| ApiError::invalid("http_proxy", format!("http_proxy: {error}")))
    }

    /// Its size and rate.
    pub(super) fn picture(&self) -> Result<Picture, ApiError> {
        let (width, height, fps) =
            (self.width.unwrap_or(USUAL.0), self.height.unwrap_or(USUAL.1), self.fps.unwrap_or(USUAL.2));
        if width < SHORTEST || height < SHORTEST || width.saturating_mul(height) > MOST_PIXELS {
            let name = if self.width.is_some() { "width" } else { "height" };
            let message =
                format!("{name}: at least {SHORTEST} each way, and 1920x1080 pixels together; found {width}x{height}");
            return Err(ApiError::invalid(name, message));
        }
        if !(1..=60).contains(&fps) {
            return Err(ApiError::invalid("fps", format!("fps: from 1 to 60, found {fps}")));
        }
        Ok(Picture { width, height, fps })
    }

    /// The language that sites are asked for: `de-AT`.
    fn language(&self) -> Result<Option<String>, ApiError> {
        let Some(LocaleInput { language, country }) = &self.locale else { return Ok(None) };
        let letters = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        if !letters(language, 2..=3) {
            return Err(ApiError::invalid("locale.language", "locale.language: two or three letters, as \"de\""));
        }
        match country {
            None => Ok(Some(language.to_ascii_lowercase())),
            Some(country) if letters(country, 2..=2) => {
                Ok(Some(format!("{}-{}", language.to_ascii_lowercase(), country.to_ascii_uppercase())))
            }
            Some(_) => Err(ApiError::invalid("locale.country", "locale.country: two letters, as \"AT\"")),
        }
    }
}

impl TimeoutInput {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let all = [
            ("absolute", self.absolute),
            ("inactive", self.inactive),
            ("offline", self.offline),
            ("warning", self.warning),
        ];
        for (name, seconds) in all {
            if seconds.is_some_and(|seconds| !(1.0..=LONGEST).contains(&seconds)) {
                let message = format!("timeout.{name}: seconds from 1 to a year, or null for never");
                return Err(ApiError::invalid(&format!("timeout.{name}"), message));
            }
        }
        if let Some(webhook) = &self.webhook {
            check_address("timeout.webhook.url", &webhook.url)?;
        }
        Ok(())
    }

    /// Takes of `others` what is `named`; the rest stays as it is.
    pub(super) fn take(&mut self, others: Self, named: impl Fn(&str) -> bool) {
        let times = [
            ("absolute", &mut self.absolute, others.absolute),
            ("inactive", &mut self.inactive, others.inactive),
            ("offline", &mut self.offline, others.offline),
            ("warning", &mut self.warning, others.warning),
        ];
        for (name, mine, theirs) in times {
            if named(name) {
                *mine = theirs;
            }
        }
        if named("webhook") {
            self.webhook = others.webhook;
        }
    }

    /// One of them as a span of time.
    pub(super) fn span(seconds: Option<f64>) -> Option<Duration> {
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

fn check_address(name: &str, address: &str) -> Result<(), ApiError> {
    let is_of_the_web = Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_of_the_web || (name == "start_url" && address == "about:blank") {
        return Ok(());
    }
    Err(ApiError::invalid(name, format!("{name}: an address that begins with http:// or https://")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (String, String) {
        let error = read(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, "invalid_request", "{body}");
        (error.details["path"].as_str().unwrap().to_owned(), error.message.clone())
    }

    #[test]
    fn nothing_need_be_said() {
        for body in ["", " \n", "{}"] {
            let (input, warnings) = read(body.as_bytes()).unwrap();
            assert_eq!(input.picture().unwrap(), Picture { width: 1280, height: 720, fps: 24 });
            assert_eq!((input.timeout.offline, input.timeout.warning), (Some(OFFLINE), Some(WARNING)));
            assert!(warnings.is_empty() && input.timeout.absolute.is_none());
        }
        let (input, _) = read(br#"{"timeout": {"offline": null, "absolute": 1.5}}"#).unwrap();
        assert_eq!((input.timeout.offline, input.timeout.warning), (None, Some(WARNING)));
        assert_eq!(TimeoutInput::span(input.timeout.absolute), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_has_no_meaning_is_named_and_what_bears_on_security_refused() {
        let (_, warnings) = read(br#"{"region": "EU", "ublock": true, "quality": {"mode": "sharp"}}"#).unwrap();
        assert_eq!(
            warnings,
            ["quality has no meaning here", "region has no meaning here", "ublock has no meaning here"]
        );
        for name in REFUSED {
            assert_eq!(refused(&format!(r#"{{"{name}": {{}}}}"#)).0, name);
        }
        assert_eq!(refused(r#"{"start_ur": "x"}"#).0, "start_ur");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, path) in [
            (r#"{"width": 1921, "height": 1080}"#, "width"),
            (r#"{"height": 10}"#, "height"),
            (r#"{"fps": 0}"#, "fps"),
            (r#"{"fps": 61}"#, "fps"),
            (r#"{"start_url": "file:///etc/passwd"}"#, "start_url"),
            (r#"{"timeout": {"absolute": 0}}"#, "timeout.absolute"),
            (r#"{"timeout": {"offline": -1}}"#, "timeout.offline"),
            (r#"{"timeout": {"webhook": {"url": "ftp://a"}}}"#, "timeout.webhook.url"),
            (r#"{"timeout": {"abs": 1}}"#, "timeout.abs"),
            (r#"{"locale": {"language": "german"}}"#, "locale.language"),
            (r#"{"locale": {"language": "de", "country": "A"}}"#, "locale.country"),
            (r#"{"tag": ""}"#, "tag"),
            (r#"{"profile": 7}"#, "profile"),
            (r#"{"profile": {"load": ""}}"#, "profile"),
            (r#"{"profile": {"save": "a"}}"#, "profile.save"),
            (r#"{"profile": {"lode": "a"}}"#, "profile.lode"),
        ] {
            assert_eq!(refused(body).0, path, "{body}");
        }
        let (input, _) =
            read(br#"{"locale": {"language": "DE", "country": "at"}, "width": 1080, "height": 1920}"#).unwrap();
        assert_eq!(input.language().unwrap().as_deref(), Some("de-AT"));
    }
}
