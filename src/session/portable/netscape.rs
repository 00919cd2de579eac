//! Netscape's `cookies.txt`, as curl, wget and browsers' extensions write and read it: a line per cookie, seven fields
//! between tabs. It holds cookies without `SameSite` and partitions, and nothing else of a session.
//!
//! ```text
//! [#HttpOnly_]DOMAIN \t SUBDOMAINS \t PATH \t SECURE \t EXPIRES \t NAME \t VALUE
//! ```

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::contents::Contents;
use super::cookie::{Foreign, flag, lost, text, unusual};
use super::{PortableError, Read, Written};
use crate::session::state::Index;
use crate::session::{Cookie, Partial, cookies};

const NAME: &str = "cookies.txt";
const HEADING: &str = "# Netscape HTTP Cookie File";
const HTTP_ONLY: &str = "#HttpOnly_";
const FIELDS: [&str; 7] = ["domain", "subdomains", "path", "secure", "expires", "name", "value"];

/// Whether `text` is written in this format, by its first telling line.
pub(super) fn recognise(text: &str) -> bool {
    text.lines().take(100).any(|line| {
        let heading = line.starts_with(HEADING) || line.starts_with("# HTTP Cookie File");
        heading || (line.matches('\t').count() == FIELDS.len() - 1 && !line.starts_with(['{', '[']))
    })
}

/// The cookies as this format holds them, and what it does not.
pub(super) fn write(index: &Index) -> Written {
    let mut out = Zeroizing::new(format!("{HEADING}\n\n"));
    let mut missing = Vec::new();
    let mut count = 0;
    for cookie in &index.cookies {
        match line(cookie) {
            Ok(line) => {
                out.push_str(&line);
                count += 1;
                missing.extend(dropped(cookie));
            }
            Err(reason) => missing.push(lost(cookie, reason)),
        }
    }
    let note = |origin: &str| Partial {
        origin: origin.to_owned(),
        store: "storage".to_owned(),
        key: None,
        reason: "the format holds cookies only".to_owned(),
    };
    missing.extend(index.parts.iter().filter(|part| part.bytes > 0).map(|part| note(&part.storage_key)));
    Written { bytes: Zeroizing::new(out.as_bytes().to_vec()), cookies: count, origins: 0, lost: missing }
}

fn line(cookie: &Cookie) -> Result<Zeroizing<String>, &'static str> {
    let (domain, path) = (text(cookie, "domain"), text(cookie, "path"));
    let (name, value) = (text(cookie, "name"), text(cookie, "value"));
    if cookie.contains_key("partitionKey") {
        return Err("the format holds no partitioned cookies");
    }
    if name.is_empty() {
        return Err("the format holds no cookies without a name");
    }
    if [domain, path, name, value].iter().any(|text| text.contains(['\t', '\n', '\r'])) {
        return Err("the format holds no tabs and line breaks");
    }
    let truth = |is: bool| if is { "TRUE" } else { "FALSE" };
    // Whole seconds; 0 stands for a session cookie.
    #[allow(clippy::cast_possible_truncation)]
    let expires = cookies::expiry(cookie).map_or(0, |at| at as i64);
    let mut line = Zeroizing::new(String::new());
    let prefix = if flag(cookie, "httpOnly") { HTTP_ONLY } else { "" };
    let (subdomains, secure) = (truth(domain.starts_with('.')), truth(flag(cookie, "secure")));
    // Writing to a string cannot fail.
    let _ = writeln!(line, "{prefix}{domain}\t{subdomains}\t{path}\t{secure}\t{expires}\t{name}\t{value}");
    Ok(line)
}

/// What a cookie that is written loses.
fn dropped(cookie: &Cookie) -> Option<Partial> {
    let mut names = Vec::new();
    if cookie.contains_key("sameSite") {
        names.push("SameSite");
    }
    names.extend(unusual(cookie));
    (!names.is_empty()).then(|| lost(cookie, format!("the format holds no {}", names.join(", "))))
}

/// Reads the format.
pub(super) fn read(text: &str) -> Result<Read, PortableError> {
    let (mut cookies, mut missing) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let (line, http_only) = match line.strip_prefix(HTTP_ONLY) {
            Some(rest) => (rest, true),
            None if line.starts_with('#') || line.trim().is_empty() => continue,
            None => (line, false),
        };
        let cookie = foreign(line, http_only).map_err(|(field, reason)| PortableError::Invalid {
            format: NAME,
            at: field.map_or_else(|| format!("line {}", index + 1), |field| format!("line {}, {field}", index + 1)),
            reason,
        })?;
        match cookie.adopt() {
            Ok((cookie, note)) => {
                cookies.push(cookie);
                missing.extend(note);
            }
            Err(note) => missing.push(note),
        }
    }
    Ok(Read { contents: Contents { cookies, parts: Vec::new() }, lost: missing })
}

