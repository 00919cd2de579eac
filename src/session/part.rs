//! One part of a session's state: what one storage key (an origin, or a partitioned one) keeps, as lines of JSON.
//!
//! The lines, in this canonical order, are written by `injected/capture.js` and read by `injected/restore.js`; Rust
//! only looks at what it needs to name changes:
//!
//! ```text
//! {"t":"ls","k":KEY,"v":VALUE}                       a localStorage entry, by key
//! {"t":"ss","k":KEY,"v":VALUE}                       a sessionStorage entry, by key
//! {"t":"db","name":..,"version":..,"stores":[..]}    a database with its whole schema, by name
//! {"t":"store","name":..}                            what follows is in this object store
//! {"t":"rec","k":KEY,"v":VALUE}                      a record, by key
//! {"t":"cache","name":..}                             what follows is in this cache; caches as they were made
//! {"t":"entry","method":..,"url":..,"headers":..,"status":..,"text":..,"response":..}   a response, as they were put
//! {"t":"dir","path":[..]}                            a directory of the origin's private file system, by name
//! {"t":"file","path":[..]}                           a file there
//! {"t":"body","d":BASE64}                            a piece of the entry or file before it
//! {"t":"sw","scope":..,"script":..,"update":..}      a service worker's registration, by scope
//! {"t":"next","db":..,"store":..,"n":..}             where a key generator stands
//! ```
//!
//! Lines, so that capture and restore can work page by page whatever the size.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Change, ChangeKind, ObjectStoreInfo, OriginInfo, SessionError};

/// The plaintext of a part.
#[derive(Clone, Default)]
pub(super) struct Part {
    text: Zeroizing<String>,
}

/// What is named in a change: the kind of store and the name within it.
type Name = (String, String);

