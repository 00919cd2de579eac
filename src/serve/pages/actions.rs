//! Actions: what each is asked, and its bounds. As they come they are one flat object, so that what is wrong is told with its
//! place; checked, each is what it is.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::input::{check_selector, check_url};
use crate::page::{InputFile, PageError};
use crate::serve::error::ApiError;

/// The longest wait of an action, in milliseconds.
const LONGEST_WAIT: u64 = 300_000;
/// The furthest that a page is scrolled at once, in CSS pixels.
const FURTHEST: u64 = 1_000_000;
/// The most files of one action.
const MOST_FILES: usize = 100;

/// An action as it comes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ActionInput {
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settle_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_stable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_page: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<Upload>>,
}

/// The kinds of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Goto,
    Click,
    Type,
    Fill,
    Select,
    Press,
    Hover,
    Check,
    Uncheck,
    Upload,
    Scroll,
    WaitFor,
    WaitMs,
    Screenshot,
    Evaluate,
    Script,
}

/// One thing to do on a page. An action on several matches takes the first, unless `strict` refuses that.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    /// Goes to an address; none: loads the page again.
    Goto {
        #[schema(max_length = 8192, format = "uri")]
        url: Option<String>,
    },
    /// Clicks, then waits for as long as `settle_ms` says.
    Click {
        selector: String,
        #[schema(maximum = 300_000)]
        settle_ms: Option<u64>,
    },
    /// Presses key after key, behind what the field holds.
    Type { selector: String, value: Text },
    /// Puts the value into the field, in place of what it holds.
    Fill { selector: String, value: Text },
    /// Selects the option with this value or label.
    Select { selector: String, value: Text },
    /// Presses a key or chord (`Enter`, `Control+A`), on the element or wherever the focus is.
    Press { key: String, selector: Option<String> },
    /// Moves the mouse there.
    Hover { selector: String },
    /// Checks a checkbox or radio button.
    Check { selector: String },
    /// Takes the check away.
    Uncheck { selector: String },
    /// Gives files to an `<input type=file>` or the one that a label belongs to, in place of those that it has; none empties it.
    Upload {
        selector: String,
        #[schema(max_items = 100)]
        files: Vec<Upload>,
    },
    /// Scrolls the page, or what the selector names, by `amount` CSS pixels; by what is seen of it where that is left out.
    Scroll {
        selector: Option<String>,
        #[serde(default)]
        direction: Direction,
        #[schema(minimum = 1, maximum = 1_000_000)]
        amount: Option<u64>,
        /// Again and again until nothing more comes.
        #[serde(default)]
        until_stable: bool,
    },
    /// Waits until something that it matches is in the document.
    WaitFor {
        selector: String,
        #[schema(minimum = 1, maximum = 300_000)]
        timeout_ms: Option<u64>,
        /// Nothing there in time is no failure.
        #[serde(default)]
        optional: bool,
    },
    /// Waits.
    WaitMs {
        #[schema(maximum = 300_000)]
        duration_ms: u64,
    },
    /// Takes a picture.
    Screenshot {
        selector: Option<String>,
        #[serde(default)]
        full_page: bool,
    },
    /// Evaluates JavaScript in the page; its step has the `result`.
    Evaluate { expression: String, argument: Option<Value> },
    /// Runs a script on the session; its step has the `result`.
    Script { source: String },
}

/// A file that a page is given.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    /// Its name, without a folder.
    #[schema(min_length = 1, max_length = 255, example = "me.png")]
    name: String,
    /// Its type; the one that its name's ending says where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "image/png")]
    mime_type: Option<String>,
    /// What is in it, in base64.
    #[schema(format = Byte)]
    content: String,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is in it is nobody's business.
        write!(f, "Upload({:?}, ..)", self.name)
    }
}

impl Upload {
    /// The file; what is wrong with it as the name of the member and a reason.
    pub(super) fn file(&self) -> Result<InputFile, (&'static str, String)> {
        let wrong = |error| ("content", format!("this is no base64 (RFC 4648, with its padding): {error}"));
        let content = BASE64.decode(self.content.as_bytes()).map_err(wrong)?;
        let told = |member, error: PageError| (member, error.to_string());
        InputFile::new(&self.name, None, Vec::new()).map_err(|error| told("name", error))?;
        InputFile::new(&self.name, self.mime_type.as_deref(), content).map_err(|error| told("mime_type", error))
    }
}