type Fault = (Option<&'static str>, String);

fn foreign(line: &str, http_only: bool) -> Result<Foreign, Fault> {
    let fields: Vec<&str> = line.split('\t').collect();
    // Some writers leave the tab before an empty value out.
    if !(FIELDS.len() - 1..=FIELDS.len()).contains(&fields.len()) {
        return Err((None, format!("{} fields between tabs were wanted, found {}", FIELDS.len(), fields.len())));
    }
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    let truth = |at: usize| match field(at) {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err((Some(FIELDS[at]), "TRUE or FALSE was wanted, found something else".to_owned())),
    };
    let domain = field(0).trim_start_matches('.');
    let dot = if truth(1)? { "." } else { "" };
    Ok(Foreign {
        name: field(5).to_owned(),
        value: field(6).to_owned(),
        domain: format!("{dot}{domain}"),
        path: field(2).to_owned(),
        expires: expires(field(4))?,
        http_only,
        secure: truth(3)?,
        ..Foreign::default()
    })
}

/// Seconds since 1970; 0, -1 and nothing stand for a session cookie.
fn expires(text: &str) -> Result<Option<f64>, Fault> {
    if matches!(text, "" | "0" | "-1") {
        return Ok(None);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| (Some(FIELDS[4]), "seconds since 1970 were wanted, found something else".to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(cookies: Vec<Cookie>) -> Index {
        Index::new(cookies, Vec::new(), crate::session::state::Beside::default())
    }

    fn cookie(value: &serde_json::Value) -> Cookie {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_file_of_ours_reads_back_and_says_what_it_lost() {
        let all = [
            json!({"name": "sid", "value": "a=b", "domain": ".a.example", "path": "/", "httpOnly": true, "secure": true,
                "expires": 4e9, "sameSite": "Lax", "priority": "High"}),
            json!({"name": "lang", "value": "", "domain": "a.example", "path": "/x", "httpOnly": false, "secure": false}),
            json!({"name": "p", "value": "1", "domain": "a.example", "path": "/", "secure": true,
                "partitionKey": {"topLevelSite": "https://b.example", "hasCrossSiteAncestor": true}}),
        ];
        let written = write(&of(all.iter().map(cookie).collect()));
        let text = String::from_utf8(written.bytes.to_vec()).unwrap();
        assert!(recognise(&text), "{text}");
        assert!(text.contains("\n#HttpOnly_.a.example\tTRUE\t/\tTRUE\t4000000000\tsid\ta=b\n"), "{text}");
        assert!(text.contains("\na.example\tFALSE\t/x\tFALSE\t0\tlang\t\n"), "{text}");
        let reasons: Vec<_> = written.lost.iter().map(|lost| (lost.key.as_deref().unwrap(), &*lost.reason)).collect();
        let wanted =
            [("sid", "the format holds no SameSite, priority"), ("p", "the format holds no partitioned cookies")];
        assert_eq!((reasons, written.cookies), (wanted.to_vec(), 2));
        let read = read(&text).unwrap().contents.cookies;
        assert_eq!(
            (read.len(), text_of(&read[0], "domain"), flag(&read[0], "httpOnly")),
            (2, ".a.example".into(), true)
        );
        assert!(!read[1].contains_key("expires"));
    }

    fn text_of(cookie: &Cookie, attribute: &str) -> String {
        super::text(cookie, attribute).to_owned()
    }

    #[test]
    fn a_mistake_is_named_by_line_and_field() {
        let told = |text: &str| read(text).err().unwrap().to_string();
        assert_eq!(
            told("# x\na\tTRUE\t/"),
            "the file is not a readable cookies.txt: line 2: 7 fields between tabs were wanted, found 3"
        );
        assert!(told("a\tTRUE\t/\tFALSE\tsoon\tn\tsecret").contains("line 1, expires: seconds since 1970 were wanted"));
        assert!(!told("a\tsecret\t/\tFALSE\t0\tn\tv").contains("secret"));
    }

    proptest! {
        #[test]
        fn hostile_text_is_read_or_refused(text in "(#HttpOnly_)?[a-z.\t\r\n0-9/#A-Z=;\u{0}-\u{ff}]{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn hostile_fields_are_read_or_refused(fields in prop::collection::vec("[^\n]{0,12}", 0..9)) {
            if let Ok(read) = read(&fields.join("\t")) {
                let count = read.contents.cookies.len();
                prop_assert_eq!(write(&of(read.contents.cookies)).cookies, count);
            }
        }
    }
}
