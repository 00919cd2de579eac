//! Files as scripts give them to a page: paths below the run's folder, or maps that hold their content.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use data_encoding::BASE64;
use rhai::{Array, Blob, Dynamic, Map};

use super::ScriptError;
use super::kind::{found, text};
use crate::base::{Secret, closest};
use crate::page::{InputFile, MOST_UPLOADED};

/// What the map of a file may hold.
const ENTRIES: [&str; 4] = ["name", "mime_type", "body", "base64"];

/// The most files of one call.
const MOST_FILES: usize = 100;

/// A file, before anything is read from a disk.
enum Given {
    Path(String),
    Made(InputFile),
}

/// The bytes that the files of one call may still have. Looked at before a file is taken in, not when all of them are.
struct Room(usize);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), ScriptError> {
        let too_many =
            || invalid(format!("the files have more than {MOST_UPLOADED} bytes together, which are the most"));
        self.0 = self.0.checked_sub(bytes).ok_or_else(too_many)?;
        Ok(())
    }
}

/// Whether the type fits: a path, a map, or a list of them.
pub fn takes(value: &Dynamic) -> bool {
    let one = |value: &Dynamic| value.is_string() || value.is_map();
    one(value) || value.read_lock::<Array>().is_some_and(|items| items.iter().all(one))
}

/// What is wrong with files, before a disk or a browser is asked.
pub fn fault(value: &Dynamic) -> Option<ScriptError> {
    each(value, |item, room| given(item, room).map(drop)).err()
}

/// The files; those that are named by path are read, below `folder` only.
pub fn read(value: &Dynamic, folder: &Path) -> Result<Vec<InputFile>, ScriptError> {
    each(value, |item, room| match given(item, room)? {
        Given::Made(file) => Ok(file),
        Given::Path(path) => from_disk(folder, &path, room),
    })
}

/// What of them may be shown: their names.
pub fn shown(value: &Dynamic) -> String {
    let one = |item: &Dynamic, _: &mut Room| {
        let name = item.read_lock::<Map>().and_then(|map| map.get("name").map(text));
        Ok(name.map_or_else(|| format!("{:?}", text(item)), |name| format!("#{{ name: {name:?}, .. }}")))
    };
    let all = each(value, one).unwrap_or_default().join(", ");
    if value.is_array() { format!("[{all}]") } else { all }
}

fn each<T>(
    value: &Dynamic,
    one: impl Fn(&Dynamic, &mut Room) -> Result<T, ScriptError>,
) -> Result<Vec<T>, ScriptError> {
    let mut room = Room(MOST_UPLOADED);
    match value.read_lock::<Array>() {
        Some(items) if items.len() > MOST_FILES => {
            Err(invalid(format!("found {} files, {MOST_FILES} are the most", items.len())))
        }
        Some(items) => items.iter().map(|item| one(item, &mut room)).collect(),
        None => Ok(vec![one(value, &mut room)?]),
    }
}

fn given(item: &Dynamic, room: &mut Room) -> Result<Given, ScriptError> {
    let Some(map) = item.read_lock::<Map>() else { return Ok(Given::Path(text(item))) };
    if let Some(unknown) = map.keys().find(|name| !ENTRIES.contains(&name.as_str())) {
        let meant = closest(unknown, ENTRIES).map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
        return Err(invalid(format!("there is no {unknown:?} in a file: it knows {}{meant}", ENTRIES.join(", "))));
    }
    let word = |name: &str| match map.get(name) {
        None => Ok(None),
        Some(value) if value.is_string() => Ok(Some(text(value))),
        Some(value) => Err(invalid(format!("{name:?}: wanted text, found {}", found(value)))),
    };
    let Some(name) = word("name")? else { return Err(invalid("a file needs \"name\"".to_owned())) };
    let content = match (map.get("body"), word("base64")?) {
        (Some(body), None) => content(body, room)?,
        (None, Some(base64)) => {
            let wrong = |_| invalid("\"base64\": this is no base64 (RFC 4648, with its padding)".to_owned());
            let bytes = BASE64.decode(base64.as_bytes()).map_err(wrong)?;
            room.take(bytes.len())?;
            bytes
        }
        (Some(_), Some(_)) => return Err(invalid("a file has \"body\" or \"base64\", not both".to_owned())),
        (None, None) => return Err(invalid("a file needs its content: \"body\" or \"base64\"".to_owned())),
    };
    Ok(Given::Made(InputFile::new(&name, word("mime_type")?.as_deref(), content)?))
}

fn content(body: &Dynamic, room: &mut Room) -> Result<Vec<u8>, ScriptError> {
    let mut copy = |bytes: &[u8]| room.take(bytes.len()).map(|()| bytes.to_vec());
    if let Some(bytes) = body.read_lock::<Blob>() {
        return copy(&bytes);
    }
    if let Some(secret) = body.read_lock::<Secret>() {
        return copy(secret.expose().as_bytes());
    }
    if let Ok(text) = body.as_immutable_string_ref() {
        return copy(text.as_bytes());
    }
    Err(invalid(format!("\"body\": wanted text, a secret or a blob, found {}", found(body))))
}

