//! Sessions against real Chromium and the embedded store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::print_stdout, reason = "tests with children talk through pipes, and say what they have counted")]

#[path = "session/again.rs"]
mod again;
#[path = "session/belonging.rs"]
mod belonging;
#[path = "session/checkpoints.rs"]
mod checkpoints;
#[path = "session/checks.rs"]
mod checks;
#[path = "session/child.rs"]
mod child;
#[path = "session/copied.rs"]
mod copied;
#[path = "session/deletion.rs"]
mod deletion;
#[path = "session/dying.rs"]
mod dying;
#[path = "session/elsewhere.rs"]
mod elsewhere;
#[path = "session/embedded.rs"]
mod embedded;
#[path = "session/fidelity.rs"]
mod fidelity;
#[path = "session/guards.rs"]
mod guards;
#[path = "session/history.rs"]
mod history;
#[path = "session/identity.rs"]
mod identity;
#[path = "session/large.rs"]
mod large;
#[path = "session/matrix.rs"]
mod matrix;
#[path = "session/moving.rs"]
mod moving;
#[path = "session/nodes.rs"]
mod nodes;
#[path = "session/outages.rs"]
mod outages;
#[path = "session/outbox.rs"]
mod outbox;
#[path = "session/permissions.rs"]
mod permissions;
#[path = "session/points.rs"]
mod points;
#[path = "session/pool.rs"]
mod pool;
#[path = "session/pool_warm.rs"]
mod pool_warm;
#[path = "session/portable.rs"]
mod portable;
#[path = "support/process.rs"]
mod process;
#[path = "session/profile.rs"]
mod profile;
#[path = "session/profile_ends.rs"]
mod profile_ends;
#[path = "session/proxy.rs"]
mod proxy;
#[path = "egress/relay.rs"]
#[allow(dead_code, reason = "tests of the way out need more of it")]
mod proxy_relay;
#[path = "store/redis_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores, which use all of it")]
mod redis_server;
#[path = "store/relay.rs"]
#[allow(dead_code, reason = "likewise")]
mod relay;
#[path = "session/rig.rs"]
mod rig;
#[path = "session/rotation.rs"]
mod rotation;
#[path = "session/s3_faults.rs"]
mod s3_faults;
#[path = "store/s3_server.rs"]
mod s3_server;
#[path = "session/sent.rs"]
mod sent;
#[path = "session/sweep.rs"]
mod sweep;
#[path = "session/tabs.rs"]
mod tabs;
#[path = "session/tagged.rs"]
mod tagged;
#[path = "session/tampering.rs"]
mod tampering;
#[path = "session/trips.rs"]
mod trips;
#[path = "session/updated.rs"]
mod updated;
#[path = "session/vault.rs"]
mod vault;
#[path = "session/versions.rs"]
mod versions;
#[path = "session/workers.rs"]
mod workers;
#[path = "session/writers.rs"]
mod writers;
