//! IndexedDB between our parts and Playwright's files: schemas and records.

use serde_json::{Map, Value, json};

use super::PortableError;
use super::fields::{Fields, invalid};
use super::unicode::{from_node, to_node, units};
use super::values::{Fault, from_encoded, from_plain, to_foreign};
use crate::session::Partial;
use crate::session::part::Part;

/// Versions of databases are whole and at most this.
const MAX_VERSION: f64 = 9_007_199_254_740_991.0;

/// The databases of one origin on their way into a file.
#[derive(Default)]
pub(super) struct Databases {
    pub(super) all: Vec<Value>,
    /// Which of the last database's stores records belong to, and its name for people.
    store: Option<(usize, String)>,
    /// Where key generators stand: position by the records, by database and store.
    highest: Vec<((Value, Value), i64)>,
    told: Vec<(String, i64)>,
    database: Value,
}

impl Databases {
    /// Whether it is a line of a database.
    pub(super) fn takes(kind: &str) -> bool {
        matches!(kind, "db" | "store" | "rec" | "next")
    }

    /// Takes one line of a part; what cannot be held is added to `missing`.
    pub(super) fn push(&mut self, line: &Value, origin: &str, missing: &mut Vec<Partial>) {
        match line["t"].as_str() {
            Some("db") => {
                let stores: Vec<Value> = line["stores"].as_array().into_iter().flatten().map(write_store).collect();
                self.all.push(json!({"name": name(&line["name"]), "version": line["version"], "stores": stores}));
                self.database = line["name"].clone();
                self.store = None;
            }
            Some("store") => {
                let stores = self.all.last().and_then(|database| database["stores"].as_array());
                let wanted = Value::from(name(&line["name"]));
                let found = stores.and_then(|stores| stores.iter().position(|store| store["name"] == wanted));
                let shown = format!("indexedDB:{}/{}", name(&self.database), name(&line["name"]));
                self.store = found.map(|at| (at, shown));
                self.highest.push(((self.database.clone(), line["name"].clone()), 1));
            }
            Some("rec") => self.record(line, origin, missing),
            _ => self.generator(line),
        }
    }

    fn record(&mut self, line: &Value, origin: &str, missing: &mut Vec<Partial>) {
        let Some((at, shown)) = &self.store else { return };
        let stores = self.all.last_mut().and_then(|database| database["stores"].as_array_mut());
        let Some(store) = stores.and_then(|stores| stores.get_mut(*at)) else { return };
        let inline = store.get("keyPath").is_some() || store.get("keyPathArray").is_some();
        let mut note = |reason: String| {
            let key = Some(line["k"].as_str().map_or_else(|| line["k"].to_string(), str::to_owned));
            missing.push(Partial { origin: origin.to_owned(), store: shown.clone(), key, reason });
        };
        let made = write_record(line, inline, &mut note);
        match made {
            Ok(record) => {
                if let Some(records) = store["records"].as_array_mut() {
                    records.push(record);
                }
                if let (Some(key), Some((_, next))) = (line["k"].as_f64(), self.highest.last_mut()) {
                    #[allow(clippy::cast_possible_truncation)] // saturates, as generators do
                    let after = (key.floor() as i64).saturating_add(1);
                    *next = (*next).max(after);
                }
            }
            Err(reason) => note(format!("the format does not hold {reason}")),
        }
    }

    /// Playwright's files do not say where a key generator stands: it follows from the records, or is lost.
    fn generator(&mut self, line: &Value) {
        let same = |((database, store), _): &&((Value, Value), i64)| *database == line["db"] && *store == line["store"];
        let follows = self.highest.iter().find(same).map_or(1, |(_, next)| *next);
        if line["n"].as_i64() != Some(follows) {
            self.told.push((format!("indexedDB:{}/{}", name(&line["db"]), name(&line["store"])), follows));
        }
    }

    /// Names the key generators that are lost.
    pub(super) fn finish(&mut self, origin: &str, missing: &mut Vec<Partial>) {
        let reason = "the format does not hold where the key generator stands";
        missing.extend(self.told.drain(..).map(|(store, _)| Partial {
            origin: origin.to_owned(),
            store,
            key: None,
            reason: reason.to_owned(),
        }));
    }
}

/// A name as text, marked where it is no Unicode.
fn name(node: &Value) -> String {
    from_node(node).unwrap_or_default()
}

fn write_store(schema: &Value) -> Value {
    let mut store = Map::new();
    store.insert("name".into(), name(&schema["name"]).into());
    store.insert("records".into(), json!([]));
    let indexes = schema["indexes"].as_array().into_iter().flatten().map(|index| {
        let mut out = Map::new();
        out.insert("name".into(), name(&index["name"]).into());
        key_path(&index["key_path"], &mut out);
        out.insert("multiEntry".into(), index["multi"].clone());
        out.insert("unique".into(), index["unique"].clone());
        Value::from(out)
    });
    store.insert("indexes".into(), indexes.collect::<Vec<_>>().into());
    store.insert("autoIncrement".into(), schema["auto"].clone());
    key_path(&schema["key_path"], &mut store);
    store.into()
}

