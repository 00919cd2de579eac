//! A server on a store of its own, tokens for its tenants, and a client.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rhaven::base::Tenant;
use rhaven::browser::LaunchOptions;
use rhaven::egress::{Policy, PolicyOptions};
use rhaven::serve::{ServeConfig, Server};
use rhaven::session::{KeySource, LeaseTimes, Saving, Scope, Sessions, StoreConfig, WorkspaceConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A server that runs until it is dropped or told to end.
pub struct Rig {
    pub home: tempfile::TempDir,
    pub address: SocketAddr,
    pub sessions: Sessions,
    pub shutdown: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
    /// A token of tenant `acme` that opens everything.
    pub token: String,
    client: reqwest::Client,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer.
pub struct Answered {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }
}

/// The config of a server over `home`, with the defaults of the command line.
pub fn config(home: &std::path::Path) -> ServeConfig {
    let workspace = WorkspaceConfig {
        tenant: Tenant::default(),
        store: StoreConfig::Embedded(home.join("store")),
        key: KeySource::MadeOnFirstUse(home.join("key")),
        launch: LaunchOptions::default(),
        holder: "a test".to_owned(),
        ttl: Some(Duration::from_hours(24)),
        profile_ttl: Some(Duration::from_hours(24)),
        saving: Saving::AsAsked,
        lease: LeaseTimes::default(),
        outbox: None,
    };
    let mut config = ServeConfig::new("127.0.0.1:0".parse().unwrap(), workspace);
    // The sites of the tests are on this machine.
    config.egress.policy = policy(&PolicyOptions { allow_private: true, ..PolicyOptions::default() });
    // Sockets of tests are not read all the time.
    config.live_patience = Duration::from_mins(10);
    config
}

pub fn policy(options: &PolicyOptions) -> Policy {
    Policy::new(options).unwrap()
}

impl Rig {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With another config than the usual.
    pub async fn start_with(change: impl FnOnce(&mut ServeConfig)) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::start_over(home, change).await
    }

    /// Over what another server has left.
    pub async fn start_over(home: tempfile::TempDir, change: impl FnOnce(&mut ServeConfig)) -> Self {
        let mut config = config(home.path());
        change(&mut config);
        Self::serving(home, config).await
    }

    /// Another one on the same store.
    pub async fn beside(&self, change: impl FnOnce(&mut ServeConfig)) -> Self {
        let mut config = config(self.home.path());
        change(&mut config);
        Self::serving(tempfile::tempdir().unwrap(), config).await
    }

    async fn serving(home: tempfile::TempDir, config: ServeConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let (address, sessions, shutdown) = (server.address(), server.sessions().clone(), CancellationToken::new());
        let told = shutdown.clone();
        let running = tokio::spawn(async move { server.run(told).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut rig = Self { home, address, sessions, shutdown, served: Some(running), token: String::new(), client };
        rig.token = rig.token_of("acme", &Scope::ALL).await;
        rig
    }

    /// A token of a tenant.
    pub async fn token_of(&self, tenant: &str, scopes: &[Scope]) -> String {
        let tenant = Tenant::new(tenant).unwrap();
        let scopes = scopes.iter().copied().collect();
        let (_, token) = self.sessions.create_token(&tenant, &scopes, None).await.unwrap();
        token.expose().to_owned()
    }

    /// Asks with the usual token.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answered {
        self.ask_as(&self.token, method, path, body).await
    }

    /// Asks with this token; none where it is empty.
    pub async fn ask_as(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answered {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answered { status, headers, text: response.text().await.unwrap() }
    }

    /// Posts JSON and reads the answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Ends the server in order and leaves its folder.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.shutdown.cancel();
        if let Some(served) = self.served.take() {
            served.await.unwrap();
        }
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }
}

impl Rig {
    /// A request with the usual token, to be given a body and headers.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(&self.token)
    }
}

/// Sends a request and reads the answer.
pub async fn sent(request: reqwest::RequestBuilder) -> Answered {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answered { status, headers, text: response.text().await.unwrap() }
}
