//! Playwright's `storageState` (`context.storageState({ path, indexedDB: true })`, `newContext({ storageState })`): a JSON
//! document with cookies and, per origin, localStorage and IndexedDB.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::contents::{Contents, Storage};
use super::cookie::{Foreign, lost, named, text, unusual};
use super::databases::{self, Databases};
use super::fields::{Fields, invalid};
use super::unicode::{MARK, escaped, from_node, marked, to_node, units};
use super::{HOLDS_NOT, PortableError, Read, Written};
use crate::session::part::Part;
use crate::session::{Cookie, Partial, SessionError, cookies};

const SAME_SITE: [&str; 3] = ["Strict", "Lax", "None"];
const COOKIE: [&str; 11] = [
    "name",
    "value",
    "url",
    "domain",
    "path",
    "expires",
    "httpOnly",
    "secure",
    "sameSite",
    "partitionKey",
    "_crHasCrossSiteAncestor",
];

/// The state as this format holds it, and what it does not.
pub(super) fn write(contents: &Contents) -> Result<Written, SessionError> {
    let (document, lost) = document(contents);
    let count = |list: &str| document[list].as_array().map_or(0, Vec::len);
    let (cookies, origins) = (count("cookies"), count("origins"));
    let text = serde_json::to_string_pretty(&document)
        .map(Zeroizing::new)
        .map_err(|error| SessionError::Format { what: "the session".into(), reason: error.to_string() })?;
    let bytes = Zeroizing::new(format!("{}\n", escaped(&text)).into_bytes());
    Ok(Written { bytes, cookies, origins, lost })
}

/// The same as a value, in whose texts no lone surrogates can be.
pub(super) fn value(contents: &Contents) -> (Value, Vec<Partial>) {
    let (mut document, mut missing) = document(contents);
    for origin in document["origins"].as_array_mut().into_iter().flatten() {
        if unmark(origin) {
            let key = format!("{}/", origin["origin"].as_str().unwrap_or_default());
            missing.push(note(&key, "storage", None, "a text that is no Unicode has U+FFFD where it is none"));
        }
    }
    (document, missing)
}

/// Makes plain texts of marked ones; whether something of one was lost.
fn unmark(node: &mut Value) -> bool {
    match node {
        Value::String(text) if text.contains(MARK) => {
            let plain = String::from_utf16(&units(text));
            let is_lost = plain.is_err();
            *text = plain.unwrap_or_else(|_| String::from_utf16_lossy(&units(text)));
            is_lost
        }
        // All of them, not up to the first.
        Value::Array(items) => items.iter_mut().fold(false, |lost, item| unmark(item) | lost),
        Value::Object(members) => members.values_mut().fold(false, |lost, item| unmark(item) | lost),
        _ => false,
    }
}

fn document(contents: &Contents) -> (Value, Vec<Partial>) {
    let mut missing = Vec::new();
    let mut list = Vec::new();
    for cookie in &contents.cookies {
        list.push(write_cookie(cookie));
        let unusual = unusual(cookie);
        if !unusual.is_empty() {
            missing.push(lost(cookie, format!("the format holds no {}", unusual.join(", "))));
        }
    }
    let mut origins = Vec::new();
    for storage in &contents.parts {
        if storage.storage_key.contains('^') {
            let reason = "the format holds no storage of frames in other sites' pages";
            missing.push(note(&storage.storage_key, "storage", None, reason));
        } else {
            origins.extend(write_origin(storage, &mut missing));
        }
    }
    (json!({"cookies": list, "origins": origins}), missing)
}

fn note(origin: &str, store: &str, key: Option<String>, reason: &str) -> Partial {
    Partial { origin: origin.to_owned(), store: store.to_owned(), key, reason: reason.to_owned() }
}

