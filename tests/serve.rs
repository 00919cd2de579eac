//! The HTTP endpoint, asked over real sockets, with real Chromium behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test says what it wants by failing"
)]

#[path = "serve/axe.rs"]
mod axe;
#[path = "serve/basics.rs"]
mod basics;
#[path = "browser/support.rs"]
#[allow(dead_code, reason = "tests of browsers need more of it")]
mod browser;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/dashboard.rs"]
mod dashboard;
#[path = "serve/docs.rs"]
mod docs;
#[path = "serve/egress.rs"]
mod egress;
#[path = "serve/embed.rs"]
mod embed;
#[path = "serve/embed_profiles.rs"]
mod embed_profiles;
#[path = "serve/fetch.rs"]
mod fetch;
#[path = "serve/follow.rs"]
mod follow;
#[path = "serve/forward.rs"]
mod forward;
#[path = "serve/fuzz.rs"]
mod fuzz;
#[path = "serve/handover.rs"]
mod handover;
#[path = "serve/identities.rs"]
mod identities;
#[path = "serve/interact.rs"]
mod interact;
#[path = "serve/jobs.rs"]
mod jobs;
#[path = "serve/kept.rs"]
mod kept;
#[path = "../examples/live_profiles/backend.rs"]
mod live_profiles;
#[path = "serve/load.rs"]
mod load;
#[path = "serve/machine.rs"]
mod machine;
#[path = "serve/nodes.rs"]
mod nodes;
#[path = "serve/onlooker.rs"]
mod onlooker;
#[path = "cli/processes.rs"]
#[allow(dead_code, reason = "tests of the command line need more of it")]
mod processes;
#[path = "serve/proxies.rs"]
mod proxies;
#[path = "serve/queue.rs"]
mod queue;
#[path = "store/redis_server.rs"]
#[allow(dead_code, reason = "tests of stores need more of it")]
mod redis_server;
#[path = "egress/relay.rs"]
#[allow(dead_code, reason = "tests of the way out need more of it")]
mod relay;
#[path = "serve/rig.rs"]
mod rig;
#[path = "serve/routes.rs"]
mod routes;
#[path = "serve/run.rs"]
mod run;
#[path = "store/s3_server.rs"]
mod s3_server;
#[path = "serve/scripts.rs"]
mod scripts;
#[path = "serve/sessions.rs"]
mod sessions;
#[path = "serve/sessions_over_time.rs"]
mod sessions_over_time;
#[path = "serve/shared.rs"]
mod shared;
#[path = "serve/site.rs"]
mod site;
#[path = "serve/tokens.rs"]
mod tokens;
#[path = "serve/vault.rs"]
mod vault;
#[path = "serve/vm.rs"]
mod vm;
#[path = "serve/vm_contract.rs"]
mod vm_contract;
#[path = "serve/vm_ends.rs"]
mod vm_ends;
#[path = "serve/vm_kept.rs"]
mod vm_kept;
#[path = "serve/vm_nodes.rs"]
mod vm_nodes;
#[path = "serve/vm_peers.rs"]
mod vm_peers;
#[path = "serve/vm_rights.rs"]
mod vm_rights;
#[path = "egress/support.rs"]
#[allow(dead_code, reason = "tests of the way out need more of it")]
mod way;
