//! Telling somebody that a live browser has ended by itself: through the tenant's way out, under the server's policy like all that users
//! name.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::base::Tenant;

use super::super::app::App;
use super::input::WebhookInput;

/// How long an attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long is waited before each further one.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Tells it, up to three times. Where it is not to be reached that is in the log, without the address, which may be a secret.
pub(super) async fn tell(app: &App, tenant: &Tenant, webhook: &WebhookInput, id: &str, kind: &str) {
    let Ok(outgoing) = app.pools.outgoing(tenant) else { return };
    for attempt in 0..=PAUSES.len() {
        let began = Instant::now();
        let body = json!({ "session_id": id, "type": kind });
        let mut request = outgoing.client().post(&webhook.url).timeout(ATTEMPT).json(&body);
        if let Some(bearer) = &webhook.bearer {
            request = request.bearer_auth(bearer);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::warn!(live = id, status, "a webhook was not taken");
                if answer.status().is_client_error() {
                    return;
                }
            }
            Err(_) => {
                let refused = outgoing.proxy().why_failed(&webhook.url, "", began);
                let code = refused.as_ref().map_or("unreachable", |fault| fault.code());
                tracing::warn!(live = id, code, "a webhook could not be told");
                if code == "target_blocked" {
                    return;
                }
            }
        }
        if let Some(pause) = PAUSES.get(attempt) {
            tokio::select! {
                () = tokio::time::sleep(*pause) => {}
                () = app.stopping.cancelled() => return,
            }
        }
    }
}