fn write_cookie(cookie: &Cookie) -> Value {
    let mut out = Map::new();
    for attribute in ["name", "value", "domain", "path"] {
        out.insert(attribute.to_owned(), text(cookie, attribute).into());
    }
    out.insert("expires".to_owned(), cookies::expiry(cookie).map_or_else(|| json!(-1), |at| json!(at)));
    for attribute in ["httpOnly", "secure"] {
        out.insert(attribute.to_owned(), super::cookie::flag(cookie, attribute).into());
    }
    // Left out where the site has not said it: Playwright itself writes Lax then, which is not quite the same.
    if let Some(same_site) = cookie.get("sameSite") {
        out.insert("sameSite".to_owned(), same_site.clone());
    }
    if let Some(partition) = cookie.get("partitionKey") {
        out.insert("partitionKey".to_owned(), partition["topLevelSite"].clone());
        out.insert("_crHasCrossSiteAncestor".to_owned(), partition["hasCrossSiteAncestor"].clone());
    }
    out.into()
}

/// One origin; none where nothing of it can be held.
fn write_origin(storage: &Storage, missing: &mut Vec<Partial>) -> Option<Value> {
    let key = &storage.storage_key;
    let (mut entries, mut stores) = (Vec::new(), Databases::default());
    let mut unknown = BTreeSet::new();
    for line in storage.part.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            missing.push(note(key, "storage", None, "an entry that is nested too deep, or not readable"));
            continue;
        };
        let kind = line["t"].as_str().unwrap_or_default();
        match kind {
            "ls" => match (from_node(&line["k"]), from_node(&line["v"])) {
                (Some(name), Some(value)) => entries.push(json!({"name": name, "value": value})),
                _ => missing.push(note(key, "localStorage", None, "an entry that is not readable")),
            },
            _ if Databases::takes(kind) => stores.push(&line, key, missing),
            _ => {
                unknown.extend(unheld(kind, &line));
            }
        }
    }
    stores.finish(key, missing);
    missing.extend(unknown.into_iter().map(|(store, name)| note(key, &store, name, HOLDS_NOT)));
    let databases = stores.all;
    if entries.is_empty() && databases.is_empty() {
        return None;
    }
    let mut origin = Map::new();
    origin.insert("origin".to_owned(), key.trim_end_matches('/').into());
    origin.insert("localStorage".to_owned(), entries.into());
    if !databases.is_empty() {
        origin.insert("indexedDB".to_owned(), databases.into());
    }
    Some(origin.into())
}

/// What the format has no place for, as it is named elsewhere: its kind and its name there. None for what belongs to another line.
fn unheld(kind: &str, line: &Value) -> Option<(String, Option<String>)> {
    let name = |node: &Value| Some(from_node(node).unwrap_or_else(|| node.to_string()));
    let path = || {
        let steps = line["path"].as_array().into_iter().flatten().filter_map(name);
        Some(steps.collect::<Vec<_>>().join("/"))
    };
    let (store, name) = match kind {
        "ss" => ("sessionStorage", name(&line["k"])),
        "cache" => ("cacheStorage", name(&line["name"])),
        "file" | "dir" => ("fileSystem", path()),
        "sw" => ("serviceWorker", name(&line["scope"])),
        "entry" | "body" => return None,
        other => (other, None),
    };
    Some((store.to_owned(), name))
}

/// Reads a state as Playwright writes it.
pub(super) fn read(text: &str) -> Result<Read, PortableError> {
    let document: Value = serde_json::from_str(&marked(text)).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        invalid(&at, "it is not JSON, or nested more than 127 deep")
    })?;
    let state = Fields::of(&document, "")?;
    if state.get("cookies").is_none() && state.get("origins").is_none() {
        return Err(invalid("cookies", "cookies or origins were wanted, found neither"));
    }
    let mut missing = Vec::new();
    let unknown = state.others(&["cookies", "origins"]).into_iter();
    missing.extend(unknown.map(|name| note("-", name, None, "it is not part of a session here")));
    let mut list = Vec::new();
    for cookie in state.objects("cookies")? {
        match read_cookie(&cookie, &mut missing)?.adopt() {
            Ok((cookie, note)) => {
                list.push(cookie);
                missing.extend(note);
            }
            Err(note) => missing.push(note),
        }
    }
    let mut parts: Vec<Storage> = Vec::new();
    for origin in state.objects("origins")? {
        let storage = read_origin(&origin, &mut missing)?;
        if parts.iter().any(|part| part.storage_key == storage.storage_key) {
            return Err(invalid(&origin.path("origin"), "the origin is there twice"));
        }
        parts.push(storage);
    }
    Ok(Read { contents: Contents { cookies: list, parts }, lost: missing })
}

