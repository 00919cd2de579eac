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

/// How lines begin that have no name of their own.
const OWNED: [&str; 3] = [r#"{"t":"rec","#, r#"{"t":"body","#, r#"{"t":"entry","#];

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
        // The order of its fields is a format: another one would count as a change.
        let (database, store) = (Value::from(database), Value::from(store));
        let line = format!("{{\"t\":\"next\",\"db\":{database},\"store\":{store},\"n\":{next}}}\n");
        self.text.push_str(&line);
    }

    /// Its lines.
    pub(super) fn as_str(&self) -> &str {
        &self.text
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
        let mut outline = Outline::default();
        outline.add(&self.text);
        outline.names()
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

/// What there is to know of a part without holding it: gathered from its lines as they go by.
#[derive(Default)]
pub(super) struct Outline {
    whole: Sha256,
    bytes: u64,
    names: BTreeMap<Name, Sha256>,
    /// Those of sessionStorage and of service workers.
    session: Part,
    workers: Part,
    database: String,
    /// What a line belongs to that has no name of its own.
    owner: Name,
}

impl Outline {
    /// Takes the next lines, whole ones.
    pub(super) fn add(&mut self, lines: &str) {
        self.whole.update(lines.as_bytes());
        self.bytes += lines.len() as u64;
        for line in lines.split_inclusive('\n') {
            self.line(line);
        }
    }

    fn line(&mut self, text: &str) {
        // Most lines, and the longest: no need to look into them.
        if !OWNED.iter().any(|begin| text.starts_with(begin)) {
            let Ok(line) = serde_json::from_str::<Line>(text) else { return };
            self.named(&line);
            match line.t {
                "ss" => self.session.push(text),
                "sw" => self.workers.push(text),
                _ => {}
            }
        }
        // By reference: of a hundred thousand lines most belong to what the one before them did.
        if !self.names.contains_key(&self.owner) {
            self.names.insert(self.owner.clone(), Sha256::new());
        }
        if let Some(digest) = self.names.get_mut(&self.owner) {
            digest.update(text.trim_end_matches('\n').as_bytes());
            digest.update(b"\n");
        }
    }

    fn named(&mut self, line: &Line) {
        self.owner = match line.t {
            "ls" => ("localStorage".to_owned(), show(&line.k)),
            "ss" => ("sessionStorage".to_owned(), show(&line.k)),
            "cache" => ("cacheStorage".to_owned(), show(&line.name)),
            "dir" | "file" => ("fileSystem".to_owned(), show_path(&line.path)),
            "sw" => ("serviceWorker".to_owned(), line.scope.to_string()),
            "db" => {
                self.database = show(&line.name);
                ("indexedDB".to_owned(), self.database.clone())
            }
            "store" => ("indexedDB".to_owned(), format!("{}/{}", self.database, show(&line.name))),
            "next" => ("indexedDB".to_owned(), format!("{}/{}", show(&line.db), show(&line.store))),
            // What a later Rhaven may add belongs to what it follows.
            _ => return,
        };
    }

    /// Digests by name, as [`Part::names`].
    pub(super) fn names(&self) -> Names {
        self.names.iter().map(|(name, digest)| (name.clone(), digest.clone().finalize().into())).collect()
    }

    /// The digest of the whole, as [`Part::digest`].
    pub(super) fn digest(&self) -> [u8; 32] {
        self.whole.clone().finalize().into()
    }

    /// The length of the whole.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As [`Part::session_lines`].
    pub(super) fn session_lines(&self) -> Option<Zeroizing<String>> {
        self.session.session_lines()
    }

    /// As [`Part::worker_lines`].
    pub(super) fn worker_lines(&self) -> Option<Zeroizing<String>> {
        self.workers.worker_lines()
    }

    /// As [`Part::scopes`].
    pub(super) fn scopes(&self) -> Vec<String> {
        self.workers.scopes()
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
