//! One running verb: its deadline, its call log, and what it was missing last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;

use crate::base::Deadline;

use super::inner::Inner;
use super::selector::{Matcher, Selector, Step};
use super::world::Arg;
use super::{CallLog, PageError, VerbError};

/// What a verb answers at the edge of the floor.
pub(super) type Result<T> = std::result::Result<T, Box<VerbError>>;

static TOKENS: AtomicU64 = AtomicU64::new(1);

/// The state of one call of a verb.
pub(super) struct Verb {
    pub deadline: Deadline,
    pub log: CallLog,
    /// What was missing last, for the timeout's message.
    pub missing: String,
    /// The frame in which nothing matched, and the selector, for "closest".
    pub unmatched: Option<(String, Selector)>,
    /// Names this call in the page.
    pub token: String,
    /// The element that was matched last, so that it is logged once.
    matched: String,
}

impl Verb {
    pub fn new(deadline: Deadline, missing: impl Into<String>) -> Self {
        let token = TOKENS.fetch_add(1, Ordering::Relaxed).to_string();
        Self {
            deadline,
            log: CallLog::default(),
            missing: missing.into(),
            unmatched: None,
            token,
            matched: String::new(),
        }
    }

    /// Logs which element it is about, where that has changed.
    pub fn matched(&mut self, what: &str) {
        if !what.is_empty() && self.matched != what {
            self.log.line(format!("matched {what}"));
            what.clone_into(&mut self.matched);
        }
    }

    /// Logs, and remembers it as what is missing.
    pub fn miss(&mut self, what: &str) {
        self.log.line(what);
        what.clone_into(&mut self.missing);
    }

    /// Ends the verb: its value, or its error with the log and the closest elements.
    pub async fn end<T>(self, page: &Inner, outcome: Option<std::result::Result<T, PageError>>) -> Result<T> {
        let error = match outcome {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => PageError::Timeout { after: self.deadline.span(), waiting_for: self.missing.clone() },
        };
        let closest = match (&error, &self.unmatched) {
            (PageError::Timeout { .. }, Some((frame, selector))) => closest(page, frame, selector).await,
            _ => Vec::new(),
        };
        Err(Box::new(VerbError { error, log: self.log, closest }))
    }
}

/// What the injected code answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    /// Its kind.
    pub t: String,
    pub why: String,
    pub what: String,
    pub at: usize,
    pub n: usize,
    pub list: Vec<(String, String)>,
    pub point: Option<(f64, f64)>,
    #[serde(rename = "box")]
    pub rect: Option<[f64; 4]>,
    pub covered: bool,
    pub by: String,
    pub value: serde_json::Value,
}

/// How long the search for near elements may hold up an error.
const CLOSEST_WITHIN: Duration = Duration::from_millis(500);

/// Elements near to what the selector asked for; best effort, a hanging page gives none.
async fn closest(page: &Inner, frame: &str, selector: &Selector) -> Vec<(String, String)> {
    let (words, tag) = words_of(selector);
    if words.is_empty() && tag.is_empty() {
        return Vec::new();
    }
    let args = [Arg::Value(words.into()), Arg::Value(tag.into())];
    let call = page.call(frame, "closest", &args);
    let Ok(Ok(found)) = tokio::time::timeout(CLOSEST_WITHIN, call).await else { return Vec::new() };
    serde_json::from_value(found).unwrap_or_default()
}

/// What a selector's author had in mind: names, ids, classes and texts, and the tag of the last compound.
fn words_of(selector: &Selector) -> (Vec<String>, String) {
    let mut words = Vec::new();
    let mut tag = String::new();
    let mut text = |matcher: &Matcher| match matcher {
        Matcher::Sub { v } | Matcher::Exact { v } | Matcher::Re { v, .. } => words.push(v.clone()),
    };
    match selector.steps().iter().rev().find(|step| !matches!(step, Step::Nth { .. } | Step::Visible { .. })) {
        Some(Step::Text { m } | Step::Label { m } | Step::Attr { m, .. }) => text(m),
        Some(Step::Role(role)) => {
            words.extend(role.name.as_ref().map(|name| name.words().to_owned()));
        }
        Some(Step::Css { .. }) => {
            let source = selector.source().rsplit(">>").next().unwrap_or_default();
            let last = source.split_whitespace().next_back().unwrap_or_default();
            tag = last.chars().take_while(char::is_ascii_alphanumeric).collect();
            let split = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
            words.extend(source.split(split).filter(|word| word.len() > 1).map(str::to_owned));
        }
        Some(Step::Xpath { x }) => {
            let split = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
            words.extend(x.split(split).filter(|word| word.len() > 1).map(str::to_owned));
        }
        _ => {}
    }
    (words, tag)
}