fn read_cookie(cookie: &Fields<'_>, missing: &mut Vec<Partial>) -> Result<Foreign, PortableError> {
    let same_site = cookie.maybe_text("sameSite")?;
    if same_site.is_some_and(|same_site| !SAME_SITE.contains(&same_site)) {
        return Err(invalid(&cookie.path("sameSite"), "Strict, Lax or None was wanted, found another text"));
    }
    let expires = cookie.maybe_number("expires")?.filter(|at| *at > 0.0 || (*at < 0.0 && at.total_cmp(&-1.0).is_ne()));
    if expires.is_some_and(|at| at < 0.0) {
        return Err(invalid(&cookie.path("expires"), "-1 or seconds since 1970 were wanted, found less"));
    }
    let mut foreign = Foreign {
        name: cookie.text("name")?.to_owned(),
        value: cookie.text("value")?.to_owned(),
        expires,
        http_only: cookie.flag("httpOnly")?,
        secure: cookie.flag("secure")?,
        same_site: same_site.map(str::to_owned),
        partition: match cookie.maybe_text("partitionKey")? {
            Some(site) => Some((site.to_owned(), cookie.maybe_flag("_crHasCrossSiteAncestor")?.unwrap_or(true))),
            None => None,
        },
        ..Foreign::default()
    };
    if let Some(url) = cookie.maybe_text("url")? {
        let bad = || invalid(&cookie.path("url"), "an http or https URL was wanted, found another text");
        let url = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)?;
        url.host_str().unwrap_or_default().clone_into(&mut foreign.domain);
        url.path().rfind('/').map_or("/", |at| &url.path()[..=at]).clone_into(&mut foreign.path);
        foreign.secure = url.scheme() == "https";
    } else {
        cookie.text("domain")?.clone_into(&mut foreign.domain);
        cookie.text("path")?.clone_into(&mut foreign.path);
    }
    for other in cookie.others(&COOKIE) {
        let reason = format!("its field {other} is not one of this format");
        missing.push(named(&foreign.domain, &foreign.path, &foreign.name, reason));
    }
    Ok(foreign)
}

