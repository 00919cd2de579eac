//! Redis over TLS: the server has to be the one that the certificate names, signed by who the machine trusts.

use std::path::Path;

use rhaven::store::{RedisStore, RedisUrl, StoreError};

use super::child::{done, start_with, tell};
use super::fixture::Session;
use super::redis::ask;
use super::redis_server::RedisServer;

fn file(name: &str) -> String {
    format!("{}/tests/store/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// In the child: tells whether a lease is granted, or why not.
pub async fn open(url: &str) {
    match RedisStore::connect(&RedisUrl::parse(url).unwrap()).await {
        Ok(store) => tell(ask(&store, &Session::new("prod")).await.map_or("no lease", |_| "a lease")),
        Err(StoreError::Unavailable { source, .. }) => tell(format!("unavailable: {source}")),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn tls_asks_for_a_certificate_that_is_trusted_and_names_the_server() {
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let server = RedisServer::with(&[
        "--tls-port",
        "PORT",
        "--port",
        "0",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &file("authority.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    // What the machine trusts is read from there, where it is set.
    let told = |trusted: &str, host: &str| {
        let url = format!("rediss://{host}:{}", server.port);
        let child = start_with("tls", 0, Path::new(&url), |command| {
            command.env("SSL_CERT_FILE", trusted);
        });
        done(child).join(", ")
    };
    assert_eq!(told(&file("authority.pem"), "127.0.0.1"), "a lease");
    let stranger = told(&certificate, "127.0.0.1");
    assert!(stranger.starts_with("unavailable: ") && stranger.contains("certificate"), "{stranger}");
    let elsewhere = told(&file("authority.pem"), "127.0.0.2");
    assert!(elsewhere.starts_with("unavailable: "), "{elsewhere}");
    // Without TLS nothing is understood.
    let plain = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = plain.block_on(RedisStore::connect(&server.url())).unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
}