/// Digests by name: enough to tell what differs between two states of a part.
pub(super) type Names = BTreeMap<Name, [u8; 32]>;

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Part {
    /// Adds captured lines.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// Adds where key generators stand.
    pub(super) fn push_generator(&mut self, database: &str, store: &str, next: i64) {
        let line = serde_json::json!({"t": "next", "db": database, "store": store, "n": next});
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }

    /// The bytes to seal.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// From opened bytes.
    pub(super) fn from_bytes(bytes: &[u8], what: &str) -> Result<Self, SessionError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text: Zeroizing::new(text.to_owned()) }),
            Err(error) => Err(SessionError::Format { what: what.to_owned(), reason: error.to_string() }),
        }
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is whole lines, each an object of JSON with a kind.
    pub(super) fn is_whole(&self) -> bool {
        let ends = self.text.is_empty() || self.text.ends_with('\n');
        ends && self.text.lines().all(|line| serde_json::from_str::<Line>(line).is_ok())
    }

    /// The lines, each a JSON text.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// Pieces of whole lines, each of about `size` bytes.
    pub(super) fn pieces(&self, size: usize) -> impl Iterator<Item = &str> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let from = rest.floor_char_boundary(size.min(rest.len()));
            let end = rest[from..].find('\n').map_or(rest.len(), |at| from + at + 1);
            let (piece, tail) = rest.split_at(end);
            rest = tail;
            Some(piece)
        })
    }

    /// The digest of the whole.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// The lines of sessionStorage; none where it has none.
    pub(super) fn session_lines(&self) -> Option<Zeroizing<String>> {
        self.lines_of(r#"{"t":"ss","#)
    }

    /// The lines of service workers; none where it has none.
    pub(super) fn worker_lines(&self) -> Option<Zeroizing<String>> {
        self.lines_of(r#"{"t":"sw","#)
    }

    fn lines_of(&self, begin: &str) -> Option<Zeroizing<String>> {
        let from = if self.text.starts_with(begin) { 0 } else { self.text.find(&format!("\n{begin}"))? + 1 };
        let lines = self.text[from..].split_inclusive('\n').take_while(|line| line.starts_with(begin));
        Some(Zeroizing::new(lines.collect()))
    }

    /// The scopes of its service workers.
    pub(super) fn scopes(&self) -> Vec<String> {
        let lines = self.worker_lines().unwrap_or_default();
        let lines = lines.lines().filter_map(|text| serde_json::from_str::<Line>(text).ok());
        lines.map(|line| line.scope.into_owned()).collect()
    }

    /// Digests by name: one per key of localStorage and sessionStorage, object store, database (its version and schema), cache,
    /// file and directory, service worker.
    pub(super) fn names(&self) -> Names {
        let mut names = BTreeMap::<Name, Sha256>::new();
        let (mut database, mut store) = (String::new(), String::new());
        // What a body belongs to.
        let mut owner = Name::default();
        for text in self.text.lines() {
            let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
            let name = match line.t {
                "ls" => ("localStorage".to_owned(), show(&line.k)),
                "ss" => ("sessionStorage".to_owned(), show(&line.k)),
                "cache" => {
                    owner = ("cacheStorage".to_owned(), show(&line.name));
                    owner.clone()
                }
                "dir" | "file" => {
                    owner = ("fileSystem".to_owned(), show_path(&line.path));
                    owner.clone()
                }
                "entry" | "body" => owner.clone(),
                "sw" => ("serviceWorker".to_owned(), line.scope.into_owned()),
                "db" => {
                    database = show(&line.name);
                    ("indexedDB".to_owned(), database.clone())
                }
                "store" => {
                    store = show(&line.name);
                    ("indexedDB".to_owned(), format!("{database}/{store}"))
                }
                "next" => ("indexedDB".to_owned(), format!("{}/{}", show(&line.db), show(&line.store))),
                _ => ("indexedDB".to_owned(), format!("{database}/{store}")),
            };
            let digest = names.entry(name).or_default();
            digest.update(text.as_bytes());
            digest.update(b"\n");
        }
        names.into_iter().map(|(name, digest)| (name, digest.finalize().into())).collect()
    }

    /// Names for people; the key and the size are the caller's to say.
    pub(super) fn contents(&self) -> OriginInfo {
        let (mut info, mut database) = (OriginInfo::default(), String::new());
        for line in self.text.lines().filter_map(|text| serde_json::from_str::<Line>(text).ok()) {
            match line.t {
                "ls" => info.local_storage.push(show(&line.k)),
                "ss" => info.session_storage.push(show(&line.k)),
                "cache" => info.caches.push(ObjectStoreInfo { name: show(&line.name), records: 0 }),
                "entry" => info.caches.last_mut().into_iter().for_each(|cache| cache.records += 1),
                "file" => info.files.push(show_path(&line.path)),
                "dir" => info.files.push(show_path(&line.path) + "/"),
                "sw" => info.service_workers.push(line.scope.into_owned()),
                "db" => {
                    database = show(&line.name);
                    if line.stores.as_ref().is_some_and(Vec::is_empty) {
                        info.indexed_db.push(ObjectStoreInfo { name: database.clone(), records: 0 });
                    }
                }
                "store" => {
                    info.indexed_db
                        .push(ObjectStoreInfo { name: format!("{database}/{}", show(&line.name)), records: 0 });
                }
                "rec" => {
                    if let Some(store) = info.indexed_db.last_mut() {
                        store.records += 1;
                    }
                }
                _ => {}
            }
        }
        info
    }
}

/// What differs between two states of one origin, by name.
pub(super) fn diff(origin: &str, before: &Names, after: &Names) -> Vec<Change> {
    let change = |kind, (store, name): &Name| Change {
        kind,
        store: store.clone(),
        origin: origin.to_owned(),
        name: name.clone(),
    };
    let mut changes: Vec<Change> = after
        .iter()
        .filter_map(|(name, digest)| match before.get(name) {
            None => Some(change(ChangeKind::Added, name)),
            Some(old) if old != digest => Some(change(ChangeKind::Changed, name)),
            Some(_) => None,
        })
        .collect();
    changes
        .extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| change(ChangeKind::Removed, name)));
    changes
}

/// The fields of a line that names are made of; values are skipped over.
#[derive(Deserialize)]
struct Line<'a> {
    t: &'a str,
    #[serde(default)]
    k: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    db: Value,
    #[serde(default)]
    store: Value,
    #[serde(default)]
    path: Vec<Value>,
    #[serde(default)]
    scope: std::borrow::Cow<'a, str>,
    #[serde(default)]
    stores: Option<Vec<serde::de::IgnoredAny>>,
}

fn show_path(path: &[Value]) -> String {
    path.iter().map(show).collect::<Vec<_>>().join("/")
}