/// Text, or a secret of the tenant's vault by its name.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a text, or {\"secret\": NAME}")]
pub(super) enum Text {
    /// As it stands.
    Plain(String),
    /// The secret by this name.
    Secret(SecretName),
}

/// Names a secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretName {
    /// Its name in the vault.
    pub(super) secret: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // It may be a password that somebody has written out.
            Self::Plain(_) => f.write_str("Plain(..)"),
            Self::Secret(name) => write!(f, "{name:?}"),
        }
    }
}

/// Which way to scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    #[default]
    Down,
    Up,
}

impl Action {
    /// Its kind, as it is written.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Goto { .. } => "goto",
            Self::Click { .. } => "click",
            Self::Type { .. } => "type",
            Self::Fill { .. } => "fill",
            Self::Select { .. } => "select",
            Self::Press { .. } => "press",
            Self::Hover { .. } => "hover",
            Self::Check { .. } => "check",
            Self::Uncheck { .. } => "uncheck",
            Self::Upload { .. } => "upload",
            Self::Scroll { .. } => "scroll",
            Self::WaitFor { .. } => "wait_for",
            Self::WaitMs { .. } => "wait_ms",
            Self::Screenshot { .. } => "screenshot",
            Self::Evaluate { .. } => "evaluate",
            Self::Script { .. } => "script",
        }
    }

    /// The secret that it needs, by name.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Self::Type { value, .. } | Self::Fill { value, .. } | Self::Select { value, .. } => match value {
                Text::Secret(name) => Some(&name.secret),
                Text::Plain(_) => None,
            },
            _ => None,
        }
    }
}

impl ActionInput {
    /// The action, and whether it refuses several matches. `path` is its place in the JSON.
    pub(super) fn checked(&self, path: &str) -> Result<(Action, bool), ApiError> {
        let at = |member: &str| format!("{path}.{member}");
        if self.kind.is_none() {
            return Err(ApiError::invalid(&at("type"), format!("{path}: the type of the action is missing")));
        }
        self.check_values(&at)?;
        let bare = Self { strict: None, ..self.clone() };
        let value = serde_json::to_value(&bare).map_err(|error| ApiError::internal(error.to_string()))?;
        let action: Action = serde_json::from_value(value).map_err(|error| {
            let message = error.to_string();
            // "missing field `url`", "unknown field `url`, expected .."
            let member = message.split('`').nth(1).unwrap_or("type");
            let unknown = message.starts_with("unknown");
            let told = if unknown { format!("{} has no {member}", self.name()) } else { message.clone() };
            ApiError::invalid(&at(member), format!("{path}: {told}"))
        })?;
        if self.strict.is_some() && self.selector.is_none() {
            return Err(ApiError::invalid(&at("strict"), format!("{path}: strict is for actions with a selector")));
        }
        Ok((action, self.strict.unwrap_or_default()))
    }

