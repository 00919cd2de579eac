//! Bytes of a response to text: by its byte order mark, else as the server said, else as the document says, else what it is.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a document its charset may be declared, in bytes.
const DECLARED_WITHIN: usize = 1024;

/// The text of `body`.
pub(super) fn decode(body: &[u8], named: Option<&str>, is_html: bool) -> String {
    let declared = || if is_html { declared(body) } else { None };
    let named = named.and_then(|name| Encoding::for_label(name.as_bytes())).or_else(declared);
    let encoding = named.unwrap_or_else(|| if std::str::from_utf8(body).is_ok() { UTF_8 } else { WINDOWS_1252 });
    // A byte order mark goes before all.
    encoding.decode(body).0.into_owned()
}

/// What `<meta charset=..>` or `<meta http-equiv=content-type content="..; charset=..">` says.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(body.get(..DECLARED_WITHIN).unwrap_or(body)).to_ascii_lowercase();
    let mut metas = start.split("<meta").skip(1).filter_map(|meta| meta.split('>').next());
    let label = |meta: &str| {
        let value =
            meta.split_once("charset")?.1.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let label = value.split(['"', '\'', ';', ' ', '/']).next()?;
        Encoding::for_label(label.as_bytes())
    };
    let found = metas.find_map(label)?;
    // A document that could be read so far is none of these.
    Some(if found.is_ascii_compatible() { found } else { UTF_8 })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn text_is_read_as_it_was_written() {
        let euro = "preis: 5 \u{20ac}";
        assert_eq!(decode(euro.as_bytes(), None, true), euro);
        assert_eq!(decode(b"preis: 5 \x80", None, true), euro);
        assert_eq!(decode(b"preis: 5 \xa4", Some("ISO-8859-15"), true), euro);
        let page = b"<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=iso-8859-15\">\xa4";
        assert!(decode(page, None, true).ends_with('\u{20ac}'));
        let page = b"<!doctype html><meta charset='shift_jis'>\x83\x65\x83\x58\x83\x67";
        assert!(decode(page, None, true).ends_with("\u{30c6}\u{30b9}\u{30c8}"));
        assert!(decode(page, Some("utf-8"), true).contains('\u{fffd}'));
        assert_eq!(decode(b"\xef\xbb\xbfhi", Some("windows-1252"), true), "hi");
        assert_eq!(decode(b"\xff\xfeh\0i\0", None, false), "hi");
    }
}
