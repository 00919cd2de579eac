//! Values in a profile's databases that only the keyring of one machine opens. The databases are read as they lie there;
//! nothing is written beside them. Blocking calls.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::session::SessionError;

use super::rules::is_profile_folder;
use super::survey::{dirty, failed};

/// Database, table and column of values that Chromium encrypts.
const ENCRYPTED: [(&str, &str, &str); 6] = [
    ("Cookies", "cookies", "encrypted_value"),
    ("Network/Cookies", "cookies", "encrypted_value"),
    ("Login Data", "logins", "password_value"),
    ("Login Data For Account", "logins", "password_value"),
    ("Web Data", "token_service", "encrypted_token"),
    ("Web Data", "credit_cards", "card_number_encrypted"),
];

/// Refuses a user-data directory with values that another machine could not open: [`SessionError::ProfileKeyring`].
/// [`SessionError::ProfileDirty`] where a database cannot be read. Blocks while they are.
pub(in crate::session) fn check_rows(dir: &Path) -> Result<(), SessionError> {
    let entries = dir.read_dir().map_err(|error| failed(dir, "read", error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failed(dir, "read", error))?;
        let folder = entry.file_name();
        if !is_profile_folder(&folder.to_string_lossy()) {
            continue;
        }
        for (database, table, column) in ENCRYPTED {
            let path = entry.path().join(database);
            if !path.is_file() {
                continue;
            }
            let file = format!("{}/{database}", folder.display());
            let found = scheme(&path, table, column).map_err(|error| dirty(format!("{file}: {error}")))?;
            if let Some(scheme) = found {
                return Err(SessionError::ProfileKeyring { file, scheme });
            }
        }
    }
    Ok(())
}

/// The mark of a value that the constant key (`v10`) does not open; none where there is no such value.
fn scheme(database: &Path, table: &str, column: &str) -> rusqlite::Result<Option<String>> {
    // Immutable: it is read without locks and without its journal, and nothing is made beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(database), flags)?;
    let known = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    if connection.query_row(known, (table, column), |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let mark = format!("substr(CAST({column} AS BLOB), 1, 3)");
    let query = format!("SELECT {mark} FROM {table} WHERE substr({mark}, 1, 1) = x'76' AND {mark} <> x'763130'");
    let mut statement = connection.prepare(&query)?;
    let mut marks = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let is_mark = |mark: &Vec<u8>| mark.len() == 3 && mark[1..].iter().all(u8::is_ascii_digit);
    let found = marks.find(|mark| mark.as_ref().is_ok_and(is_mark) || mark.is_err()).transpose()?;
    Ok(found.map(|mark| String::from_utf8_lossy(&mark).into_owned()))
}

fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}
