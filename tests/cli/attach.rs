//! `rhaven repl --attach`: a live browser of a server is driven from the command line, and goes on.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::home::{Home, Running, Said};
use crate::person::runtime;
use crate::processes::{browsers_of, outlived};
use crate::serve::Serving;

/// Somebody who asks the server.
struct Client {
    runtime: tokio::runtime::Runtime,
    server: String,
    token: String,
}

impl Client {
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request = client.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json().await.expect("JSON"))
        })
    }
}

fn attached(home: &Home, client: &Client, id: &str) -> Command {
    let mut command = home.command(&["repl", "--attach", id]);
    command.env("RHAVEN_SERVER", &client.server).env("RHAVEN_TOKEN", &client.token).stdin(Stdio::piped());
    command
}

/// Lets whoever speaks TLS to it at the server; its port.
fn behind_tls(client: &Client) -> u16 {
    let file = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/tls").join(name);
    let certificates = CertificateDer::pem_file_iter(file("server.pem")).expect("a certificate");
    let certificates = certificates.map(|one| one.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let tls = TlsAcceptor::from(Arc::new(config.with_single_cert(certificates, key).expect("a pair")));
    let listener = client.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = client.server.trim_start_matches("http://").to_owned();
    client.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, server) = (tls.clone(), server.clone());
            tokio::spawn(async move {
                let mut near = tls.accept(stream).await.expect("TLS");
                let mut far = TcpStream::connect(server).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    port
}

/// What comes of these lines.
fn typed(mut command: Command, lines: &str) -> Said {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines).expect("written");
    crate::home::said(command.stdin(std::fs::File::open(file.path()).expect("read")))
}

#[test]
fn the_repl_drives_a_live_browser_that_goes_on() {
    let home = Home::new();
    let mut serving = Serving::start(&home, &["--max-live", "1"]);
    let (token, server) = (serving.token(), format!("http://{}", serving.host));
    let client = Client { runtime: runtime(), server, token };
    let (status, made) = client.ask(Method::POST, "/v0/vm", Some(&json!({ "profile": { "save": true } })));
    assert_eq!(status, 200, "{made}");
    let id = made["session_id"].as_str().expect("an id");
    assert_eq!(client.ask(Method::POST, "/v0/vm", Some(&json!({}))).0, 429);
    let browsers = browsers_of(serving.pid());
    assert!(!browsers.is_empty(), "no browser was seen");

    let form = format!("{}/form", home.site());
    let lines = format!("goto(\"{form}\")\nevaluate(\"localStorage.kept = 'k'; document.cookie = 'by=repl'; 1\")\n");
    let said = typed(attached(&home, &client, id), &lines).ends(0).tells("attached to a live browser");
    assert_eq!(said.out.lines().last(), Some("1"), "{}", said.out);
    // Another one finds the tab as it was left; sessions of its own it has none.
    let file = home.write("token", &format!("{}\n", client.token));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let server = format!("https://127.0.0.1:{}", behind_tls(&client));
    let mut command = home.command(&["repl", "--attach", id, "--server", &server, "--token-file", "token"]);
    command.env("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/tls/authority.pem"));
    let said = typed(command, "url()\nevaluate(\"localStorage.kept + document.cookie\")\nsession(\"x\")\n");
    let said = said.ends(3).tells("session_kind").tells("cannot be opened here");
    assert_eq!(said.out.lines().collect::<Vec<_>>(), [format!("{form:?}").as_str(), "\"kby=repl\""], "{}", said.err);
    let (_, shown) = client.ask(Method::GET, &format!("/v0/vm/{id}"), None);
    assert_eq!(shown["termination_date"], Value::Null, "{shown}");

    // One that is at work when the browser ends says so.
    let mut repl = attached(&home, &client, id);
    let mut repl = Running::start(&mut repl);
    let mut input = repl.input();
    writeln!(input, "1 + 1").expect("it reads");
    assert_eq!(repl.line(), "2");
    assert_eq!(client.ask(Method::DELETE, &format!("/v0/vm/{id}"), None).0, 200);
    repl.end().ends(3).tells("the live browser, or its server, has ended");
    drop(input);
    let said = typed(attached(&home, &client, id), "").ends(1);
    said.tells("error[not_found]").tells("has ended (request)");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    assert_eq!(outlived(&browsers, Duration::from_secs(1)), []);
    // What it did was the browser's, and is kept by the server.
    let look = format!("goto(\"{form}\"); evaluate(\"localStorage.kept + document.cookie\")");
    let seen = home.run(&look, &["--session", id]).ends(0);
    assert_eq!(seen.out.trim(), "\"kby=repl\"", "{}", seen.err);
}

#[test]
fn what_cannot_be_attached_to_is_told() {
    let home = Home::new();
    let mut serving = Serving::start(&home, &[]);
    let (token, server) = (serving.token(), format!("http://{}", serving.host));
    let client = Client { runtime: runtime(), server, token };
    let said = typed(attached(&home, &client, "nothing"), "").ends(1);
    said.tells("error[not_found]").tells("there is no live browser nothing");
    let mut wrong = attached(&home, &client, "nothing");
    wrong.env("RHAVEN_TOKEN", "rhvn_wrong");
    let said = typed(wrong, "").ends(1).tells("error[unauthorized]");
    assert!(!said.err.contains("rhvn_wrong"), "{}", said.err);
    let weak = home.rhaven(&["token", "create", "--scope", "run"]).ends(0);
    let mut weak_one = attached(&home, &client, "nothing");
    weak_one.env("RHAVEN_TOKEN", weak.out.trim());
    typed(weak_one, "").ends(1).tells("error[forbidden]");
    let mut none = attached(&home, &client, "nothing");
    none.env_remove("RHAVEN_TOKEN");
    typed(none, "").ends(1).tells("error[invalid_argument]").tells("--token-file");
    // A port that nobody has any more, and one where something else answers.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for other in [format!("http://{gone}"), home.site().to_owned()] {
        let mut elsewhere = attached(&home, &client, "nothing");
        elsewhere.env("RHAVEN_SERVER", other);
        typed(elsewhere, "").ends(1).tells("error[server_unavailable]");
    }
    home.rhaven(&["repl", "--attach", "x", "--session", "y"]).ends(1);
}
