//! Waiting for a store that is away: the same again, with growing pauses, until the deadline.

use std::future::Future;
use std::time::Duration;

use crate::base::{Deadline, reached};
use crate::store::StoreError;

use super::SessionError;

/// The first pause and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Does `work`, and again while the store is away and `deadline` has not passed; answers what came of the last time.
/// `work` has to be such that it may be repeated after its answer was lost.
pub(super) async fn patiently<T, W>(deadline: Deadline, mut work: impl FnMut() -> W) -> Result<T, SessionError>
where
    W: Future<Output = Result<T, SessionError>>,
{
    let mut pause = PAUSES.0;
    loop {
        match work().await {
            Err(error) if is_away(&error) && deadline.remaining() > pause => {
                tracing::debug!(code = error.code(), "the store is away: tried again");
                reached("save.away");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            done => return done,
        }
    }
}

/// Whether it was the store that could not be reached or written.
pub(super) fn is_away(error: &SessionError) -> bool {
    matches!(error, SessionError::Store(StoreError::Unavailable { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> SessionError {
        StoreError::Unavailable { what: "the store".into(), source: "it was made to fail".into() }.into()
    }

    #[tokio::test]
    async fn a_store_that_comes_back_is_waited_for_and_no_longer_than_the_deadline() {
        let soon = || Deadline::after(Duration::from_secs(1));
        let mut left = 4;
        let comes_back = patiently(soon(), || {
            left -= 1;
            let done = left == 0;
            async move { if done { Ok(()) } else { Err(away()) } }
        });
        assert!(comes_back.await.is_ok() && left == 0);
        let mut tries = 0;
        let stays = patiently(soon(), || {
            tries += 1;
            async { Err::<(), _>(away()) }
        });
        let error = stays.await.unwrap_err();
        assert!(error.code() == "store_unavailable" && tries > 2, "{tries}");
        let refused = patiently(soon(), || async { Err::<(), _>(SessionError::Store(StoreError::LeaseLost)) });
        assert_eq!(refused.await.unwrap_err().code(), "lease_lost");
    }
}
