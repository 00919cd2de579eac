//! The scripts: one per operation, called by hash, and loaded where the server does not know them yet.

use std::sync::LazyLock;

use redis::Script;

/// What all scripts about sessions share.
const SESSIONS: &str = include_str!("lua/sessions.lua");
/// What all scripts about documents share.
const DOCUMENTS: &str = include_str!("lua/documents.lua");
/// What a script that stands alone shares with the others.
const NOTHING: &str = "";

macro_rules! scripts {
    ($($op:ident = $shared:ident + $file:literal),* $(,)?) => {
        /// An operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Op { $($op),* }

        static SCRIPTS: LazyLock<Vec<Known>> = LazyLock::new(|| vec![
            $(Known::new(Op::$op, $shared, include_str!(concat!("lua/", $file)))),*
        ]);
    };
}

scripts! {
    Acquire = SESSIONS + "acquire.lua",
    Renew = SESSIONS + "renew.lua",
    Release = SESSIONS + "release.lua",
    Commit = SESSIONS + "commit.lua",
    Checkpoint = SESSIONS + "checkpoint.lua",
    Waiting = SESSIONS + "waiting.lua",
    Read = SESSIONS + "read.lua",
    Holder = SESSIONS + "holder.lua",
    Parts = SESSIONS + "parts.lua",
    History = SESSIONS + "history.lua",
    Pin = SESSIONS + "pin.lua",
    List = SESSIONS + "list.lua",
    Unsaved = SESSIONS + "unsaved.lua",
    Touch = SESSIONS + "touch.lua",
    Delete = SESSIONS + "delete.lua",
    All = SESSIONS + "all.lua",
    Reseal = SESSIONS + "reseal.lua",
    References = SESSIONS + "references.lua",
    Snapshot = SESSIONS + "snapshot.lua",
    Restore = SESSIONS + "restore.lua",
    Purge = SESSIONS + "purge.lua",
    Report = NOTHING + "report.lua",
    DocumentGet = DOCUMENTS + "document_get.lua",
    DocumentPut = DOCUMENTS + "document_put.lua",
    DocumentRemove = DOCUMENTS + "document_remove.lua",
    DocumentList = DOCUMENTS + "document_list.lua",
    DocumentAll = DOCUMENTS + "document_all.lua",
    DocumentReseal = DOCUMENTS + "document_reseal.lua",
}

struct Known {
    op: Op,
    source: String,
    hash: String,
}

impl Known {
    fn new(op: Op, shared: &str, own: &str) -> Self {
        let source = format!("{shared}\n{own}");
        let hash = Script::new(&source).get_hash().to_owned();
        Self { op, source, hash }
    }
}

impl Op {
    /// The hash by which the server knows it.
    pub(super) fn hash(self) -> &'static str {
        SCRIPTS.iter().find(|known| known.op == self).map_or("", |known| &known.hash)
    }
}

/// The text of every script.
pub(super) fn sources() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|known| known.source.as_str())
}
