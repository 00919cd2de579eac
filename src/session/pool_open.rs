//! Opening a session in a workspace of a pool: warm where it is, else in a context that was set up ahead.

use tokio_util::sync::CancellationToken;

use crate::base::SessionId;

use super::options::{Mode, SessionOptions};
use super::warm::Keeping;
use super::{Pool, Session, SessionError, Workspace};

impl Workspace {
    /// Opens a session that this workspace has nothing of. What it is opened in is looked for once its lease is held: only then it is
    /// sure whether a warm one is what the store has.
    pub(super) async fn open_in_pool(
        &self,
        pool: &Pool,
        id: &SessionId,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Session, SessionError> {
        // With a workspace that has a browser the pool's does not go.
        let running = self.running();
        let may_be_warm = options.mode != Mode::ReadOnly;
        let kept = if may_be_warm { pool.take_warm(id, &running) } else { None };
        let ahead = async {
            match kept {
                Some(kept) => kept.warm().await,
                None => None,
            }
        };
        let (opening, warm) = tokio::join!(self.acquire(id, options, given_up), ahead);
        let opening = match opening {
            Ok(opening) => opening,
            Err(error) => {
                // Who could not have the session takes nothing from who can.
                if let Some(warm) = warm {
                    pool.put_warm(id, Keeping::again(running, warm));
                }
                return Err(error);
            }
        };
        if opening.profile {
            return self.start_profile(id, opening, true, options, given_up).await;
        }
        let warm = match warm {
            // Whoever had the lease has left one, and given the lease back after that.
            None if may_be_warm => match pool.take_warm(id, &running) {
                Some(kept) => kept.warm().await,
                None => None,
            },
            warm => warm,
        };
        let held = opening.clone();
        let start = async {
            let way = self.way_of(&opening, options).await?;
            let warm = match warm {
                Some(warm) if warm.is_as(&opening) && warm.goes_by(way.as_ref()) => Some(warm),
                _ => None,
            };
            let session = if let Some(warm) = warm {
                Session::resume(warm, opening.named).await?
            } else {
                let spare = if way.is_none() { running.spare().await } else { None };
                let (ready, room) = self.room(spare, way).await?;
                Session::start(room, &ready.gate, opening, None).await?
            };
            Box::pin(session.identify(options.asked())).await?;
            Ok(session)
        };
        let started = given_up.run_until_cancelled(Box::pin(start)).await;
        self.started(id, started, &held, true).await
    }
}
