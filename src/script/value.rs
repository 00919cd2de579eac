//! Values of scripts as JSON and back. Rhai's maps are sorted by key, so the order of keys is alphabetical.

use data_encoding::BASE64;
use rhai::{Array, Blob, Dynamic, FnPtr, Map};
use serde_json::{Number, Value};

use crate::base::{Redactor, Secret};
use crate::page::Page;
use crate::session::Session;

use super::ScriptError;
use super::secret::exposed;

/// The largest float below which every integer has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A script's value as JSON. `()` is null, a char is a string, a blob is base64, numbers that JSON lacks (infinities, NaN)
/// are null. Secrets and functions are errors.
pub fn to_json(value: &Dynamic) -> Result<Value, ScriptError> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::from(text.as_str()));
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Value::from(flag));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::from(number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(Number::from_f64(number).map_or(Value::Null, Value::Number));
    }
    if let Ok(char) = value.as_char() {
        return Ok(Value::from(char.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(to_json).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value)?))).collect();
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(Value::from(BASE64.encode(&bytes)));
    }
    foreign_to_json(value)
}

/// Types of ours, and those that have no JSON.
fn foreign_to_json(value: &Dynamic) -> Result<Value, ScriptError> {
    if let Some(secret) = value.read_lock::<Secret>() {
        return Err(exposed(&secret, "turned into JSON"));
    }
    if let Some(error) = value.read_lock::<ScriptError>() {
        let parts = error.parts();
        return Ok(serde_json::json!({ "code": parts.code, "message": parts.message, "log": parts.log }));
    }
    if let Some(session) = value.read_lock::<Session>() {
        let version = session.latest().version().map(|version| version.0);
        return Ok(serde_json::json!({ "id": session.id().map(crate::base::SessionId::as_str), "version": version }));
    }
    if value.is::<Page>() {
        return Ok(Value::from("page"));
    }
    if value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>() {
        return Ok(Value::from(value.to_string()));
    }
    let what = if value.is::<FnPtr>() { "a function" } else { value.type_name() };
    Err(ScriptError::new("not_json", format!("{what} cannot be turned into JSON")))
}

/// JSON as a script's value. Numbers without a fraction are integers where they fit.
pub fn from_json(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => from_number(&number),
        Value::String(text) => text.into(),
        Value::Array(items) => Dynamic::from_array(items.into_iter().map(from_json).collect()),
        Value::Object(entries) => {
            Dynamic::from_map(entries.into_iter().map(|(key, value)| (key.into(), from_json(value))).collect())
        }
    }
}

fn from_number(number: &Number) -> Dynamic {
    if let Some(integer) = number.as_i64() {
        return integer.into();
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    if float.fract() == 0.0 && float.abs() < EXACT {
        // Checked: it has no fraction and lies within what both types hold exactly.
        #[allow(clippy::cast_possible_truncation)]
        return (float as i64).into();
    }
    float.into()
}

/// `value` with every text in it redacted, keys too.
pub fn redacted(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.redact(&text)),
        Value::Array(items) => items.into_iter().map(|item| redacted(item, redactor)).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (redactor.redact(&key), redacted(value, redactor))).collect()
        }
        plain => plain,
    }
}

/// A short text for `log` and call traces: strings as they are, everything else as JSON.
pub fn to_line(value: &Dynamic) -> Result<String, ScriptError> {
    match to_json(value)? {
        Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_the_way_into_a_script_and_back() {
        let check = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(to_json(&from_json(value.clone())).unwrap(), value, "{text}");
        };
        check("null");
        check(r#"{"a": [1, -2, 1.5, true, "x", null, {}], "ž": "😀"}"#);
        check("9223372036854775807");
    }

    #[test]
    fn whole_numbers_become_integers() {
        assert_eq!(from_json(serde_json::json!(1000.0)).as_int(), Ok(1000));
        assert!(from_json(serde_json::json!(1e300)).is_float());
    }

    #[test]
    fn what_json_lacks_is_null_text_or_an_error() {
        assert_eq!(to_json(&f64::NAN.into()).unwrap(), Value::Null);
        assert_eq!(to_json(&'x'.into()).unwrap(), Value::from("x"));
        assert_eq!(to_json(&Dynamic::from_blob(b"hi".to_vec())).unwrap(), Value::from("aGk="));
        let secret = Dynamic::from(Secret::new("PW", "hunter22".into()));
        assert_eq!(to_json(&Dynamic::from_array(vec![secret])).unwrap_err().code(), "secret_exposed");
        assert_eq!(to_json(&Dynamic::from(FnPtr::new("f").unwrap())).unwrap_err().code(), "not_json");
    }

    #[test]
    fn redaction_reaches_every_text() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("PW", "hunter22".into()));
        let value = serde_json::json!({ "hunter22": ["is hunter22", 1] });
        assert_eq!(redacted(value, &redactor), serde_json::json!({ "***PW***": ["is ***PW***", 1] }));
    }
}
