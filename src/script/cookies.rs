//! Cookies as scripts write them: a list of maps, values may be secrets.

use rhai::{Array, Dynamic, Map};

use super::{ScriptError, value};
use crate::base::Secret;
use crate::session::{Cookie, check_cookies};

/// What is wrong with a list of cookies, before a browser is asked.
pub fn fault(value: &Dynamic) -> Option<ScriptError> {
    match read(value) {
        Ok(cookies) => check_cookies(&cookies).err().map(ScriptError::from),
        Err(error) => Some(error),
    }
}

/// The cookies of a list. The value of one may be a secret, and then stands in the answer in clear.
pub fn read(value: &Dynamic) -> Result<Vec<Cookie>, ScriptError> {
    let Some(items) = value.read_lock::<Array>() else { return Ok(Vec::new()) };
    items.iter().map(one).collect()
}

/// A state with cookies in it as JSON; secrets that stand in it as values are in clear.
pub fn state(value: &Dynamic) -> Result<serde_json::Value, ScriptError> {
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(secret.expose().into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(state).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().map(|(key, value)| Ok((key.to_string(), state(value)?))).collect();
    }
    value::to_json(value)
}

fn one(item: &Dynamic) -> Result<Cookie, ScriptError> {
    let Some(map) = item.read_lock::<Map>() else { return Ok(Cookie::new()) };
    let attribute = |(name, held): (&_, &Dynamic)| {
        let name: &rhai::Identifier = name;
        let held = match held.read_lock::<Secret>().filter(|_| name == "value") {
            Some(secret) => secret.expose().into(),
            None => value::to_json(held)?,
        };
        Ok((name.to_string(), held))
    };
    map.iter().filter(|(_, held)| !held.is_unit()).map(attribute).collect()
}

/// What of them may be shown: their names.
pub fn shown(value: &Dynamic) -> String {
    let name = |item: &Dynamic| {
        let map = item.read_lock::<Map>()?;
        Some(format!("#{{ name: {:?}, .. }}", map.get("name")?.as_immutable_string_ref().ok()?.as_str()))
    };
    let items = value.read_lock::<Array>();
    let names = items.iter().flat_map(|items| items.iter()).map(|item| name(item).unwrap_or_else(|| "..".to_owned()));
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}
