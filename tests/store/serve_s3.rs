//! The S3 server of the tests as a process, for demos: `cargo run --example s3_server -- FOLDER [PORT]`. It prints its address, and
//! the variables that lead `rhaven` to it, and serves until it is killed. Never for anything that matters: its keys are known.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "as in the tests that it is part of")]

#[path = "s3_server.rs"]
mod s3_server;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: s3_server FOLDER [PORT]");
    let port = arguments.next().map_or(0, |port| port.parse().expect("PORT is a number"));
    std::fs::create_dir_all(&folder).unwrap();
    let server = s3_server::S3Server::over(std::path::Path::new(&folder), port);
    println!("RHAVEN_BLOBS={}", server.url("rhaven"));
    println!("AWS_ACCESS_KEY_ID={}", s3_server::ACCESS_KEY);
    println!("AWS_SECRET_ACCESS_KEY={}", s3_server::SECRET_KEY);
    loop {
        std::thread::park();
    }
}
