//! The stores: one conformance suite for all of them, and what only the embedded one promises (several processes, crashes,
//! nothing in clear on disk).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test says what failed by failing")]

#[path = "support/process.rs"]
mod process;

mod store {
    pub mod alike;
    pub mod blobs;
    pub mod child;
    pub mod copying;
    pub mod crash;
    pub mod documents;
    pub mod faults;
    pub mod fixture;
    pub mod leases;
    pub mod lifetimes;
    pub mod moto;
    pub mod moving;
    pub mod on_disk;
    pub mod races;
    pub mod redis;
    pub mod redis_away;
    pub mod redis_server;
    pub mod redis_tls;
    pub mod relay;
    pub mod reseal;
    pub mod s3;
    pub mod s3_server;
    pub mod suite;
    pub mod versions;
}
