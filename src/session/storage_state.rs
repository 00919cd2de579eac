//! The state of an open session as Playwright's `storageState` has it, and one of that kind put in the place of what the session has:
//! cookies, localStorage and IndexedDB. What the format does not hold is told by name, and left as it is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::base::Deadline;

use super::capture::{Captured, snapshot};
use super::hidden::HiddenPage;
use super::kept::Kept;
use super::large::MEMORY_BYTES;
use super::part::Part;
use super::portable::{Contents, Storage, from_playwright, to_playwright};
use super::saving::Read;
use super::storage::{self, Door};
use super::{Partial, Session, SessionError, cookies};

/// What of an origin the format holds, but for localStorage, in Chromium's words: with that it would empty sessionStorage as well.
const HELD: &str = "indexeddb";
/// What empties localStorage alone.
const CLEAR: &str = "() => localStorage.clear()";

/// A state as Playwright writes it.
#[derive(Debug)]
pub struct StorageState {
    /// `{cookies, origins}`: values in clear.
    pub state: Value,
    /// What the session has and that does not hold, by name and never by value.
    pub lost: Vec<Partial>,
}

/// A state to be put in place, read and found right.
pub struct GivenState {
    contents: Contents,
    lost: Vec<Partial>,
}

impl GivenState {
    /// Reads what [`Session::storage_state`] answers, or what Playwright writes into a file. The error names the place in it, never a
    /// value.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        let (contents, lost) = from_playwright(text)?;
        Ok(Self { contents, lost })
    }
}

impl Session {
    /// Its cookies, localStorage and IndexedDB as they are now, those of origins that it has not visited in this run too; nothing is
    /// saved. Lone surrogates, which no text here can hold, come out as U+FFFD, and are told.
    pub async fn storage_state(&self, deadline: Deadline) -> Result<StorageState, SessionError> {
        let read = async {
            let Some(kept) = &self.0.kept else { return self.contents_of_nobody(deadline).await };
            let (_one_at_a_time, Read { draft, failed }) = self.read_now(kept, deadline).await?;
            let (contents, mut lost) = contents_of(kept, draft).await?;
            lost.extend(failed);
            Ok((contents, lost))
        };
        let (contents, mut lost) = Box::pin(self.unless_closed(read)).await?;
        let (state, unheld) = to_playwright(&contents);
        lost.extend(unheld);
        Ok(StorageState { state, lost })
    }

    /// Those of a throw-away session.
    async fn contents_of_nobody(&self, deadline: Deadline) -> Result<(Contents, Vec<Partial>), SessionError> {
        let _one_at_a_time = self.0.busy.lock().await;
        self.settled(deadline).await?;
        let room = &self.0.room;
        let now = Box::pin(snapshot(&room.context, &room.tabs, None, false, deadline)).await?;
        let (mut parts, mut lost) = (Vec::new(), Vec::new());
        for (storage_key, captured) in now.origins {
            match captured {
                Captured::Read(part, partial) => take(&mut parts, &mut lost, (storage_key, part, partial)),
                Captured::Large(_, partial) => lost.extend([vec![too_large(&storage_key)], partial].concat()),
                Captured::Unreadable(partial) => lost.push(partial),
            }
        }
        Ok((Contents { cookies: cookies::unexpired(&now.cookies), parts }, lost))
    }

    /// Puts cookies, localStorage and IndexedDB of `given` in the place of those that it has, all origins included; what else there
    /// is stays. Pages that are open find it without being loaded again. Answers what could not be put in place, by name. Where
    /// this fails, or its time is up, some of it may be in place.
    pub async fn set_storage_state(
        &self,
        given: &GivenState,
        deadline: Deadline,
    ) -> Result<Vec<Partial>, SessionError> {
        let put = async {
            let _one_at_a_time = self.0.busy.lock().await;
            self.settled(deadline).await?;
            self.put_state(given, deadline).await
        };
        let lost = Box::pin(self.unless_closed(put)).await?;
        self.0.room.tabs.storages().dirty().stir();
        Ok([given.lost.clone(), lost].concat())
    }

    async fn put_state(&self, given: &GivenState, deadline: Deadline) -> Result<Vec<Partial>, SessionError> {
        let (room, restorer) = (&self.0.room, self.0.kept.as_ref().and_then(|kept| kept.restorer.as_ref()));
        let (parts, mut lost) = (&given.contents.parts, Vec::new());
        let mut page = HiddenPage::prepare(room.tabs.open_hidden().await?).await?;
        for key in self.origins(parts) {
            if let Some(restorer) = restorer {
                // What else is kept there stays, and comes into place before it could be taken for gone.
                restorer.ensure(&key).await;
            }
            page.visit(&key).await?;
            page.call(CLEAR, Value::Null, deadline).await?;
            storage::clear_some(page.cdp(), &key, HELD).await?;
            if let Some(storage) = parts.iter().find(|storage| storage.storage_key == key) {
                lost.extend(Door::Hidden(&page).restore(&key, &storage.part, deadline).await?);
            }
            // A save looks at it although no document of it was in a tab.
            room.tabs.used(&key);
            room.tabs.storages().dirty().touch(&key);
        }
        cookies::clear(&room.context).await?;
        cookies::write(&room.context, &given.contents.cookies).await?;
        Ok(lost)
    }

    /// The origins that it has something of, or is to have.
    fn origins(&self, given: &[Storage]) -> BTreeSet<String> {
        let base = self.0.kept.as_ref().map(Kept::base);
        let kept = base.iter().flat_map(|base| base.parts()).map(|part| part.storage_key.clone());
        let given = given.iter().map(|storage| storage.storage_key.clone());
        let visited = self.0.room.tabs.visited().origins;
        kept.chain(given).chain(visited).filter(|key| !key.contains('^')).collect()
    }
}

/// All that a draft would write, opened.
async fn contents_of(kept: &Kept, draft: super::save::Draft) -> Result<(Contents, Vec<Partial>), SessionError> {
    let seed = draft.into_seed();
    let (mut parts, mut lost) = (Vec::new(), Vec::new());
    for part in &seed.index.parts {
        let Some(source) = &seed.source else { break };
        if part.bytes > MEMORY_BYTES as u64 {
            lost.push(too_large(&part.storage_key));
            continue;
        }
        let opened = kept.sessions.open_part(&kept.tenant, source, part, seed.sealed.get(&part.part_id())).await?;
        take(&mut parts, &mut lost, (part.storage_key.clone(), opened, part.partial.clone()));
    }
    seed.fresh.into_iter().for_each(|fresh| take(&mut parts, &mut lost, fresh));
    for (key, _, partial) in seed.large {
        lost.extend([vec![too_large(&key)], partial].concat());
    }
    parts.sort_by(|a, b| a.storage_key.cmp(&b.storage_key));
    Ok((Contents { cookies: seed.index.cookies, parts }, lost))
}

fn take(parts: &mut Vec<Storage>, lost: &mut Vec<Partial>, (key, part, partial): (String, Part, Vec<Partial>)) {
    lost.extend(partial.iter().cloned());
    parts.push(Storage { storage_key: key, part, partial });
}

fn too_large(key: &str) -> Partial {
    let reason = format!("it is larger than {} MiB", MEMORY_BYTES >> 20);
    Partial { origin: key.to_owned(), store: "storage".into(), key: None, reason }
}
