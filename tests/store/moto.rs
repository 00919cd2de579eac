//! Blobs in a second implementation of S3: moto's server, which is written in Python and shares no code with the other one.
//!
//! It honours conditions, ranges, pages and batches. What it does not: it tells of every upload in parts that it was begun in 2010, so
//! that a sweep aborts uploads that are going on (which fail and are tried again), and it proves no signature.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rhaven::base::Secret;
use rhaven::store::{S3Blobs, S3Credentials, S3Limits, S3Options};

use super::fixture::{Session, TestStore, blob_id, connect_as, noise, random};
use super::suite;

/// What `.ci/install moto` installs.
const VERSION: &str = "5.2.5";
const BUCKET: &str = "team";

/// moto's server on a free port; killed when dropped.
struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    fn start() -> Self {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
        let program = cache.unwrap_or_else(home).join(format!("rhaven-tests/moto-{VERSION}/bin/moto_server"));
        assert!(program.exists(), "moto {VERSION} is missing, it comes with: .ci/install moto");
        let mut child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("moto's server has ended").unwrap();
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().to_owned();
            }
        };
        // Each request is a line; a pipe that nobody reads would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        let moto = Self { child, address };
        moto.make_bucket();
        moto
    }

    fn make_bucket(&self) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let address = &self.address;
        let request =
            format!("PUT /{BUCKET} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Blobs below a prefix of their own.
    fn blobs(&self) -> S3Blobs {
        let prefix = data_encoding::HEXLOWER.encode(&random::<8>());
        let url = format!("s3://{BUCKET}/{prefix}?endpoint=http://{}&region=us-east-1", self.address);
        let keys = S3Credentials {
            access_key: "AKRHAVENTESTS".to_owned(),
            secret_key: Secret::new("the key of S3", "any".to_owned()),
        };
        let limits = S3Limits { part_bytes: 5 << 20, ..S3Limits::default() };
        connect_as(&url, S3Options { credentials: Some(keys), limits })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_second_implementation_keeps_the_promises() {
    let moto = Moto::start();
    suite::of_blobs(async || TestStore::with_blobs(moto.blobs())).await;

    let blobs = moto.blobs();
    let report = blobs.report().await;
    assert!(report.is_good(), "{report:?}");
    let (store, session) = (TestStore::with_blobs(blobs), Session::new("prod"));
    let plain = noise(13 << 20);
    store.blobs.put(&blob_id(1), session.seal_blob(blob_id(1), &plain)).await.unwrap();
    assert!(store.get_blob(&session, blob_id(1)).await.unwrap() == plain);
    // Conditions hold for a long one, too: what is there stays.
    store.blobs.put(&blob_id(1), session.seal_blob(blob_id(1), &noise(6 << 20))).await.unwrap();
    assert!(store.get_blob(&session, blob_id(1)).await.unwrap() == plain);
    let in_a_minute = store.blobs.now().await.unwrap() + Duration::from_mins(1);
    assert_eq!(store.blobs.discard_unfinished(in_a_minute).await.unwrap(), 0);
}
