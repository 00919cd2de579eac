//! Secrets and their removal from everything that people or files get to see.
//!
//! A [`Secret`] never formats to its value. A [`Redactor`] knows the secrets of one run and replaces their values, also
//! in the encodings that a URL, a JSON text or a Basic header would carry them in, by `***NAME***`. Where a text was cut
//! (`…`), the beginning of one that the cut went through is replaced too.

use std::fmt;
use std::sync::{Arc, RwLock};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use zeroize::Zeroizing;

/// A value that is used but never shown. Cheap to clone.
#[derive(Clone)]
pub struct Secret {
    name: Arc<str>,
    value: Arc<Zeroizing<String>>,
}

impl Secret {
    /// Wraps `value` under the name that stands for it in messages.
    pub fn new(name: &str, value: String) -> Self {
        Self { name: name.into(), value: Arc::new(Zeroizing::new(value)) }
    }

    /// The name that stands for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// A secret with `before` and `after` around its value, for `"Bearer " + secret("X")`.
    #[must_use]
    pub fn surrounded(&self, before: &str, after: &str) -> Self {
        Self::new(&self.name, format!("{before}{}{after}", self.expose()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret({:?})", self.name)
    }
}

/// Values shorter than this would blank out half of every message; they are still opaque as [`Secret`].
const SHORTEST_REDACTED: usize = 4;

/// The secrets of one run. Cheap to clone; all clones share what is known.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<RwLock<Vec<Secret>>>,
    known: Arc<RwLock<Vec<Known>>>,
}

struct Known {
    form: Zeroizing<String>,
    mark: String,
}

impl Redactor {
    /// The secrets that it was told of, also those too short to be replaced wherever they stand.
    pub fn secrets(&self) -> Vec<Secret> {
        self.secrets.read().map(|secrets| secrets.clone()).unwrap_or_default()
    }

    /// Whether nobody has another clone of it: what it learns from now on is of use to nobody else.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.known) == 1
    }

    /// The secret that `text` is, as a whole.
    pub fn secret_of(&self, text: &str) -> Option<Secret> {
        self.secrets.read().ok()?.iter().find(|secret| secret.expose() == text).cloned()
    }

    /// Makes `secret` known: from now on its value is replaced.
    pub fn learn(&self, secret: &Secret) {
        let value = secret.expose();
        if let Ok(mut secrets) = self.secrets.write()
            && !secrets.iter().any(|known| known.name() == secret.name() && known.expose() == value)
        {
            secrets.push(secret.clone());
        }
        if value.len() < SHORTEST_REDACTED {
            return;
        }
        let mark = format!("***{}***", secret.name());
        let Ok(mut known) = self.known.write() else { return };
        for form in encodings(value) {
            if !known.iter().any(|k| *k.form == form) {
                known.push(Known { form: Zeroizing::new(form), mark: mark.clone() });
            }
        }
        // Longest first, so that an encoding which contains another is replaced whole.
        known.sort_by_key(|k| std::cmp::Reverse(k.form.len()));
    }

    /// `text` with every known value replaced, and every beginning of one that an ellipsis follows.
    pub fn redact(&self, text: &str) -> String {
        let Ok(known) = self.known.read() else { return String::new() };
        let whole = known.iter().fold(text.to_owned(), |text, k| {
            if text.contains(k.form.as_str()) { text.replace(k.form.as_str(), &k.mark) } else { text }
        });
        if whole.contains(CUT) { redact_cut(&whole, &known) } else { whole }
    }
}

/// What stands where a text was shortened.
const CUT: char = '…';

/// Replaces what is left of values that were cut: whoever shortens a text (the page itself, for one) knows no secrets.
fn redact_cut(text: &str, known: &[Known]) -> String {
    let mut left: Vec<(usize, usize, &str)> = Vec::new();
    for (end, _) in text.match_indices(CUT) {
        let before = &text[..end];
        let longest = known.iter().map(|k| (beginning_at_end(before, &k.form), k)).max_by_key(|(length, _)| *length);
        let Some((length @ 1.., k)) = longest else { continue };
        // A value with an ellipsis of its own has ended twice; the later end has all of it.
        left.retain(|(_, before, _)| *before <= end - length);
        left.push((end - length, end, &k.mark));
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end, mark) in left {
        out.push_str(&text[from..start]);
        out.push_str(mark);
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// How many bytes at the end of `text` are the beginning of `form`; 0 where they are too few characters to mean it.
fn beginning_at_end(text: &str, form: &str) -> usize {
    let lengths = form.char_indices().skip(SHORTEST_REDACTED).map(|(at, _)| at);
    lengths.filter(|length| text.ends_with(&form[..*length])).last().unwrap_or(0)
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// The value as it stands, percent-encoded (both habits for the space), inside JSON, and in base64.
fn encodings(value: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let json = serde_json::Value::from(value).to_string();
    let base64 = BASE64.encode(value.as_bytes());
    let mut forms = vec![
        value.to_owned(),
        form.replace('+', "%20"),
        form,
        json[1..json.len() - 1].to_owned(),
        base64.trim_end_matches('=').to_owned(),
        base64,
        BASE64URL_NOPAD.encode(value.as_bytes()),
    ];
    forms.sort();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_a_secret_is_replaced() {
        let secret = Secret::new("PW", "p@ss \"w\u{f6}rd\"".to_owned());
        let redactor = Redactor::default();
        redactor.learn(&secret);
        for form in encodings(secret.expose()) {
            assert_eq!(redactor.redact(&format!("<{form}>")), "<***PW***>");
        }
        assert_eq!(redactor.redact("nothing here"), "nothing here");
        assert_eq!(format!("{secret:?}"), "secret(\"PW\")");
    }

    #[test]
    fn the_longer_secret_wins_over_one_that_it_contains() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("A", "swordfish".into()));
        redactor.learn(&Secret::new("B", "swordfish-2".into()));
        assert_eq!(redactor.redact("x swordfish-2 y swordfish"), "x ***B*** y ***A***");
    }

    #[test]
    fn what_is_left_of_a_cut_value_is_replaced() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("KEY", "sk-proj-0123456789".into()));
        redactor.learn(&Secret::new("OTHER", "proj-012 \"x\"".into()));
        let check = |text: &str, wanted: &str| assert_eq!(redactor.redact(text), wanted, "{text}");
        check("value=\"sk-proj-012345…\">", "value=\"***KEY***…\">");
        // The longest wins, and only what stands before a cut is looked at.
        check("a sk-proj-012… b sk-p… sk-p", "a ***KEY***… b ***KEY***… sk-p");
        check("sk-proj-0123456789…", "***KEY***…");
        check("sk-…, …, task-pro", "sk-…, …, task-pro");
        // Its encodings are cut as well.
        check("?q=proj-012+%22x…", "?q=***OTHER***…");
        check("c2stcHJvai0wMTIz…", "***KEY***…");
    }

    #[test]
    fn a_cut_value_may_have_characters_of_many_bytes() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("PW", "žluťoučký kůň… 🐎🐎".into()));
        assert_eq!(redactor.redact("ř žluť…"), "ř ***PW***…");
        assert_eq!(redactor.redact("žlu…"), "žlu…");
        assert_eq!(redactor.redact("žluťoučký kůň… 🐎… dál…"), "***PW***… dál…");
    }

    #[test]
    fn a_very_short_value_does_not_blank_everything() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("A", "a".into()));
        assert_eq!(redactor.redact("banana"), "banana");
        // Alone, it is told for what it is.
        assert_eq!(redactor.secret_of("a").unwrap().name(), "A");
        assert!(redactor.secret_of("b").is_none());
    }
}
