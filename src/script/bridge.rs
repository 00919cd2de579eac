//! The one place where the script's thread waits for asynchronous work.

use std::future::Future;

use rhai::{Dynamic, EvalAltResult, Position};

use super::Host;

/// Blocks the script's thread until `work` is done, or the run is stopped: then `work` is dropped where it stands and the
/// script ends with an error that it cannot catch. Must not be called on a thread of the runtime.
pub fn wait<T>(host: &Host, work: impl Future<Output = T>) -> Result<T, Box<EvalAltResult>> {
    host.runtime.block_on(async {
        tokio::select! {
            biased;
            () = host.stop.stopped() => Err(terminated(host).into()),
            done = work => Ok(done),
        }
    })
}

/// The error that ends a stopped script.
pub fn terminated(host: &Host) -> EvalAltResult {
    let reason = host.stop.reason().map_or(Dynamic::UNIT, Dynamic::from);
    EvalAltResult::ErrorTerminated(reason, Position::NONE)
}