/// Reads a file below `folder`. Refuses what leads out of it, also by a symbolic link.
fn from_disk(folder: &Path, path: &str, room: &mut Room) -> Result<InputFile, ScriptError> {
    let refuse = |why: &str| {
        let message = format!("{path:?} {why}; files are read below {} only", folder.display());
        ScriptError::new("path_refused", message)
    };
    let failed = |error: std::io::Error| ScriptError::new("file_error", format!("{path}: {error}"));
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.is_empty() || !Path::new(path).components().all(plain) {
        return Err(refuse("is not a plain relative path of a file"));
    }
    let folder = folder.canonicalize().map_err(failed)?;
    let target = folder.join(path).canonicalize().map_err(failed)?;
    if !target.starts_with(&folder) {
        return Err(refuse("leads out through a symbolic link"));
    }
    // Before it is opened: a pipe would be waited for.
    if !target.is_file() {
        return Err(refuse("is not a file"));
    }
    let mut content = Vec::new();
    // One byte more than there is room for tells that the file has more.
    let most = u64::try_from(room.0).unwrap_or(u64::MAX).saturating_add(1);
    File::open(&target).and_then(|file| file.take(most).read_to_end(&mut content)).map_err(failed)?;
    room.take(content.len())?;
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    Ok(InputFile::new(&name, None, content)?)
}

/// In words, for messages.
pub const WANTED: &str =
    "a path (text), #{ name: .., mime_type: .., body: .. } or one with base64: .. in place of body, or a list of them";

fn invalid(message: String) -> ScriptError {
    ScriptError::new("invalid_argument", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Dynamic)]) -> Dynamic {
        Dynamic::from_map(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    }

    #[test]
    fn files_are_paths_or_maps_with_their_content() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "from the disk").unwrap();
        let body = map(&[("name", "b.csv".into()), ("body", "1,2".into())]);
        let bytes = map(&[("name", "c".into()), ("mime_type", "x/y".into()), ("base64", "AP8=".into())]);
        let all = read(&Dynamic::from_array(vec!["a.txt".into(), body.clone(), bytes]), folder.path()).unwrap();
        let wanted = [
            InputFile::new("a.txt", Some("text/plain"), b"from the disk".to_vec()).unwrap(),
            InputFile::new("b.csv", Some("text/csv"), b"1,2".to_vec()).unwrap(),
            InputFile::new("c", Some("x/y"), vec![0, 255]).unwrap(),
        ];
        assert_eq!(all, wanted);
        assert_eq!(read(&Dynamic::from_array(vec![]), folder.path()).unwrap(), []);
        assert_eq!(shown(&body), "#{ name: \"b.csv\", .. }");
        let twice = map(&[("name", "d".into()), ("body", "".into()), ("base64", "".into())]);
        let mistaken = map(&[("nmae", "d".into()), ("body", "".into())]);
        for bad in [twice, mistaken, map(&[("body", "".into())]), map(&[("name", "d".into()), ("base64", "?".into())])]
        {
            assert_eq!(fault(&bad).unwrap().code(), "invalid_argument", "{bad:?}");
        }
    }

    #[test]
    fn files_are_summed_before_they_are_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing but its length: what were read beyond the bound would be read for long.
        let large = File::create(folder.path().join("large.bin")).unwrap();
        large.set_len(u64::try_from(MOST_UPLOADED).unwrap()).unwrap();
        let half = Dynamic::from_blob(vec![0; MOST_UPLOADED / 2]);
        let half = map(&[("name", "half".into()), ("body", half)]);
        let list = |item: &Dynamic, count| Dynamic::from_array(vec![item.clone(); count]);
        assert!(fault(&list(&half, 2)).is_none());
        assert_eq!(fault(&list(&half, 3)).unwrap().code(), "invalid_argument");
        assert_eq!(fault(&list(&"large.bin".into(), MOST_FILES + 1)).unwrap().code(), "invalid_argument");
        let one_more =
            Dynamic::from_array(vec!["large.bin".into(), map(&[("name", "a".into()), ("body", "a".into())])]);
        for bad in [list(&"large.bin".into(), MOST_FILES), one_more] {
            let error = read(&bad, folder.path()).unwrap_err();
            assert!(error.parts().message.contains("67108864 bytes together"), "{}", error.parts().message);
        }
        assert_eq!(read(&"large.bin".into(), folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let absolute = outside.path().join("secret").display().to_string();
        for bad in ["", "..", "../x", "a/../../x", "link/secret", "deep", &absolute] {
            let error = read(&bad.to_owned().into(), folder.path()).unwrap_err();
            assert_eq!(error.code(), "path_refused", "{bad:?}");
        }
        assert_eq!(read(&"none.txt".into(), folder.path()).unwrap_err().code(), "file_error");
    }
}
