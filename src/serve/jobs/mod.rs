//! Executions: how work comes to a slot, how long it is waited for, and what becomes of it when it takes longer.
//!
//! A request's work goes on by itself (`execution`) while its client waits (`inline`). What takes longer becomes a job, as does what
//! was asked for as one (`requests`): a sealed document (`record`, `kept`) that this server looks after while it goes on (`live`,
//! `keeper`), and that any server on the store finds (`look`). What happens on the way is kept for those who follow it (`journal`,
//! `events`), on whichever server it happens (`elsewhere`).

mod elsewhere;
mod events;
mod execution;
mod inline;
mod journal;
mod keeper;
mod kept;
mod live;
mod look;
mod record;
mod requests;
mod stop;
mod stream;

use super::app::App;

pub(super) use inline::{Accepted, inline};
pub(super) use live::Jobs;
pub(super) use record::JobKind;
pub(super) use requests::routes;
pub(super) use stream::stream;

/// Takes up what earlier servers left, and looks for more until the server ends. What waits as a job then stays in the store.
pub(super) fn start(app: &App) {
    tokio::spawn(look::go_on(app.clone()));
}
