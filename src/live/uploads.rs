//! What viewers hand over: decoded, written, and given to the page that asked for it. The files stay as long as their document is there,
//! and after that until others need their room: what a page was given it may have passed on.

use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::browser::Cdp;

use super::engine::Engine;
use super::folder::{Kept, plain_name};
use super::handle::Shared;
use super::rpc::rpc;
use super::wire::{File, MOST_FILE_BYTES};

/// More files than these are not handed over at once.
pub(super) const MOST_FILES: usize = 100;

/// The files so far, and what there is room for.
#[derive(Default)]
pub(super) struct Uploads {
    /// Bytes that are being written, or given to their page.
    coming: u64,
    /// What pages were given, the oldest first.
    given: Vec<(Document, Kept)>,
}

/// A document in a tab, by how many there have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document {
    tab: u32,
    number: u64,
}

/// The field that they are for.
pub(super) struct Field {
    pub tab: u32,
    pub cdp: Cdp,
    /// Chromium's number of it.
    pub node: i64,
}

/// Why something was not handed over: a code, and what is said.
type Refusal = (&'static str, &'static str);

impl Uploads {
    fn all(&self) -> u64 {
        self.given.iter().fold(self.coming, |all, (_, kept)| all.saturating_add(kept.bytes))
    }

    /// Has so many bytes more count, where there is room for them or can be made; what is to go for that.
    fn take(&mut self, bytes: u64, most: u64, is_there: impl Fn(Document) -> bool) -> Option<Vec<Kept>> {
        let mut over = self.all().saturating_add(bytes).saturating_sub(most);
        let free: u64 =
            self.given.iter().filter(|(document, _)| !is_there(*document)).map(|(_, kept)| kept.bytes).sum();
        if over > free {
            return None;
        }
        let goes = self.given.extract_if(.., |(document, kept)| {
            let goes = over > 0 && !is_there(*document);
            over = over.saturating_sub(if goes { kept.bytes } else { 0 });
            goes
        });
        let gone = goes.map(|(_, kept)| kept).collect();
        self.coming += bytes;
        Some(gone)
    }

    /// What counted since `take` has been given to a document, or was given up.
    fn came(&mut self, bytes: u64, given: Option<(Document, Kept)>) {
        self.coming = self.coming.saturating_sub(bytes);
        self.given.extend(given);
    }
}

impl Engine {
    /// Hands files over to the field that the picker `id` is for.
    pub(super) fn hand_over(&mut self, (viewer, id): (u32, u32), field: Field, files: Vec<File>) {
        let bytes = files.iter().map(|file| file.content.len()).sum::<usize>() / 4 * 3;
        if bytes > MOST_FILE_BYTES || files.len() > MOST_FILES {
            let most = format!("{MOST_FILES} files of {MOST_FILE_BYTES} bytes together at most");
            return self.refuse_files(viewer, id, "too_large", most);
        }
        let documents = |id| self.tabs.iter().find(|tab| tab.id == id).map(|tab| tab.documents);
        let document = Document { tab: field.tab, number: documents(field.tab).unwrap_or_default() };
        let is_there = |document: Document| documents(document.tab) == Some(document.number);
        let (bytes, most) = (bytes as u64, self.options.most_upload_bytes);
        let Some(gone) = self.uploads.take(bytes, most, is_there) else {
            let why = "this browser holds as many files as it may; load the page anew that was given some, or close it";
            return self.refuse_files(viewer, id, "too_large", why);
        };
        self.close_picker();
        let (shared, orders) = (self.shared.clone(), self.orders.clone());
        tokio::spawn(async move {
            let given = give(shared, gone, files, &field).await;
            orders.then(move |engine| match given {
                Ok(kept) => engine.uploads.came(bytes, Some((document, kept))),
                Err((code, why)) => {
                    engine.uploads.came(bytes, None);
                    engine.refuse_files(viewer, id, code, why);
                }
            });
        });
    }
}

/// Writes the files and gives them to the field, once those are gone that have to. None is left of what it does not take.
async fn give(shared: Arc<Shared>, gone: Vec<Kept>, files: Vec<File>, field: &Field) -> Result<Kept, Refusal> {
    // Much to work out, and the disk to wait for: not where others wait for it.
    let kept = spawn_blocking(move || {
        gone.iter().for_each(Kept::remove);
        let decode = |file: &File| Some((plain_name(&file.name), BASE64.decode(file.content.as_bytes()).ok()?));
        let files: Option<Vec<_>> = files.iter().map(decode).collect();
        let files = files.ok_or(("not_understood", "a file's content is not base64"))?;
        shared.folder.keep(&files).map_err(|_| ("failed", "the files could not be kept"))
    });
    let kept = kept.await.map_err(|_| ("failed", "the files could not be kept"))??;
    let paths: &[PathBuf] = &kept.paths;
    let params = json!({"files": paths, "backendNodeId": field.node});
    if field.cdp.call(rpc("DOM.setFileInputFiles", params)).await.is_err() {
        let _ = spawn_blocking(move || kept.remove()).await;
        return Err(("gone", "the page does not want the files any more"));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: u64) -> Kept {
        Kept { paths: Vec::new(), bytes }
    }

    #[test]
    fn room_is_made_of_what_no_document_has_any_more() {
        let mut uploads = Uploads::default();
        let document = |tab, number| Document { tab, number };
        let given = |uploads: &mut Uploads, bytes, document| {
            assert_eq!(uploads.take(bytes, 100, |_| true).map(|gone| gone.len()), Some(0));
            uploads.came(bytes, Some((document, kept(bytes))));
        };
        given(&mut uploads, 40, document(1, 0));
        given(&mut uploads, 30, document(2, 0));
        given(&mut uploads, 30, document(1, 1));
        assert!(uploads.take(1, 100, |_| true).is_none(), "all are there");
        // The oldest first, and no more than is needed.
        let gone = uploads.take(10, 100, |known| known == document(1, 1)).unwrap();
        assert_eq!((gone.len(), gone[0].bytes, uploads.all()), (1, 40, 70));
        // What is on its way counts, until it is given up.
        assert!(uploads.take(61, 100, |known| known == document(1, 1)).is_none());
        uploads.came(10, None);
        assert_eq!((uploads.all(), uploads.take(70, 100, |known| known == document(1, 1)).unwrap().len()), (60, 1));
    }
}
