//! `rhaven repl --attach`: a live browser that a server has, driven through that server.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::environment::Environment;
use super::error::CliError;
use super::secrets::read_private;
use super::serve::default_listen;
use crate::base::{Secret, with_causes};
use crate::browser::Browser;
use crate::diagnose::usage_failure;
use crate::run::Failure;

/// The variable with the server's address, and the one with a token of it.
const SERVER: &str = "RHAVEN_SERVER";
const TOKEN: &str = "RHAVEN_TOKEN";
/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Which live browser, and where.
#[derive(Debug, clap::Args)]
pub(super) struct AttachArgs {
    /// Drive a live browser of a server, by its id; it goes on when the REPL ends, and its server saves what is in it
    #[arg(long, value_name = "VM_ID", conflicts_with_all = ["session", "headed"])]
    attach: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        requires = "attach",
        help = "The server that has it [default: http://127.0.0.1:7300] [env: RHAVEN_SERVER]"
    )]
    server: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        requires = "attach",
        help = "A file with a token of that server that only you can read (mode 0600) [env: RHAVEN_TOKEN, the token itself]"
    )]
    token_file: Option<PathBuf>,
}

/// What a server tells of a live browser.
#[derive(Deserialize)]
struct Told {
    cdp_url: String,
    #[serde(default)]
    termination_reason: Option<String>,
}

/// What it answers where it cannot.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: RefusalTold,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalTold {
    code: String,
    message: String,
}

impl AttachArgs {
    /// Connects to the live browser that is named; none where none is. Waits for the server, no longer than some seconds.
    pub async fn browser(&self, environment: &Environment) -> Result<Option<Browser>, Box<Failure>> {
        let Some(id) = &self.attach else { return Ok(None) };
        let (server, token) = (self.server(environment)?, self.token(environment)?);
        let told = ask(&server, id, &token).await?;
        if let Some(reason) = told.termination_reason {
            let message = format!("the live browser {id} has ended ({reason})");
            return Err(missing(message));
        }
        let address = address(&server, id, &told.cdp_url);
        let connected = tokio::time::timeout(ANSWER, Browser::connect(address.as_str())).await;
        match connected {
            Ok(Ok(browser)) => Ok(Some(browser)),
            Ok(Err(error)) => Err(unreachable(&server, &with_causes(&error))),
            Err(_) => Err(unreachable(&server, "it did not connect to the browser in time")),
        }
    }

    /// Where the server is.
    fn server(&self, environment: &Environment) -> Result<Url, CliError> {
        let (text, what) = match (&self.server, environment.text(SERVER)?) {
            (Some(text), _) => (text.clone(), "--server"),
            (None, Some(text)) => (text, SERVER),
            (None, None) => (format!("http://{}", default_listen()), "--server"),
        };
        let bad = |reason: &str| CliError::Value { what: what.to_owned(), reason: reason.to_owned() };
        let url = Url::parse(&text).map_err(|_| bad("a URL such as http://127.0.0.1:7300 is wanted"))?;
        match url.scheme() {
            "http" | "https" if url.query().is_none() && url.fragment().is_none() && url.username().is_empty() => {
                Ok(url)
            }
            _ => Err(bad("http:// or https://, a host, and perhaps a path are wanted")),
        }
    }

    /// From the file, else from the variable; never from an argument, which every process of the machine can see.
    fn token(&self, environment: &Environment) -> Result<Secret, CliError> {
        let text = match &self.token_file {
            Some(path) => Some(read_private("the file of the token", &environment.working_folder.join(path))?),
            None => environment.text(TOKEN)?,
        };
        let token = text.map(|text| text.trim().to_owned()).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| CliError::Value {
            what: TOKEN.to_owned(),
            reason: "a token of the server is wanted, of the scope vm: there, or in a file named by --token-file"
                .to_owned(),
        })?;
        Ok(Secret::new(TOKEN, token))
    }
}

