//! Tells of profiles that take long to fetch or to save.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::session::{ProfileTransfer, Workspace};

/// A transfer that is over before this is not told of.
const LONG: Duration = Duration::from_secs(1);
/// How often one that goes on is told of.
const AGAIN: Duration = Duration::from_secs(5);

/// Tells, in words, of transfers of profiles in `workspace` that take more than a second, until the answer is dropped. To be called
/// on a tokio runtime.
pub fn tell_of_transfers(workspace: &Workspace, tell: impl Fn(String) + Send + 'static) -> JoinSet<()> {
    let mut telling = JoinSet::new();
    telling.spawn(follow(workspace.transfers(), tell));
    telling
}

async fn follow(mut transfers: watch::Receiver<Option<ProfileTransfer>>, tell: impl Fn(String)) {
    // The one that was heard of last, and when it is to be told of next.
    let mut last: Option<(ProfileTransfer, Instant)> = None;
    while transfers.changed().await.is_ok() {
        let Some(now) = transfers.borrow_and_update().clone() else { continue };
        let due = match &last {
            Some((was, due)) if is_same(was, &now) => *due,
            _ => Instant::now() + LONG,
        };
        let is_due = Instant::now() >= due && now.transfer.done < now.transfer.total;
        if is_due {
            tell(line(&now));
        }
        last = Some((now, if is_due { Instant::now() + AGAIN } else { due }));
    }
}

/// Whether it goes on, and is not the next one.
fn is_same(was: &ProfileTransfer, now: &ProfileTransfer) -> bool {
    was.session == now.session && was.saving == now.saving && was.transfer.done <= now.transfer.done
}

fn line(now: &ProfileTransfer) -> String {
    let megabytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let (done, total) = (megabytes(now.transfer.done), megabytes(now.transfer.total));
    let what = if now.saving { "saving" } else { "fetching" };
    format!("session {}: {what} its profile, {done} of {total} MiB", now.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SessionId;
    use crate::session::Transfer;

    #[test]
    fn a_transfer_is_told_in_words() {
        let transfer = Transfer { done: 3 << 20, total: (200 << 20) + 1, files: 9 };
        let now = ProfileTransfer { session: SessionId::new("acme").unwrap(), saving: true, transfer };
        assert_eq!(line(&now), "session acme: saving its profile, 3 of 201 MiB");
        assert!(is_same(&now, &now));
        assert!(!is_same(&now, &ProfileTransfer { saving: false, ..now.clone() }));
    }
}