fn key_path(path: &Value, out: &mut Map<String, Value>) {
    match path {
        Value::String(_) => out.insert("keyPath".into(), path.clone()),
        Value::Array(_) => out.insert("keyPathArray".into(), path.clone()),
        _ => None,
    };
}

fn write_record(line: &Value, inline: bool, note: &mut impl FnMut(String)) -> Result<Value, String> {
    let mut record = Map::new();
    let mut put = |plain: &str, encoded: &str, node: &Value| {
        let foreign = to_foreign(node)?;
        foreign.notes.iter().for_each(|reason| note((*reason).to_owned()));
        record.insert(if foreign.encoded { encoded } else { plain }.to_owned(), foreign.value);
        Ok::<(), String>(())
    };
    if !inline {
        put("key", "keyEncoded", &line["k"])?;
    }
    put("value", "valueEncoded", &line["v"])?;
    Ok(record.into())
}

/// Reads the databases of an origin into its part.
pub(super) fn read(
    origin: &Fields<'_>,
    storage_key: &str,
    part: &mut Part,
    missing: &mut Vec<Partial>,
) -> Result<(), PortableError> {
    let mut all = Vec::new();
    for database in origin.objects("indexedDB")? {
        all.push((database.text("name")?, database));
    }
    unique(all.iter().map(|(name, database)| (*name, database)))?;
    all.sort_by_key(|(name, _)| units(name));
    let mut generators = Vec::new();
    for (name, database) in all {
        let version = database.maybe_number("version")?.unwrap_or(f64::NAN);
        if !(1.0..=MAX_VERSION).contains(&version) || version.fract() != 0.0 {
            return Err(invalid(&database.path("version"), "a whole number from 1 was wanted, found something else"));
        }
        let mut stores = database.objects("stores")?.into_iter().map(Store::read).collect::<Result<Vec<_>, _>>()?;
        unique(stores.iter().map(|store| (store.name, &store.fields)))?;
        stores.sort_by_key(|store| units(store.name));
        let schema: Vec<&Value> = stores.iter().map(|store| &store.schema).collect();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked above
        let version = version as u64;
        push(part, &json!({"t": "db", "name": to_node(name), "version": version, "stores": schema}));
        for store in &stores {
            push(part, &json!({"t": "store", "name": to_node(store.name)}));
            let next = store.records(name, storage_key, part, missing)?;
            if store.auto {
                generators.push(json!({"t": "next", "db": name, "store": store.name, "n": next}));
            }
        }
    }
    for line in &generators {
        push(part, line);
    }
    Ok(())
}

fn push(part: &mut Part, line: &Value) {
    part.push(&format!("{line}\n"));
}

/// Fails where a name is there twice: the browser would make neither.
fn unique<'a>(names: impl Iterator<Item = (&'a str, &'a Fields<'a>)>) -> Result<(), PortableError> {
    let mut seen = std::collections::HashSet::new();
    for (name, fields) in names {
        if !seen.insert(name) {
            return Err(invalid(&fields.path("name"), "the name is there twice"));
        }
    }
    Ok(())
}

struct Store<'a> {
    name: &'a str,
    fields: Fields<'a>,
    schema: Value,
    path: Value,
    auto: bool,
}

impl<'a> Store<'a> {
    fn read(fields: Fields<'a>) -> Result<Self, PortableError> {
        let (name, auto, path) = (fields.text("name")?, fields.flag("autoIncrement")?, read_key_path(&fields)?);
        if auto && (path.is_array() || path == "") {
            return Err(invalid(&fields.path("keyPath"), "no store with such a path generates keys"));
        }
        let mut all = Vec::new();
        for index in fields.objects("indexes")? {
            let (key_path, multi) = (read_key_path(&index)?, index.flag("multiEntry")?);
            if key_path.is_null() || (multi && key_path.is_array()) {
                return Err(invalid(&index.path("keyPath"), "a path was wanted that an index can have"));
            }
            let entry = json!({"name": to_node(index.text("name")?), "key_path": key_path,
                "unique": index.flag("unique")?, "multi": multi});
            all.push((index.text("name")?, index, entry));
        }
        unique(all.iter().map(|(name, index, _)| (*name, index)))?;
        all.sort_by_key(|(name, ..)| units(name));
        let indexes: Vec<Value> = all.into_iter().map(|(.., entry)| entry).collect();
        let schema = json!({"name": to_node(name), "key_path": path, "auto": auto, "indexes": indexes});
        Ok(Self { name, fields, schema, path, auto })
    }

