//! Values of IndexedDB between our parts (`injected/codec.js`) and Playwright's files.
//!
//! Both write what JSON cannot hold as tagged JSON. Playwright's tags are members of an object: `v` (undefined, null, NaN,
//! -0 ...), `d` dates, `bi` big integers, `r` regular expressions, `e` errors, `a` arrays, `o` objects, `m` maps, `s` sets,
//! `ta` typed arrays, `ab` buffers; `ref` names an `a`, `o`, `m` or `s` that stood before, by its `id`.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Number, Value, json};

use super::dates;
use super::unicode::{from_node, to_node};

/// A typed array: Playwright's tag, JavaScript's name, bytes of an element.
const TYPED: [(&str, &str, usize); 11] = [
    ("i8", "Int8Array", 1),
    ("ui8", "Uint8Array", 1),
    ("ui8c", "Uint8ClampedArray", 1),
    ("i16", "Int16Array", 2),
    ("ui16", "Uint16Array", 2),
    ("i32", "Int32Array", 4),
    ("ui32", "Uint32Array", 4),
    ("f32", "Float32Array", 4),
    ("f64", "Float64Array", 8),
    ("bi64", "BigInt64Array", 8),
    ("bui64", "BigUint64Array", 8),
];
const NOT_FINITE: [&str; 4] = ["NaN", "Infinity", "-Infinity", "-0"];
const UNREADABLE: &str = "a value that is not readable";
/// Playwright skips properties of this name, or makes a prototype of them.
const PROTO: &str = "__proto__";

/// A value as Playwright writes it.
pub(super) struct Foreign {
    pub(super) value: Value,
    /// Whether it is tagged; otherwise it is plain JSON.
    pub(super) encoded: bool,
    /// What of it is not as it was.
    pub(super) notes: BTreeSet<&'static str>,
}

/// One of our values in Playwright's form; the error names what it cannot hold.
pub(super) fn to_foreign(node: &Value) -> Result<Foreign, String> {
    if let Some(value) = plain(node) {
        return Ok(Foreign { value, encoded: false, notes: BTreeSet::new() });
    }
    let mut writer = Writer::default();
    let value = writer.visit(node)?;
    Ok(Foreign { value, encoded: true, notes: writer.notes })
}

/// A value that JSON itself holds.
fn plain(node: &Value) -> Option<Value> {
    let Some(list) = node.as_array() else { return Some(node.clone()) };
    match (list.first()?.as_str()?, &list[1..]) {
        ("s16", _) => from_node(node).map(Value::from),
        ("a", [Value::Array(items)]) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::Array),
        ("o", [Value::Array(flat)]) => {
            let mut object = Map::new();
            for (key, value) in pairs(flat) {
                let key = from_node(key).filter(|key| key != PROTO)?;
                object.insert(key, plain(value)?);
            }
            Some(Value::Object(object))
        }
        _ => None,
    }
}

/// Names and values that stand one after the other.
fn pairs(flat: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    flat.as_chunks::<2>().0.iter().map(|[key, value]| (key, value))
}

/// What an object that has been met is referred to by.
enum Met {
    /// Playwright's number for it.
    Id(u64),
    /// It has none there, so it is written again.
    Copy(Value),
}

#[derive(Default)]
struct Writer {
    met: Vec<Met>,
    last: u64,
    notes: BTreeSet<&'static str>,
}

impl Writer {
    fn visit(&mut self, node: &Value) -> Result<Value, String> {
        let Some(list) = node.as_array() else {
            return Ok(if node.is_null() { json!({"v": "null"}) } else { node.clone() });
        };
        let tag = list.first().and_then(Value::as_str).ok_or(UNREADABLE)?;
        match (tag, &list[1..]) {
            ("u", []) => Ok(json!({"v": "undefined"})),
            ("n", [name]) => Ok(json!({"v": name})),
            ("s16", _) => Ok(from_node(node).ok_or(UNREADABLE)?.into()),
            ("big", [digits]) => Ok(json!({"bi": digits})),
            ("r", [number]) => self.again(number),
            ("o", [Value::Array(flat)]) => self.object(flat),
            ("a", [Value::Array(items)]) => self.list("a", items),
            ("a", _) => Err("an array with properties of its own".to_owned()),
            ("set", [Value::Array(items)]) => self.list("s", items),
            ("m", [Value::Array(flat)]) => self.map(flat),
            ("e", [name, message, stack, cause]) => self.error(name, message, stack, cause),
            ("view", [name, buffer, offset, length]) => self.view(name, buffer, offset, length),
            _ => {
                let copy = Self::leaf(tag, &list[1..])?;
                self.met.push(Met::Copy(copy.clone()));
                Ok(copy)
            }
        }
    }

