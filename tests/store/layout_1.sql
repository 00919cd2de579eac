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
