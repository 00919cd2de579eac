//! Files for a field that takes files: they go into the page piece by piece and are handed to the field there, so that a browser
//! of another machine, which does not see our disk, takes them like one of this machine.

use std::fmt;
use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::PageError;
use super::resolve::{Ask, ask};
use super::selector::Selector;
use super::verb::Verb;
use super::world::{Arg, CallError, Shared};

/// The most bytes of all files of one call.
pub const MOST_UPLOADED: usize = 64 << 20;
/// The longest name of a file, in bytes, as file systems have it.
const LONGEST_NAME: usize = 255;
/// Bytes of a file that cross to the page at a time; without a rest in base64.
const PIECE: usize = 768 << 10;
/// What browsers say of a file that they know nothing of.
const UNKNOWN: &str = "application/octet-stream";

/// A file as it is handed to a page.
#[derive(Clone, PartialEq, Eq)]
pub struct InputFile {
    name: String,
    mime_type: String,
    content: Vec<u8>,
}

impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its content may be private.
        write!(f, "InputFile({:?}, {}, {} bytes)", self.name, self.mime_type, self.content.len())
    }
}

impl InputFile {
    /// A file by this name; where no type is told, the one that the name's ending says. Fails for a name that no file has, and for
    /// what is no type.
    pub fn new(name: &str, mime_type: Option<&str>, content: Vec<u8>) -> Result<Self, PageError> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(['/', '\\', '\0']) {
            let message = format!("a file has a name of 1 to {LONGEST_NAME} bytes without a folder, found {name:?}");
            return Err(PageError::Argument(message));
        }
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let is_type = |text: &str| {
            text.split_once('/')
                .is_some_and(|(kind, rest)| is_part(kind) && is_part(rest.split(';').next().unwrap_or_default().trim()))
        };
        if let Some(wrong) = mime_type.filter(|text| !is_type(text)) {
            return Err(PageError::Argument(format!("a type such as \"text/plain\" is wanted, found {wrong:?}")));
        }
        let mime_type = mime_type.unwrap_or_else(|| type_of(name)).to_owned();
        Ok(Self { name: name.to_owned(), mime_type, content })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The type that the ending of a name stands for.
fn type_of(name: &str) -> &'static str {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match &*ending.to_ascii_lowercase() {
        "txt" | "log" | "text" => "text/plain",
        "md" | "markdown" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "js" | "mjs" => "text/javascript",
        "xml" => "text/xml",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "rtf" => "application/rtf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "bmp" => "image/bmp",
        "avif" => "image/avif",
        "tif" | "tiff" => "image/tiff",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => UNKNOWN,
    }
}

/// Gives the files to the field that the selector leads to, in place of those that it has.
pub(super) async fn set_files(
    page: &Shared,
    frame: &str,
    selector: &Selector,
    verb: &mut Verb,
    files: &[InputFile],
) -> Result<(), PageError> {
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if bytes > MOST_UPLOADED {
        let message = format!("the files have {bytes} bytes together, {MOST_UPLOADED} are the most");
        return Err(PageError::Argument(message));
    }
    let count = [Value::from(files.len())];
    let told = |file: &InputFile| json!({"name": file.name, "type": file.mime_type, "pieces": pieces(file).count()});
    let told = [files.iter().map(told).collect::<Value>()];
    loop {
        let found = ask(page, frame, selector, verb, &Ask::new("fileField", &[], &count)).await?;
        verb.matched(&found.answer.what);
        "the files to be taken".clone_into(&mut verb.missing);
        match stage(page, &found.frame, &verb.token, files).await {
            Err(CallError::Page(error)) => return Err(error),
            Err(CallError::Lost) => verb.log.line("the document was replaced, looking again"),
            Ok(()) => {
                let set = ask(page, frame, selector, verb, &Ask::new("setFiles", &[], &told)).await?;
                if set.answer.t == "ok" {
                    verb.log.line(format!("gave {} file(s) to {}", files.len(), set.answer.what));
                    return Ok(());
                }
                verb.log.line("another document is there now, sending the files again");
            }
        }
    }
}

fn pieces(file: &InputFile) -> impl Iterator<Item = &[u8]> {
    file.content.chunks(PIECE)
}

/// Brings the contents into the frame's document, to be made files of there.
async fn stage(page: &Shared, frame: &str, token: &str, files: &[InputFile]) -> Result<(), CallError> {
    for (at, file) in files.iter().enumerate() {
        for (number, piece) in pieces(file).enumerate() {
            let args: [Value; 4] = [token.into(), at.into(), number.into(), BASE64.encode(piece).into()];
            page.call(frame, "filePiece", &args.map(Arg::Value)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_and_a_type() {
        let file = |name: &str, kind: Option<&str>| InputFile::new(name, kind, vec![1]);
        assert_eq!(file("Cat.JPG", None).unwrap().mime_type, "image/jpeg");
        assert_eq!(file("notes", None).unwrap().mime_type, UNKNOWN);
        assert_eq!(file("a.csv", Some("text/plain; charset=utf-8")).unwrap().mime_type, "text/plain; charset=utf-8");
        for (name, kind) in [("", None), ("a/b", None), ("..\\x", None), ("a", Some("text")), ("a", Some("/"))] {
            assert_eq!(file(name, kind).unwrap_err().code(), "invalid_argument", "{name:?} {kind:?}");
        }
        assert!(!format!("{:?}", InputFile::new("a", None, b"swordfish".to_vec()).unwrap()).contains("sword"));
    }
}
