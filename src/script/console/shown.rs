//! Values of a dialogue as they are shown, and what their types are called.

use rhai::{Array, Blob, Dynamic, FnPtr, Map};
use serde_json::Value;

use super::Shown;
use crate::base::{Redactor, Secret};
use crate::page::Page;
use crate::script::{ScriptError, kind, value};
use crate::session::Session;

/// How deep lists and maps are looked into.
const DEPTH: usize = 64;

/// A value as the user sees it. No secret's value is in it.
pub fn shown(value: &Dynamic, redactor: &Redactor) -> Shown {
    if value.is_unit() {
        return Shown::Nothing;
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        let is_picture = bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff");
        return if is_picture { Shown::Picture(bytes.clone()) } else { Shown::Bytes(bytes.len()) };
    }
    let has_json = value.is_array() || value.is_map() || value.is::<ScriptError>() || !is_opaque(value);
    if has_json {
        Shown::Json(value::redacted(lenient(value, DEPTH), redactor))
    } else {
        Shown::Opaque(redactor.redact(&one_line(value)))
    }
}

fn is_opaque(value: &Dynamic) -> bool {
    value.is::<Session>() || value.is::<Page>() || value::to_json(value).is_err()
}

/// JSON of any value: what has none stands as text.
fn lenient(value: &Dynamic, depth: usize) -> Value {
    let Some(deeper) = depth.checked_sub(1) else { return Value::from("..") };
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| lenient(item, deeper)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().map(|(key, value)| (key.to_string(), lenient(value, deeper))).collect();
    }
    if let Some(number) = value.as_float().ok().filter(|number| !number.is_finite()) {
        return Value::from(number.to_string());
    }
    if is_opaque(value) { Value::from(one_line(value)) } else { value::to_json(value).unwrap_or_default() }
}

/// What has no JSON.
fn one_line(value: &Dynamic) -> String {
    if let Some(secret) = value.read_lock::<Secret>() {
        return format!("{:?}", *secret);
    }
    if let Some(session) = value.read_lock::<Session>() {
        let id = session.id().map_or_else(|| "throw-away".to_owned(), |id| format!("{:?}", id.as_str()));
        let version = session.version().map(|version| format!(", version {}", version.0));
        return format!("Session({id}{})", version.unwrap_or_default());
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return if function.is_anonymous() {
            "function".to_owned()
        } else {
            format!("function {}", function.fn_name())
        };
    }
    type_name(value)
}

/// The name of a value's type as the documentation of scripts calls it.
pub fn type_name(value: &Dynamic) -> String {
    let name = match value.type_name() {
        "()" => "nothing",
        "i64" | "f64" => "number",
        "bool" => "true or false",
        "string" => "text",
        "char" => "character",
        "array" => "list",
        "map" => "map",
        "blob" => "bytes",
        "Fn" => "function",
        _ if value.is::<Secret>() => "Secret",
        _ if value.is::<Session>() => "Session",
        _ if value.is::<Page>() => "Page",
        _ if value.is::<ScriptError>() => "Error",
        _ => return kind::found(value),
    };
    name.to_owned()
}

/// How many bytes a value takes, about; none where it is more than `most`. Costs no more than looking at so many.
pub fn weight(value: &Dynamic, most: usize) -> Option<usize> {
    let mut room = most.checked_sub(size_of::<Dynamic>())?;
    if let Some(items) = value.read_lock::<Array>() {
        for item in items.iter() {
            room -= weight(item, room)?;
        }
    } else if let Some(map) = value.read_lock::<Map>() {
        for (key, value) in map.iter() {
            room = room.checked_sub(key.len())?;
            room -= weight(value, room)?;
        }
    } else if let Some(bytes) = value.read_lock::<Blob>() {
        room = room.checked_sub(bytes.len())?;
    } else if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        room = room.checked_sub(text.len())?;
    }
    Some(most - room)
}

/// Whether two values are the same, as far as that can be told.
pub fn alike(one: &Dynamic, other: &Dynamic) -> bool {
    if one.type_id() != other.type_id() {
        return false;
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Array>(), other.read_lock::<Array>()) {
        return one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| alike(one, other));
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Map>(), other.read_lock::<Map>()) {
        let pair = |((name, one), (other_name, other)): ((_, &Dynamic), (_, &Dynamic))| {
            name == other_name && alike(one, other)
        };
        return one.len() == other.len() && one.iter().zip(other.iter()).all(pair);
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Blob>(), other.read_lock::<Blob>()) {
        return *one == *other;
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Session>(), other.read_lock::<Session>()) {
        // A session that was saved is still the same.
        return one.id() == other.id();
    }
    if let (Some(one), Some(other)) = (one.read_lock::<FnPtr>(), other.read_lock::<FnPtr>()) {
        return one.fn_name() == other.fn_name();
    }
    is_opaque(one) || value::to_json(one).ok() == value::to_json(other).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_without_what_nobody_may_see() {
        let redactor = Redactor::default();
        let secret = Secret::new("PW", "hunter22".into());
        redactor.learn(&secret);
        let check = |value: Dynamic, wanted: Shown| assert_eq!(shown(&value, &redactor), wanted);
        check(Dynamic::UNIT, Shown::Nothing);
        check(Dynamic::from_blob(b"\x89PNG\r\n\x1a\nrest".to_vec()), Shown::Picture(b"\x89PNG\r\n\x1a\nrest".to_vec()));
        check(Dynamic::from_blob(vec![1, 2, 3]), Shown::Bytes(3));
        check(Dynamic::from(secret.clone()), Shown::Opaque("secret(\"PW\")".into()));
        check(Dynamic::from(FnPtr::new("fetch").unwrap()), Shown::Opaque("function fetch".into()));
        let list =
            vec![Dynamic::from(secret), "is hunter22".into(), f64::NAN.into(), FnPtr::new("fetch").unwrap().into()];
        let json = serde_json::json!(["secret(\"PW\")", "is ***PW***", "NaN", "function fetch"]);
        check(Dynamic::from_array(list), Shown::Json(json));
        check('x'.into(), Shown::Json(Value::from("x")));
        let error = ScriptError::new("timeout", "no");
        check(Dynamic::from(error), Shown::Json(serde_json::json!({ "code": "timeout", "message": "no", "log": [] })));
    }

    #[test]
    fn the_weight_of_a_value_is_that_of_all_that_is_in_it() {
        let item = size_of::<Dynamic>();
        let list = Dynamic::from_array(vec!["abc".into(), 1.into()]);
        assert_eq!(weight(&list, 1000), Some(3 * item + 3));
        assert_eq!(weight(&list, 3 * item + 3), Some(3 * item + 3));
        assert_eq!(weight(&list, 3 * item + 2), None);
        assert_eq!(weight(&Dynamic::from_blob(vec![0; 1000]), 1000), None);
    }

    #[test]
    fn values_are_compared_by_what_they_hold() {
        let list = |number: i64| Dynamic::from_array(vec![number.into(), "a".into()]);
        assert!(alike(&list(1), &list(1)) && !alike(&list(1), &list(2)));
        assert!(!alike(&1.into(), &1.5.into()) && alike(&"a".into(), &"a".into()));
    }
}
