//! The database's layout and the settings of every connection to it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::StoreError;
use super::super::folder::{make_private, private_file, restrict, unavailable};
use super::failure::Failure;

/// The database's name within the store's folder.
pub(super) const FILE: &str = "store.sqlite";

/// The layout that this build writes, kept as SQLite's `user_version`.
const LAYOUT: u32 = 2;

/// What leads from each layout to the next one, the first being that from 1 to 2.
const STEPS: [&str; 1] = ["ALTER TABLE version ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0"];

/// How long a statement waits for another process's write. Writes take milliseconds; only a stopped process takes longer.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Times are microseconds since 1970. `session.name`, `tenant` and `document.name` are HMACs, everything else that is a
/// BLOB and no id is sealed.
const TABLES: &str = "
CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL,
    name       BLOB NOT NULL,
    fence      INTEGER NOT NULL,      -- the last one granted
    owner      BLOB,                  -- NULL: nobody
    holder     BLOB,
    lease_end  INTEGER,
    head       INTEGER,               -- NULL: no version yet
    record     BLOB,
    expires_at INTEGER,               -- NULL: never
    ran_out_at INTEGER,               -- set when it was emptied, until its next version
    UNIQUE (tenant, name)
);
CREATE INDEX session_expiry ON session (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE version (
    session  INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    fence    INTEGER NOT NULL,
    saved_at INTEGER NOT NULL,
    body     BLOB NOT NULL,           -- the version's index
    pinned   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, number)
);

CREATE TABLE part (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    part    BLOB NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (session, part)
);

CREATE TABLE version_part (
    session  INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    position INTEGER NOT NULL,        -- the writer's order, in which parts are fetched ahead
    part     BLOB NOT NULL,
    PRIMARY KEY (session, number, position),
    FOREIGN KEY (session, number) REFERENCES version ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX version_part_part ON version_part (session, part);

CREATE TABLE version_blob (
    session INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    blob    BLOB NOT NULL,
    PRIMARY KEY (session, number, blob),
    FOREIGN KEY (session, number) REFERENCES version ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX version_blob_blob ON version_blob (blob);

CREATE TABLE checkpoint (
    session  INTEGER PRIMARY KEY REFERENCES session ON DELETE CASCADE,
    fence    INTEGER NOT NULL,
    base     INTEGER,
    saved_at INTEGER NOT NULL,
    body     BLOB NOT NULL
);

CREATE TABLE document (
    tenant     BLOB NOT NULL,
    kind       TEXT NOT NULL,
    name       BLOB NOT NULL,
    body       BLOB NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (tenant, kind, name)
);
CREATE INDEX document_expiry ON document (expires_at) WHERE expires_at IS NOT NULL;
";

/// Opens the database in `folder`, and makes both where they are missing. Blocks, for a few milliseconds.
pub(super) fn open(folder: &Path) -> Result<Connection, StoreError> {
    make_private(folder, FILE)?;
    let path = folder.join(FILE);
    // Made here and not by SQLite so that it is closed to others from the first moment; SQLite gives its companions
    // (`-wal`, `-shm`) the mode of the database.
    let closed = private_file().create(true).truncate(false).open(&path).and_then(|_| restrict(&path));
    closed.map_err(|error| unavailable(&path, error))?;
    connect(folder, &path).map_err(|failure| failure.into_store_error(&path))
}

fn connect(folder: &Path, path: &Path) -> Result<Connection, Failure> {
    let mut db =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // secure_delete: what is deleted is overwritten, so that a deleted session's keys are gone and not merely unlinked.
    db.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 16777216;",
    )?;
    if layout(&db)? == 0 {
        create(&mut db, folder, path)?;
    }
    migrate(&mut db)?;
    match layout(&db)? {
        LAYOUT => Ok(db),
        found => Err(StoreError::Layout { what: path.display().to_string(), found, known: LAYOUT }.into()),
    }
}

/// Creates the tables. Several processes may come here at once, and the switch to WAL does not wait for another's: a
/// lock on the folder lets one pass at a time.
fn create(db: &mut Connection, folder: &Path, path: &Path) -> Result<(), Failure> {
    let lock = File::open(folder).map_err(|error| unavailable(folder, error))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| unavailable(folder, error.into()))?;
    if layout(db)? != 0 {
        return Ok(());
    }
    let foreign: bool = db.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if foreign {
        let reason = "it is a database of another program".to_owned();
        return Err(StoreError::Corrupt { what: path.display().to_string(), reason }.into());
    }
    db.execute_batch("PRAGMA journal_mode = WAL")?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLES)?;
    tx.pragma_update(None, "user_version", LAYOUT)?;
    tx.commit()?;
    Ok(())
}

/// Brings an older layout up to this build's, in one transaction. Processes that have the store open go on: what they
/// write names its columns, and what is new has defaults.
fn migrate(db: &mut Connection) -> Result<(), Failure> {
    if layout(db)? >= LAYOUT {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it between the look and the lock.
    let found = layout(&tx)?;
    for step in STEPS.iter().skip((found as usize).saturating_sub(1)) {
        tx.execute_batch(step)?;
    }
    if found < LAYOUT {
        tx.pragma_update(None, "user_version", LAYOUT)?;
    }
    tx.commit()?;
    Ok(())
}

fn layout(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}