    /// What holds no other value and has no number.
    fn leaf(tag: &str, rest: &[Value]) -> Result<Value, String> {
        match (tag, rest) {
            ("d", [at]) => {
                let text = at.as_f64().and_then(dates::to_text).ok_or("an invalid date")?;
                Ok(json!({"d": text}))
            }
            ("re", [source, flags]) => Ok(json!({"r": {"p": from_node(source).ok_or(UNREADABLE)?, "f": flags}})),
            ("ab", [bytes, Value::Null]) => Ok(json!({"ab": {"b": bytes}})),
            ("ab", _) => Err("a resizable buffer".to_owned()),
            ("sparse", _) => Err("an array with holes".to_owned()),
            ("box", _) => Err("a boxed primitive".to_owned()),
            ("blob", _) => Err("a Blob".to_owned()),
            ("file", _) => Err("a File".to_owned()),
            ("key", _) => Err("a CryptoKey".to_owned()),
            ("image", _) => Err("an ImageData".to_owned()),
            ("quad", _) => Err("a DOMQuad".to_owned()),
            ("dom", [kind, ..]) => Err(format!("a {}", kind.as_str().unwrap_or("DOM value"))),
            _ => Err(UNREADABLE.to_owned()),
        }
    }

    fn again(&mut self, number: &Value) -> Result<Value, String> {
        let number = number.as_u64().and_then(|number| usize::try_from(number).ok()).ok_or(UNREADABLE)?;
        match self.met.get(number).ok_or(UNREADABLE)? {
            Met::Id(id) => Ok(json!({"ref": id})),
            Met::Copy(copy) => {
                self.notes.insert("a value that stood in two places is written twice");
                Ok(copy.clone())
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.met.push(Met::Id(self.last));
        self.last
    }

    fn object(&mut self, flat: &[Value]) -> Result<Value, String> {
        let id = self.number();
        let mut members = Vec::new();
        for (key, value) in pairs(flat) {
            let key = from_node(key).ok_or(UNREADABLE)?;
            if key == PROTO {
                return Err("an object with a property __proto__".to_owned());
            }
            members.push(json!({"k": key, "v": self.visit(value)?}));
        }
        Ok(json!({"o": members, "id": id}))
    }

    fn list(&mut self, tag: &str, items: &[Value]) -> Result<Value, String> {
        let id = self.number();
        let items = items.iter().map(|item| self.visit(item)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({tag: items, "id": id}))
    }

    fn map(&mut self, flat: &[Value]) -> Result<Value, String> {
        let id = self.number();
        let mut entries = Vec::new();
        for (key, value) in pairs(flat) {
            entries.push(json!({"k": self.visit(key)?, "v": self.visit(value)?}));
        }
        Ok(json!({"m": entries, "id": id}))
    }

    fn error(&mut self, name: &Value, message: &Value, stack: &Value, cause: &Value) -> Result<Value, String> {
        if cause.as_array().is_none_or(|cause| !cause.is_empty()) {
            return Err("an error with a cause".to_owned());
        }
        if from_node(message).is_none() || from_node(stack).is_none() {
            self.notes.insert("an error without a message or a stack gets an empty one");
        }
        let text = |node| from_node(node).unwrap_or_default();
        let copy = json!({"e": {"n": text(name), "m": text(message), "s": text(stack)}});
        self.met.push(Met::Copy(copy.clone()));
        Ok(copy)
    }

    fn view(&mut self, name: &Value, buffer: &Value, offset: &Value, length: &Value) -> Result<Value, String> {
        let kind = TYPED.iter().find(|(_, kind, _)| name == kind);
        let (tag, _, size) = kind.ok_or_else(|| format!("a {}", name.as_str().unwrap_or("view")))?;
        // Numbered before its buffer, which it is made of.
        let own = self.met.len();
        self.met.push(Met::Copy(Value::Null));
        let whole = self.visit(buffer)?;
        let bytes = whole.pointer("/ab/b").and_then(Value::as_str).ok_or(UNREADABLE)?;
        let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).map_err(|_| UNREADABLE)?;
        let at = |number: &Value| number.as_u64().and_then(|number| usize::try_from(number).ok());
        let (from, count) = at(offset).zip(at(length)).ok_or(UNREADABLE)?;
        let to = count.checked_mul(*size).and_then(|length| length.checked_add(from)).ok_or(UNREADABLE)?;
        let slice = bytes.get(from..to).ok_or(UNREADABLE)?;
        if slice.len() < bytes.len() {
            self.notes.insert("of a buffer only what its view shows is written");
        }
        let copy = json!({"ta": {"b": data_encoding::BASE64.encode(slice), "k": tag}});
        self.met[own] = Met::Copy(copy.clone());
        Ok(copy)
    }
}

/// Why one of Playwright's values cannot be taken.
pub(super) enum Fault {
    /// It is none of theirs: where, and what was wanted.
    Invalid(String, &'static str),
    /// It is, and no browser could store it.
    Unstorable(&'static str),
}

/// Plain JSON as one of our values.
pub(super) fn from_plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => from_number(number),
        Value::String(text) => to_node(text),
        Value::Array(items) => json!(["a", items.iter().map(from_plain).collect::<Vec<_>>()]),
        Value::Object(members) => {
            let flat: Vec<Value> = members.iter().flat_map(|(key, value)| [to_node(key), from_plain(value)]).collect();
            json!(["o", flat])
        }
        other => other.clone(),
    }
}

/// A number as JavaScript writes it: 1.0 is 1.
fn from_number(number: &Number) -> Value {
    const SAFE: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if float == 0.0 && float.is_sign_negative() => json!(["n", "-0"]),
        #[allow(clippy::cast_possible_truncation)] // whole, and within what an i64 holds
        Some(float) if float.fract() == 0.0 && float.abs() < SAFE => json!(float as i64),
        Some(float) => json!(float),
        None => number.clone().into(),
    }
}

