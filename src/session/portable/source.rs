//! A file that a session is made from: what it is, by its first bytes, and its text.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use super::{Format, Input, PortableError, bundle, netscape};

/// Bytes that a format is recognised by.
const START: u64 = 64 << 10;
/// The most that is read of a file that has to be held as a whole.
const MOST_TEXT: usize = 512 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// A file to import, of which only the beginning has been read.
pub struct Source {
    format: Format,
    input: Input,
}

impl Source {
    /// Takes a file; its format, unless `format` says which, is told by what it begins with.
    pub async fn open(
        mut input: impl AsyncRead + Send + Unpin + 'static,
        format: Option<Format>,
    ) -> Result<Self, PortableError> {
        let mut start = Vec::new();
        (&mut input).take(START).read_to_end(&mut start).await.map_err(PortableError::Read)?;
        let format = match format {
            None => recognise(&start)?,
            // Before anybody is asked for a passphrase.
            Some(Format::Bundle) if !start.starts_with(bundle::MAGIC) => {
                let reason = "it does not begin as one".to_owned();
                return Err(PortableError::Invalid { format: bundle::NAME, at: "its first line".to_owned(), reason });
            }
            Some(format) => format,
        };
        Ok(Self { format, input: Box::new(io::Cursor::new(start).chain(input)) })
    }

    /// What it is.
    pub fn format(&self) -> Format {
        self.format
    }

    pub(super) fn into_input(self) -> Input {
        self.input
    }

    /// All of it as text, without the mark that some editors put before it.
    pub(super) async fn text(mut self) -> Result<Zeroizing<String>, PortableError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PIECE));
        let mut piece = Zeroizing::new(vec![0; PIECE]);
        loop {
            let length = self.input.read(&mut piece).await.map_err(PortableError::Read)?;
            if length == 0 {
                break;
            }
            if bytes.len() + length > MOST_TEXT {
                return Err(PortableError::TooLarge { limit: MOST_TEXT });
            }
            if bytes.len() + length > bytes.capacity() {
                // Moved by hand, so that what is left behind is wiped.
                let mut larger = Zeroizing::new(Vec::with_capacity(2 * bytes.capacity()));
                larger.extend_from_slice(&bytes);
                bytes = larger;
            }
            bytes.extend_from_slice(&piece[..length]);
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| PortableError::Invalid {
            format: "text",
            at: format!("byte {}", error.valid_up_to()),
            reason: "UTF-8 was wanted, found something else".to_owned(),
        })?;
        Ok(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()))
    }
}

/// Which format begins so.
fn recognise(start: &[u8]) -> Result<Format, PortableError> {
    let unknown = |found: &str| PortableError::Unrecognised { found: found.to_owned() };
    if start.starts_with(bundle::MAGIC) {
        return Ok(Format::Bundle);
    }
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The beginning may end within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Err(unknown("it is not text")),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start() {
        "" => Err(unknown("it is empty")),
        begin if begin.starts_with('{') => Ok(Format::Playwright),
        _ if netscape::recognise(text) => Ok(Format::Cookies),
        _ => Err(unknown("it is neither JSON, nor lines of cookies, nor a bundle")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_what_stands_in_the_file() {
        let told = |text: &str| recognise(text.as_bytes()).ok();
        assert_eq!(told("\u{feff}\n {\"cookies\": []}"), Some(Format::Playwright));
        assert_eq!(told("# Netscape HTTP Cookie File\n"), Some(Format::Cookies));
        assert_eq!(told("a.example\tFALSE\t/\tFALSE\t0\tsid\t1\n"), Some(Format::Cookies));
        assert_eq!(told("rhaven bundle\n..."), Some(Format::Bundle));
        assert_eq!((told(""), told("hello"), told("[1, 2]")), (None, None, None));
        assert_eq!(recognise(&[0xff, 0xfe]).unwrap_err().code(), "invalid_import");
        assert_eq!(recognise(b"{\"a\": \"\xc5").ok(), Some(Format::Playwright));
    }

    #[tokio::test]
    async fn what_told_the_format_is_read_again() {
        let text = format!("{{\"pad\": \"{}\"}}", "ž".repeat(500_000));
        let bytes = format!("\u{feff}{text}").into_bytes();
        let source = Source::open(io::Cursor::new(bytes), None).await.unwrap();
        assert_eq!(source.format(), Format::Playwright);
        assert_eq!(*source.text().await.unwrap(), text);
        let broken = Source::open(&b"{\"a\": \"\xff\"}"[..], Some(Format::Playwright)).await.unwrap();
        assert_eq!(
            broken.text().await.unwrap_err().to_string(),
            "the file is not a readable text: byte 7: UTF-8 was wanted, found something else"
        );
    }
}
