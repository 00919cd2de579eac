//! Reading on a thread that may be kept busy, for as long as somebody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

use super::super::DocumentError;
use super::{Extraction, Schema};
use crate::base::Deadline;

/// Whether nobody waits any more. Looked at in all loops whose turns are many; what is found then is dropped.
#[derive(Clone, Default)]
pub struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives up when it is dropped.
struct Waiting(GivenUp);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// [`super::extract`] on a thread of its own, which stops at the deadline, or soon after whoever waits here goes.
/// [`DocumentError::Late`] where the deadline passes first.
pub async fn extract_by(
    html: String,
    base: Option<Url>,
    schema: Schema,
    deadline: Deadline,
) -> Result<Extraction, DocumentError> {
    if deadline.passed() {
        return Err(DocumentError::Late);
    }
    let given_up = GivenUp::default();
    let _waiting = Waiting(given_up.clone());
    let read = tokio::task::spawn_blocking(move || super::extract_until(&html, base.as_ref(), &schema, given_up));
    match deadline.race(read).await {
        Some(read) => read.unwrap_or(Err(DocumentError::Broken)),
        None => Err(DocumentError::Late),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn schema() -> Schema {
        Schema::parse(&serde_json::json!({"price": "the price", "orders": "array of order ids and statuses"})).unwrap()
    }

    const PAGE: &str =
        "<dl><dt>Price<dd>$7.00</dl><table><tr><th>Order<th>Status<tr><td>A-1<td>open<tr><td>A-2<td>sent</table>";

    #[test]
    fn nothing_is_found_for_nobody() {
        let found = super::super::extract_until(PAGE, None, &schema(), GivenUp::default()).unwrap();
        assert_eq!(found.data["price"], "$7.00");
        let given_up = GivenUp::default();
        drop(Waiting(given_up.clone()));
        assert_eq!(super::super::extract_until(PAGE, None, &schema(), given_up), Err(DocumentError::Late));
    }

    #[tokio::test]
    async fn whoever_goes_has_it_stopped() {
        let waited = |span| extract_by(PAGE.to_owned(), None, schema(), Deadline::after(span));
        assert!(waited(Duration::from_mins(1)).await.unwrap().data.contains_key("orders"));
        assert_eq!(waited(Duration::ZERO).await, Err(DocumentError::Late));
    }
}