/// `path` below the server's address.
fn below(server: &Url, path: &[&str]) -> Url {
    let mut url = server.clone();
    // An address that has a host has segments.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// Where the browser is reached: at the server that was named, by the token that it has told. It may know itself by another address.
fn address(server: &Url, id: &str, cdp_url: &str) -> Url {
    let token = cdp_url.rsplit('/').next().unwrap_or_default();
    let mut url = below(server, &["live", id, "cdp", token]);
    // The schemes are of one kind.
    let _ = url.set_scheme(if server.scheme() == "https" { "wss" } else { "ws" });
    url
}

async fn ask(server: &Url, id: &str, token: &Secret) -> Result<Told, Box<Failure>> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER);
    let client = client.build().map_err(|error| unreachable(server, &with_causes(&error)))?;
    let asked = client.get(below(server, &["v0", "vm", id])).bearer_auth(token.expose()).send().await;
    // Its address, which is named already, is left out.
    let answer = asked.map_err(|error| unreachable(server, &with_causes(&error.without_url())))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| unreachable(server, &with_causes(&error.without_url())))?;
    if status.is_success() {
        let told = serde_json::from_str(&body);
        return told.map_err(|_| unreachable(server, "what answers there is no rhaven serve"));
    }
    let RefusalTold { code, message } = serde_json::from_str::<Refusal>(&body).unwrap_or_default().error;
    Err(match status {
        StatusCode::UNAUTHORIZED => Box::new(usage_failure(
            "unauthorized",
            format!("{server} does not know the token that it was given, or not any more"),
            Some("`rhaven token create --scope vm` where the server is makes one".to_owned()),
        )),
        StatusCode::FORBIDDEN => Box::new(usage_failure(
            "forbidden",
            format!("the token does not open live browsers at {server}"),
            Some("`rhaven token create --scope vm` makes one that does".to_owned()),
        )),
        StatusCode::NOT_FOUND if !code.is_empty() => missing(format!("there is no live browser {id} at {server}")),
        _ if code.is_empty() => unreachable(server, &format!("what answers there ({status}) is no rhaven serve")),
        _ => unreachable(server, &format!("{message} ({code})")),
    })
}

fn missing(message: String) -> Box<Failure> {
    let hint = "GET /v0/vm lists those that go on; a token sees those of its tenant only";
    Box::new(usage_failure("not_found", message, Some(hint.to_owned())))
}

fn unreachable(server: &Url, why: &str) -> Box<Failure> {
    let hint = format!("is `rhaven serve` there? --server, or {SERVER}, says where it is");
    Box::new(usage_failure("server_unavailable", format!("the server {server} cannot be used: {why}"), Some(hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_reached_at_the_server_that_was_named() {
        let server = Url::parse("http://host.example:7300/rhaven/").unwrap();
        let url = address(&server, "id", "ws://127.0.0.1:7300/live/id/cdp/d1.YQ.x-_");
        assert_eq!(url.as_str(), "ws://host.example:7300/rhaven/live/id/cdp/d1.YQ.x-_");
        let server = Url::parse("https://host.example").unwrap();
        assert_eq!(address(&server, "id", "ws://x/live/id/cdp/d").as_str(), "wss://host.example/live/id/cdp/d");
        let server = Url::parse("http://127.0.0.1:7300").unwrap();
        assert_eq!(below(&server, &["v0", "vm", "a/b"]).as_str(), "http://127.0.0.1:7300/v0/vm/a%2Fb");
    }

    #[test]
    fn a_token_is_no_argument() {
        let args = AttachArgs { attach: Some("id".into()), server: None, token_file: None };
        let folder = std::path::Path::new("/");
        let environment = Environment::of(&[(TOKEN, " rhvn_x\n"), (SERVER, "ftp://far.example")], folder);
        assert_eq!(args.token(&environment).unwrap().expose(), "rhvn_x");
        assert!(args.server(&environment).unwrap_err().to_string().contains("RHAVEN_SERVER: http://"));
        let nothing = Environment::default();
        assert!(args.token(&nothing).unwrap_err().to_string().contains("--token-file"));
        assert_eq!(args.server(&nothing).unwrap().as_str(), "http://127.0.0.1:7300/");
    }
}