fn read_origin(origin: &Fields<'_>, missing: &mut Vec<Partial>) -> Result<Storage, PortableError> {
    let url = url::Url::parse(origin.text("origin")?).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let bad = || invalid(&origin.path("origin"), "an http or https origin was wanted, found another text");
    let storage_key = format!("{}/", url.ok_or_else(bad)?.origin().ascii_serialization());
    let mut entries = Vec::new();
    for entry in origin.objects("localStorage")? {
        entries.push((entry.text("name")?, entry.text("value")?));
    }
    // As a capture would write them: sorted, one of each, the last one counting.
    entries.sort_by_key(|(name, _)| units(name));
    let mut part = Part::default();
    for (at, (name, value)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_none_or(|(next, _)| next != name) {
            part.push(&format!("{}\n", json!({"t": "ls", "k": to_node(name), "v": to_node(value)})));
        }
    }
    databases::read(origin, &storage_key, &mut part, missing)?;
    for other in origin.others(&["origin", "localStorage", "indexedDB"]) {
        let store = if other == "opfs" { "fileSystem" } else { other };
        missing.push(note(&storage_key, store, None, "it is not taken from this format"));
    }
    Ok(Storage { storage_key, part, partial: Vec::new() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        read(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn mistakes_are_named_by_path_and_never_show_a_value() {
        for (text, wanted) in [
            ("{", "line 1, column 1: it is not JSON"),
            ("{}", "cookies or origins were wanted"),
            (r#"{"cookies": {}}"#, ": cookies: a list was wanted, found an object"),
            (r#"{"cookies": [3]}"#, ": cookies[0]: an object was wanted, found a number"),
            (r#"{"cookies": [{"name": 1}]}"#, ": cookies[0].name: a text was wanted, found a number"),
            (
                r#"{"cookies": [{"name": "a", "value": "needle"}]}"#,
                ": cookies[0].domain: a text was wanted, found nothing",
            ),
            (r#"{"origins": [{"origin": "needle"}]}"#, ": origins[0].origin: an http or https origin was wanted"),
            (
                r#"{"origins": [{"origin": "http://a", "localStorage": [{"name": "n"}]}]}"#,
                ": origins[0].localStorage[0].value: a text was wanted, found nothing",
            ),
            (
                r#"{"origins": [{"origin": "http://a", "indexedDB": [{"name": "n", "version": "1"}]}]}"#,
                ": origins[0].indexedDB[0].version: a number was wanted, found a text",
            ),
        ] {
            assert!(told(text).contains(wanted), "{text}: {}", told(text));
            assert!(!told(text).contains("needle"));
        }
    }

    #[test]
    fn what_is_written_reads_back_line_for_line() {
        let lines = [
            json!({"t": "ls", "k": "a", "v": ["s16", "ANhhAA=="]}),
            json!({"t": "ls", "k": "b", "v": "2"}),
            json!({"t": "db", "name": "app", "version": 3, "stores": [
                {"name": "in", "key_path": "id", "auto": false, "indexes": [
                    {"name": "by", "key_path": ["x", "y"], "unique": true, "multi": false}]},
                {"name": "out", "key_path": null, "auto": true, "indexes": []}]}),
            json!({"t": "store", "name": "in"}),
            json!({"t": "rec", "k": "k", "v": ["o", ["id", "k", "when", ["d", 5], "self", ["r", 0]]]}),
            json!({"t": "store", "name": "out"}),
            json!({"t": "rec", "k": 1, "v": ["m", ["x", ["set", [["u"], ["n", "-0"]]], "b", ["big", "-9"]]]}),
            json!({"t": "rec", "k": 2, "v": ["view", "Int16Array", ["ab", "AQACAA==", null], 0, 2]}),
            json!({"t": "rec", "k": ["ab", "AQ==", null], "v": ["o", ["plain", ["a", [1, null, "x"]]]]}),
            json!({"t": "next", "db": "app", "store": "out", "n": 3}),
        ];
        let text = lines.map(|line| line.to_string()).join("\n") + "\n";
        let part = Part::from_bytes(text.as_bytes(), "it").unwrap();
        let storage = Storage { storage_key: "https://a.example/".into(), part, partial: Vec::new() };
        let written = write(&Contents { cookies: Vec::new(), parts: vec![storage] }).unwrap();
        assert_eq!(written.lost, []);
        let document = String::from_utf8(written.bytes.to_vec()).unwrap();
        let back = read(&document).unwrap();
        let back_text = std::str::from_utf8(back.contents.parts[0].part.as_bytes()).unwrap().to_owned();
        assert_eq!(back_text, text, "{document}");
        assert_eq!(back.lost, []);
    }

    #[test]
    fn what_cannot_be_held_is_named() {
        let lines = [
            json!({"t": "db", "name": "app", "version": 1, "stores": [
                {"name": "s", "key_path": null, "auto": true, "indexes": []}]}),
            json!({"t": "store", "name": "s"}),
            json!({"t": "rec", "k": 1, "v": ["o", ["x", ["blob", "text/plain", "QQ=="]]]}),
            json!({"t": "rec", "k": 2, "v": ["sparse", 3, []]}),
            json!({"t": "next", "db": "app", "store": "s", "n": 9}),
            json!({"t": "sw", "scope": "/"}),
        ];
        let text = lines.map(|line| line.to_string()).join("\n") + "\n";
        let part = |key: &str| Storage {
            storage_key: key.into(),
            part: Part::from_bytes(text.as_bytes(), "it").unwrap(),
            partial: Vec::new(),
        };
        let parts = vec![part("https://a.example/"), part("https://a.example/^0https://b.example")];
        let lost = write(&Contents { cookies: Vec::new(), parts }).unwrap().lost;
        let short: Vec<String> =
            lost.iter().map(|l| format!("{} {} {}", l.store, l.key.as_deref().unwrap_or("-"), l.reason)).collect();
        assert_eq!(
            short,
            [
                "indexedDB:app/s 1 the format does not hold a Blob",
                "indexedDB:app/s 2 the format does not hold an array with holes",
                "indexedDB:app/s - the format does not hold where the key generator stands",
                "serviceWorker / the format does not hold it",
                "storage - the format holds no storage of frames in other sites' pages",
            ]
        );
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let names = prop::sample::select(vec![
            "cookies",
            "origins",
            "origin",
            "localStorage",
            "indexedDB",
            "name",
            "value",
            "domain",
            "path",
            "stores",
            "records",
            "key",
            "keyEncoded",
            "valueEncoded",
            "version",
            "keyPath",
            "indexes",
            "a",
            "o",
            "m",
            "s",
            "k",
            "v",
            "ref",
            "id",
            "ta",
            "b",
            "d",
            "expires",
            "autoIncrement",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            prop::sample::select(vec!["", "http://a", "a.example", "/", "NaN", "ui8", "AQ==", "undefined"])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 60, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names.clone(), inner), 0..5).prop_map(|all| all
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect::<Map<_, _>>()
                    .into()),
            ]
        })
    }

    /// A state that is right but for one value in it.
    fn almost(at: usize, value: &Value) -> Value {
        let record =
            json!({"key": 1, "valueEncoded": {"o": [{"k": "a", "v": {"ta": {"b": "AQ==", "k": "ui8"}}}], "id": 1}});
        let store = json!({"name": "s", "autoIncrement": false, "records": [record], "indexes": []});
        let mut state = json!({
            "cookies": [{"name": "a", "value": "b", "domain": "a.example", "path": "/", "expires": -1}],
            "origins": [{"origin": "http://a", "localStorage": [{"name": "n", "value": "v"}],
                "indexedDB": [{"name": "d", "version": 1, "stores": [store]}]}],
        });
        let places = [
            "/cookies",
            "/cookies/0",
            "/cookies/0/name",
            "/cookies/0/expires",
            "/cookies/0/path",
            "/origins",
            "/origins/0",
            "/origins/0/origin",
            "/origins/0/localStorage/0/value",
            "/origins/0/indexedDB/0",
            "/origins/0/indexedDB/0/stores/0",
            "/origins/0/indexedDB/0/stores/0/indexes",
            "/origins/0/indexedDB/0/stores/0/records/0",
            "/origins/0/indexedDB/0/stores/0/records/0/key",
            "/origins/0/indexedDB/0/stores/0/records/0/valueEncoded",
            "/origins/0/indexedDB/0/stores/0/records/0/valueEncoded/o",
            "/origins/0/indexedDB/0/stores/0/records/0/valueEncoded/o/0/v",
            "/origins/0/indexedDB/0/stores/0/records/0/valueEncoded/o/0/v/ta/b",
        ];
        if let Some(place) = state.pointer_mut(places[at % places.len()]) {
            *place = value.clone();
        }
        state
    }

    proptest! {
        #[test]
        fn a_hostile_state_is_read_or_refused_with_a_place(at in 0..18usize, value in json_value()) {
            match read(&almost(at, &value).to_string()) {
                // What was taken can be written again.
                Ok(read) => { write(&read.contents).unwrap(); }
                Err(error) => prop_assert!(matches!(error, PortableError::Invalid { ref at, .. } if !at.is_empty()), "{error}"),
            }
        }

        #[test]
        fn hostile_documents_never_panic(value in json_value(), text in "[\\[\\]{}\",:a-z0-9\\\\ud8]{0,60}") {
            let _ = (read(&value.to_string()), read(&text));
        }
    }
}