/// A tagged value of Playwright's, which stands at `at`, as ours.
pub(super) fn from_encoded(value: &Value, at: &str) -> Result<Value, Fault> {
    Reader::default().visit(value, at)
}

#[derive(Default)]
struct Reader {
    /// How many objects have been met; ours are numbered in that order.
    met: usize,
    /// Our numbers by Playwright's.
    ids: HashMap<u64, usize>,
}

impl Reader {
    fn visit(&mut self, value: &Value, at: &str) -> Result<Value, Fault> {
        let invalid = |reason| Err(Fault::Invalid(at.to_owned(), reason));
        let members = match value {
            Value::Object(members) => members,
            Value::Array(_) => return invalid("a tagged value was wanted, found a list"),
            scalar => return Ok(from_plain(scalar)),
        };
        let (id, get) = (members.get("id"), |tag: &str| members.get(tag));
        if let Some(number) = get("ref") {
            let met = number.as_u64().and_then(|number| self.ids.get(&number));
            return met.map_or_else(|| invalid("it refers to nothing that stood before"), |met| Ok(json!(["r", met])));
        }
        if let Some(name) = get("v") {
            return match name.as_str() {
                Some("undefined") => Ok(json!(["u"])),
                Some("null") => Ok(Value::Null),
                Some(name) if NOT_FINITE.contains(&name) => Ok(json!(["n", name])),
                _ => invalid("undefined, null, NaN, Infinity, -Infinity or -0 was wanted"),
            };
        }
        if let Some(digits) = get("bi").and_then(Value::as_str) {
            let bare = digits.strip_prefix('-').unwrap_or(digits);
            let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
            return if is_number { Ok(json!(["big", digits])) } else { invalid("a whole number was wanted") };
        }
        if let Some(items) = get("a").and_then(Value::as_array) {
            self.number(id);
            return Ok(json!(["a", self.items(items, &format!("{at}.a"))?]));
        }
        if let Some(items) = get("s").and_then(Value::as_array) {
            self.number(id);
            return Ok(json!(["set", self.items(items, &format!("{at}.s"))?]));
        }
        if let Some(entries) = get("o").and_then(Value::as_array) {
            self.number(id);
            return Ok(json!(["o", self.entries(entries, &format!("{at}.o"), true)?]));
        }
        if let Some(entries) = get("m").and_then(Value::as_array) {
            self.number(id);
            return Ok(json!(["m", self.entries(entries, &format!("{at}.m"), false)?]));
        }
        self.leaf(members, at)
    }