/// A name as text; one with lone surrogates (tagged by the codec) by its tag.
fn show(name: &Value) -> String {
    name.as_str().map_or_else(|| name.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(lines: &[&str]) -> Part {
        let mut part = Part::default();
        for line in lines {
            part.push(&format!("{line}\n"));
        }
        part
    }

    fn shown(changes: &[Change]) -> Vec<String> {
        changes.iter().map(|c| format!("{:?} {} {}", c.kind, c.store, c.name)).collect()
    }

    #[test]
    fn bodies_belong_to_what_they_follow() {
        let before = part(&[
            r#"{"t":"ls","k":"ss","v":"{\"t\":\"ss\","}"#,
            r#"{"t":"ss","k":"step","v":"1"}"#,
            r#"{"t":"cache","name":"c"}"#,
            r#"{"t":"entry","method":"GET","url":"https://a.example/x","headers":[],"status":200,"text":"","response":[]}"#,
            r#"{"t":"body","d":"AA=="}"#,
            r#"{"t":"dir","path":["d"]}"#,
            r#"{"t":"file","path":["d","f"]}"#,
            r#"{"t":"body","d":"AA=="}"#,
            r#"{"t":"sw","scope":"https://a.example/","script":"https://a.example/w.js","update":"imports"}"#,
        ]);
        let after = Part { text: Zeroizing::new(before.text.replace("AA==", "AQ==")) };
        let changes = diff("o", &before.names(), &after.names());
        assert_eq!(shown(&changes), ["Changed cacheStorage c", "Changed fileSystem d/f"]);
        assert_eq!(before.session_lines().unwrap().as_str(), "{\"t\":\"ss\",\"k\":\"step\",\"v\":\"1\"}\n");
        assert_eq!(before.scopes(), ["https://a.example/"]);
        assert!(part(&[r#"{"t":"ls","k":"a","v":"b"}"#]).session_lines().is_none());
    }

    #[test]
    fn changes_are_named_by_key_and_store() {
        let before = part(&[
            r#"{"t":"ls","k":"gone","v":"1"}"#,
            r#"{"t":"ls","k":"token","v":"1"}"#,
            r#"{"t":"db","name":"app","version":1,"stores":[]}"#,
            r#"{"t":"store","name":"devices"}"#,
            r#"{"t":"rec","k":1,"v":["o",[]]}"#,
        ]);
        let after = part(&[
            r#"{"t":"ls","k":"new","v":"1"}"#,
            r#"{"t":"ls","k":"token","v":"2"}"#,
            r#"{"t":"db","name":"app","version":1,"stores":[]}"#,
            r#"{"t":"store","name":"devices"}"#,
            r#"{"t":"rec","k":1,"v":["o",["a",1]]}"#,
        ]);
        let changes = diff("o", &before.names(), &after.names());
        assert_eq!(
            shown(&changes),
            [
                "Changed indexedDB app/devices",
                "Added localStorage new",
                "Changed localStorage token",
                "Removed localStorage gone"
            ]
        );
        assert!(diff("o", &after.names(), &after.names()).is_empty());
    }

    #[test]
    fn a_generator_that_moved_is_a_change_of_its_store() {
        let line = r#"{"t":"db","name":"app","version":1,"stores":[]}"#;
        let (mut before, mut after) = (part(&[line]), part(&[line]));
        before.push_generator("app", "devices", 1);
        after.push_generator("app", "devices", 2);
        assert_eq!(shown(&diff("o", &before.names(), &after.names())), ["Changed indexedDB app/devices"]);
    }

    #[test]
    fn pieces_hold_whole_lines_and_all_of_them() {
        let lines: Vec<String> = (0..100).map(|n| format!(r#"{{"t":"ls","k":"ž{n}","v":"x"}}"#)).collect();
        let whole = part(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        for size in [0, 1, 33, 1_000, 1_000_000] {
            let pieces: Vec<&str> = whole.pieces(size).collect();
            assert_eq!(pieces.concat().as_bytes(), whole.as_bytes());
            assert!(pieces.iter().all(|piece| piece.ends_with('\n')), "size {size}");
        }
    }

    #[test]
    fn contents_count_records() {
        let whole = part(&[
            r#"{"t":"ls","k":"token","v":"1"}"#,
            r#"{"t":"db","name":"app","version":1,"stores":[{"name":"devices"}]}"#,
            r#"{"t":"store","name":"devices"}"#,
            r#"{"t":"rec","k":1,"v":1}"#,
            r#"{"t":"rec","k":2,"v":1}"#,
            r#"{"t":"db","name":"empty","version":1,"stores":[]}"#,
        ]);
        let shown = whole.contents();
        assert_eq!(shown.local_storage, ["token"]);
        let stores: Vec<_> = shown.indexed_db.iter().map(|store| (store.name.as_str(), store.records)).collect();
        assert_eq!(stores, [("app/devices", 2), ("empty", 0)]);
    }
}
