//! What of a state is put in place when a session is opened: cookies, sessionStorage, the first page, and the gate that holds
//! documents until the storage of their origin is there.

use std::sync::Arc;

use super::profile::Overlay;
use super::restorer::{Gate, Restorer};
use super::room::Room;
use super::sessions::Stored;
use super::{SessionError, cookies, permissions, storage};

/// Cookies, the first page, and the gate that holds documents: all at once.
pub(super) async fn put_in_place(
    room: &Room,
    gate: &Gate,
    stored: Option<&Stored>,
    restorer: Option<&Arc<Restorer>>,
    overlay: &Overlay,
) -> Result<(), SessionError> {
    if gate.hidden().are_unseen() {
        // Pages in no window are made only where there is a window.
        room.page().await?;
        room.tabs.keep_unseen().await?;
    }
    let cookies = async {
        let kept = stored.map_or(&[][..], |stored| &stored.index.cookies);
        let mut kept = cookies::unexpired(kept);
        if !overlay.cookies_differ {
            kept.retain(cookies::is_of_session);
        } else if !overlay.is_new {
            cookies::clear(&room.context).await?;
        }
        if kept.is_empty() { Ok(()) } else { cookies::write(&room.context, &kept).await.map(drop) }
    };
    let storages = async {
        let Some(restorer) = restorer else { return Ok(()) };
        let held = async {
            if restorer.has_pending() {
                restorer.prepare();
                gate.hold_for(restorer).await?;
            }
            Ok(())
        };
        tokio::try_join!(held, restorer.ready_tabs()).map(drop)
    };
    let permissions = async {
        if let Some(stored) = stored {
            room.tabs.notice(permissions::write(&room.context, &stored.index.beside.permissions).await);
        }
    };
    let (cookies, storages, page, ()) = tokio::join!(cookies, storages, room.page(), permissions);
    cookies?;
    storages?;
    let page = page?;
    for key in &overlay.gone {
        storage::clear(page.target().cdp(), key).await?;
    }
    Ok(())
}