    fn number(&mut self, id: Option<&Value>) {
        if let Some(id) = id.and_then(Value::as_u64) {
            self.ids.insert(id, self.met);
        }
        self.met += 1;
    }

    fn items(&mut self, items: &[Value], at: &str) -> Result<Vec<Value>, Fault> {
        items.iter().enumerate().map(|(index, item)| self.visit(item, &format!("{at}[{index}]"))).collect()
    }

    fn entries(&mut self, entries: &[Value], at: &str, names: bool) -> Result<Vec<Value>, Fault> {
        let mut flat = Vec::with_capacity(entries.len() * 2);
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{at}[{index}]");
            let (Some(key), Some(value)) = (entry.get("k"), entry.get("v")) else {
                return Err(Fault::Invalid(at, "an object with k and v was wanted"));
            };
            if names && !key.is_string() {
                return Err(Fault::Invalid(format!("{at}.k"), "a text was wanted"));
            }
            flat.push(self.visit(key, &format!("{at}.k"))?);
            flat.push(self.visit(value, &format!("{at}.v"))?);
        }
        Ok(flat)
    }

    fn leaf(&mut self, members: &Map<String, Value>, at: &str) -> Result<Value, Fault> {
        let invalid = |reason| Err(Fault::Invalid(at.to_owned(), reason));
        let text = |path: &str| members.get(&path[..1]).and_then(|m| m.get(&path[1..])).and_then(Value::as_str);
        self.met += 1;
        if let Some(date) = members.get("d") {
            // An invalid date has no text; Playwright writes null.
            let at = if date.is_null() { Some(json!(["n", "NaN"])) } else { None };
            let known = || date.as_str().and_then(dates::from_text).map(|at| json!(at));
            return at.or_else(known).map_or_else(|| invalid("a date was wanted"), |at| Ok(json!(["d", at])));
        }
        if members.contains_key("r") {
            return match (text("rp"), text("rf")) {
                (Some(source), Some(flags)) => Ok(json!(["re", to_node(source), flags])),
                _ => invalid("a regular expression with p and f was wanted"),
            };
        }
        if members.contains_key("e") {
            return match (text("en"), text("em"), text("es")) {
                (Some(name), Some(message), Some(stack)) => {
                    Ok(json!(["e", name, to_node(message), to_node(stack), []]))
                }
                _ => invalid("an error with n, m and s was wanted"),
            };
        }
        let bytes = |tag: &str| {
            let text = members.get(tag)?.get("b")?.as_str()?;
            data_encoding::BASE64.decode(text.as_bytes()).ok().map(|bytes| (text, bytes))
        };
        if members.contains_key("ab") {
            return bytes("ab").map_or_else(|| invalid("base64 was wanted"), |(text, _)| Ok(json!(["ab", text, null])));
        }
        if let Some(array) = members.get("ta") {
            let Some((text, bytes)) = bytes("ta") else { return invalid("base64 was wanted") };
            let kind = TYPED.iter().find(|(tag, ..)| array.get("k").is_some_and(|kind| kind == tag));
            let Some((_, name, size)) = kind else { return invalid("a kind of typed array was wanted") };
            if bytes.len() % size != 0 {
                return invalid("bytes of whole elements were wanted");
            }
            // The buffer that it is a view of is an object too.
            self.met += 1;
            return Ok(json!(["view", name, ["ab", text, null], 0, bytes.len() / size]));
        }
        if ["u", "h", "fn"].iter().any(|tag| members.contains_key(*tag)) {
            return Err(Fault::Unstorable("a URL, a handle or a function, which no browser stores"));
        }
        invalid("none of Playwright's tagged values")
    }
}