    /// Reads the records; answers where the key generator stands after them.
    fn records(
        &self,
        database: &str,
        storage_key: &str,
        part: &mut Part,
        missing: &mut Vec<Partial>,
    ) -> Result<i64, PortableError> {
        let mut next = 1;
        for record in self.fields.objects("records")? {
            let made = self.record(&record);
            let (key, value) = match made {
                Ok(made) => made,
                Err(Fault::Invalid(at, reason)) => return Err(invalid(&at, reason)),
                Err(Fault::Unstorable(reason)) => {
                    missing.push(Partial {
                        origin: storage_key.to_owned(),
                        store: format!("indexedDB:{database}/{}", self.name),
                        key: Some(record.at.clone()),
                        reason: reason.to_owned(),
                    });
                    continue;
                }
            };
            if let Some(number) = key.as_f64() {
                #[allow(clippy::cast_possible_truncation)] // saturates, as generators do
                let after = (number.floor() as i64).saturating_add(1);
                next = next.max(after);
            }
            push(part, &json!({"t": "rec", "k": key, "v": value}));
        }
        Ok(next)
    }

    fn record(&self, record: &Fields<'_>) -> Result<(Value, Value), Fault> {
        let value = field(record, "value", "valueEncoded")?
            .ok_or_else(|| Fault::Invalid(record.path("value"), "a value was wanted, found nothing"))?;
        if !self.path.is_null() {
            return Ok((inline_key(&self.path, &value), value));
        }
        let key = field(record, "key", "keyEncoded")?;
        match key.filter(is_key) {
            Some(key) => Ok((key, value)),
            None => {
                Err(Fault::Invalid(record.path("key"), "a key was wanted: a number, a text, a date, bytes or a list"))
            }
        }
    }
}

fn field(record: &Fields<'_>, plain: &str, encoded: &str) -> Result<Option<Value>, Fault> {
    match (record.get(plain), record.get(encoded)) {
        (Some(value), _) => Ok(Some(from_plain(value))),
        (None, Some(value)) => from_encoded(value, &record.path(encoded)).map(Some),
        (None, None) => Ok(None),
    }
}

/// Whether a value of ours can be a key.
fn is_key(node: &Value) -> bool {
    match node {
        Value::Number(_) | Value::String(_) => true,
        Value::Array(list) => match (list.first().and_then(Value::as_str), list.get(1)) {
            (Some("a"), Some(Value::Array(items))) => list.len() == 2 && items.iter().all(is_key),
            (Some("d"), Some(at)) => at.is_number(),
            (Some("n"), Some(name)) => name != "NaN",
            (Some("s16" | "ab" | "view"), _) => true,
            _ => false,
        },
        _ => false,
    }
}

/// The key that a store finds in a value; null where that cannot be told from here, which costs nothing but an exact digest.
fn inline_key(path: &Value, value: &Value) -> Value {
    match path {
        Value::String(path) => {
            path.split('.').try_fold(value, |at, step| member(at, step)).cloned().unwrap_or_default()
        }
        Value::Array(paths) => json!(["a", paths.iter().map(|path| inline_key(path, value)).collect::<Vec<_>>()]),
        _ => Value::Null,
    }
}

fn member<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    let list = node.as_array().filter(|list| list.first().is_some_and(|tag| tag == "o"))?;
    let pairs = list.get(1)?.as_array()?.as_chunks::<2>().0;
    pairs.iter().find(|[key, _]| key == name).map(|[_, value]| value)
}

/// The path of a store or an index; null where it has none.
fn read_key_path(fields: &Fields<'_>) -> Result<Value, PortableError> {
    if let Some(path) = fields.maybe_text("keyPath")? {
        return if is_path(path) { Ok(path.into()) } else { Err(no_path(&fields.path("keyPath"))) };
    }
    if fields.get("keyPathArray").is_none() {
        return Ok(Value::Null);
    }
    let list = fields.list("keyPathArray")?;
    let bad = list.iter().find(|(_, path)| !path.as_str().is_some_and(is_path));
    if bad.is_some() || list.is_empty() {
        return Err(no_path(&bad.map_or_else(|| fields.path("keyPathArray"), |(at, _)| at.clone())));
    }
    Ok(list.into_iter().map(|(_, path)| path.clone()).collect())
}

fn no_path(at: &str) -> PortableError {
    invalid(at, "the path of a key was wanted, found something else")
}

/// Whether it is empty or names between dots, as IndexedDB wants them.
fn is_path(path: &str) -> bool {
    let first = |character: char| character.is_alphabetic() || matches!(character, '_' | '$');
    path.is_empty()
        || path.split('.').all(|step| {
            step.starts_with(first) && step.chars().all(|character| first(character) || character.is_alphanumeric())
        })
}