    fn name(&self) -> String {
        let kind = self.kind.and_then(|kind| serde_json::to_value(kind).ok());
        kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn check_values(&self, at: &impl Fn(&str) -> String) -> Result<(), ApiError> {
        let wrong = |member: &str, reason: String| ApiError::invalid(&at(member), format!("{}: {reason}", at(member)));
        if let Some(selector) = &self.selector {
            check_selector(selector).map_err(|reason| wrong("selector", reason))?;
        }
        if let Some(url) = &self.url {
            check_url(url).map_err(|reason| wrong("url", reason))?;
        }
        let files = self.files.as_deref().unwrap_or_default();
        if files.len() > MOST_FILES {
            return Err(wrong("files", format!("there are {}, of which {MOST_FILES} are the most", files.len())));
        }
        for (number, file) in files.iter().enumerate() {
            file.file().map_err(|(member, reason)| wrong(&format!("files[{number}].{member}"), reason))?;
        }
        let numbers = [
            ("settle_ms", self.settle_ms, 0..=LONGEST_WAIT),
            ("timeout_ms", self.timeout_ms, 1..=LONGEST_WAIT),
            ("duration_ms", self.duration_ms, 0..=LONGEST_WAIT),
            ("amount", self.amount, 1..=FURTHEST),
        ];
        for (member, number, bounds) in numbers {
            if let Some(number) = number.filter(|number| !bounds.contains(number)) {
                let reason = format!("{} to {} are possible, found {number}", bounds.start(), bounds.end());
                return Err(wrong(member, reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(action: Value) -> Result<(Action, bool), (String, String)> {
        let input: ActionInput = serde_json::from_value(action).unwrap();
        input.checked("actions[0]").map_err(|error| (error.details["path"].as_str().unwrap().to_owned(), error.message))
    }

    fn upload(file: &Value) -> Value {
        json!({"type": "upload", "selector": "#a", "files": [file]})
    }

    #[test]
    fn what_an_action_lacks_or_has_too_much_is_told_with_its_place() {
        for (action, path) in [
            (json!({}), "actions[0].type"),
            (json!({"type": "click"}), "actions[0].selector"),
            (json!({"type": "click", "selector": "#a", "value": "x"}), "actions[0].value"),
            (json!({"type": "click", "selector": "div >>"}), "actions[0].selector"),
            (json!({"type": "type", "selector": "#a"}), "actions[0].value"),
            (json!({"type": "goto", "url": "nowhere"}), "actions[0].url"),
            (json!({"type": "goto", "strict": true}), "actions[0].strict"),
            (json!({"type": "wait_ms", "duration_ms": 300_001}), "actions[0].duration_ms"),
            (json!({"type": "wait_for", "selector": "#a", "timeout_ms": 0}), "actions[0].timeout_ms"),
            (json!({"type": "scroll", "amount": 0}), "actions[0].amount"),
            (json!({"type": "upload", "selector": "#a"}), "actions[0].files"),
            (upload(&json!({"name": "a", "content": "not base64"})), "actions[0].files[0].content"),
            (upload(&json!({"name": "../a", "content": ""})), "actions[0].files[0].name"),
            (upload(&json!({"name": "a", "content": "", "mime_type": "text"})), "actions[0].files[0].mime_type"),
        ] {
            let (found, message) = check(action.clone()).unwrap_err();
            assert_eq!(found, path, "{action}: {message}");
        }
    }

    #[test]
    fn every_action_of_the_contract_is_taken() {
        for action in [
            json!({"type": "goto"}),
            json!({"type": "goto", "url": "https://a.example/"}),
            json!({"type": "click", "selector": "#go", "settle_ms": 500, "strict": true}),
            json!({"type": "type", "selector": "#email", "value": "a@b.c"}),
            json!({"type": "type", "selector": "#password", "value": {"secret": "PASSWORD"}}),
            json!({"type": "select", "selector": "select", "value": "de"}),
            json!({"type": "press", "key": "Enter"}),
            json!({"type": "press", "key": "Enter", "selector": "#q"}),
            json!({"type": "scroll"}),
            json!({"type": "scroll", "direction": "up", "amount": 300, "until_stable": true}),
            json!({"type": "wait_for", "selector": ".x", "timeout_ms": 10, "optional": true}),
            json!({"type": "wait_ms", "duration_ms": 0}),
            json!({"type": "fill", "selector": "#a", "value": ""}),
            json!({"type": "hover", "selector": "#a"}),
            json!({"type": "check", "selector": "#a"}),
            json!({"type": "uncheck", "selector": "#a"}),
            json!({"type": "upload", "selector": "#a", "files": []}),
            upload(&json!({"name": "a.txt", "mime_type": "text/plain", "content": "aGVsbG8="})),
            json!({"type": "screenshot", "full_page": true}),
            json!({"type": "evaluate", "expression": "x => x", "argument": 1}),
            json!({"type": "script", "source": "title()"}),
        ] {
            let (checked, _) = check(action.clone()).unwrap();
            assert_eq!(checked.name(), action["type"].as_str().unwrap());
        }
        let secret = check(json!({"type": "fill", "selector": "#a", "value": {"secret": "S"}})).unwrap();
        assert_eq!(secret.0.secret(), Some("S"));
    }
}
