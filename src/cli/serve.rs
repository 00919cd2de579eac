//! `rhaven serve`: the HTTP endpoint until a signal ends it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::environment::Environment;
use super::error::CliError;
use super::interrupt::{INTERRUPTED, Interrupts};
use super::job;
use super::logs::{self, LogFormat};
use super::repl::no_signals;
use super::serving::Given;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::{parse_duration, show_duration};
use crate::diagnose::{session_failure, usage_failure};
use crate::run::Failure;
use crate::serve::{ServeConfig, ServeError, Server};
use crate::session::{Scope, SessionError};

/// The port where nothing else is said: not that of the practice site.
const DEFAULT_LISTEN: &str = "127.0.0.1:7300";

const EXAMPLES: &str = "\
Examples:
  rhaven serve
  rhaven serve --scripts ./scripts --max-concurrent 4
  rhaven serve --listen 0.0.0.0:7300 --public-url https://rhaven.example.com --trusted-proxy 10.0.0.0/8
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:7300/v1/run -d '{\"script\": \"1 + 1\"}'

The first start without any token prints one, once; rhaven token create makes others. Every flag has a variable, \
RHAVEN_SERVE_NAME (RHAVEN_SERVE_MAX_CONCURRENT), and a setting of the same name below [serve] in the user's rhaven.toml. \
SIGTERM or Ctrl-C lets what goes on come to its end, saves and exits 0; a second one ends at once. rhaven docs serve \
tells the rest.";

/// Arguments of `serve`.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    #[arg(long, help = format!("Where to listen; port 0 for any free one [default: {DEFAULT_LISTEN}]"), value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// The folder of scripts that requests may name; it is read again when it changes
    #[arg(long, value_name = "DIR")]
    pub scripts: Option<PathBuf>,
    /// How many pieces of work go on at a time [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_concurrent: Option<u32>,
    /// How many more may wait; those beyond are answered 429 [default: 64]
    #[arg(long, value_name = "N")]
    pub max_queued: Option<u32>,
    /// How many live browsers there are at a time; 0 for none, and those beyond are answered 429 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1024))]
    pub max_live: Option<u32>,
    /// How many of them a tenant may have; without this it leaves one to others, where there are tokens of others
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_live_per_tenant: Option<u32>,
    /// Work that takes longer turns into a job [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub inline_limit: Option<Duration>,
    /// How long a script may take that does not say otherwise [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// The longest time that a script may ask for [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_timeout: Option<Duration>,
    /// How long what goes on may take once a signal has come; then it is stopped, and saved [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub drain: Option<Duration>,
    /// The largest body of a request, in bytes [default: 4194304]
    #[arg(long, value_name = "BYTES")]
    pub max_body: Option<u32>,
    /// What URLs of this server begin with, where others reach it by another address
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Where other servers of its store reach it, where that is not the address that it listens on
    #[arg(long, value_name = "URL")]
    pub advertise: Option<String>,
    /// A proxy before it whose X-Forwarded-For is believed: an address or a network; may be given again
    #[arg(long = "trusted-proxy", value_name = "NET")]
    pub trusted_proxies: Vec<String>,
    /// Let be reached what is refused otherwise: a name with * for any part, an address or a network, :PORT where it is for one port only;
    /// may be given again
    #[arg(long = "allow-host", value_name = "PATTERN[:PORT]")]
    pub allow_hosts: Vec<String>,
    /// Let loopback, private and link-local addresses be reached, though no metadata service
    #[arg(long)]
    pub allow_private: bool,
    /// Let nobody reach these, whatever else is said; may be given again
    #[arg(long = "deny-host", value_name = "PATTERN[:PORT]")]
    pub deny_hosts: Vec<String>,
    /// The proxy for requests that say `use_proxy`: http, https or socks5; with a password in it, better set as `RHAVEN_SERVE_PROXY`,
    /// which no list of processes shows
    #[arg(long, value_name = "http://[USER:PASSWORD@]HOST:PORT")]
    pub proxy: Option<String>,
    /// Send all through that proxy that has no other
    #[arg(long)]
    pub proxy_all: bool,
    /// Start although this is root, for whom Chromium has no sandbox
    #[arg(long)]
    pub no_sandbox: bool,
    /// How a line is written for each request
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// Before there was `--proxy-all`, a proxy was for everything.
const ONLY_WHO_SAYS_SO: &str = "the proxy is for work that says use_proxy; all else goes out without it: --proxy-all (proxy_all) \
     sends that through it, too";

/// Serves until it is told to end.
pub(super) async fn execute(
    args: ServeArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    let given = Given::of(args, &settings.serve, environment)?;
    refuse_root(&given)?;
    let mut interrupts = Interrupts::catch().map_err(|error| no_signals(&error))?;
    logs::begin(given.log_format, terminal);
    let config = config(&given, settings, environment)?;
    // What dead runs left is cleared away while this begins.
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let server = Box::pin(Server::bind(config)).await.map_err(|error| not_listening(&error))?;
    first_token(&server, settings, terminal).await?;
    let url = server.url();
    if terminal.json {
        terminal.value(&serde_json::json!({ "url": url }));
    } else {
        terminal.data(&url);
    }
    terminal.say(&format!("rhaven serves at {url}; {url}/docs tells what it can be asked"));
    if given.egress.upstream.is_some() && !given.proxy_all {
        terminal.say(ONLY_WHO_SAYS_SO);
    }
    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(server.run(shutdown.clone()));
    loop {
        tokio::select! {
            () = &mut serving => break,
            () = interrupts.next() => {
                if shutdown.is_cancelled() {
                    terminal.say("interrupted again: ending now");
                    return Ok(INTERRUPTED);
                }
                let drain = show_duration(given.drain);
                terminal.say(&format!(
                    "ending: nothing new is taken, what goes on has {drain} for its end; once more ends at once"
                ));
                shutdown.cancel();
            }
        }
    }
    // Nothing to do about it where it failed: it is tried again at the next start.
    let _ = reaping.await;
    Ok(super::OK)
}

/// Without a sandbox a page that breaks out of Chromium is root.
fn refuse_root(given: &Given) -> Result<(), Box<Failure>> {
    if given.no_sandbox || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let message = "this is root, for whom Chromium has no sandbox: pages that others name would run without one";
    let hint = "run it as another user; or, where a container is the sandbox, give --no-sandbox";
    Err(Box::new(usage_failure("sandbox_off", message, Some(hint.to_owned()))))
}

fn config(given: &Given, settings: &Settings, environment: &Environment) -> Result<ServeConfig, CliError> {
    let mut launch = job::launch(false, settings, environment)?;
    launch.no_sandbox = given.no_sandbox;
    let workspace = job::workspace(launch, "rhaven serve".to_owned(), settings);
    let usual = ServeConfig::new(given.listen, workspace);
    let count = |given: Option<u32>, usual: usize| given.map_or(usual, |count| count as usize);
    let run_timeout = given.timeout.unwrap_or(usual.run_timeout);
    Ok(ServeConfig {
        llm: job::served_llm(settings)?,
        egress: given.egress.clone(),
        proxy_all: given.proxy_all,
        public_url: given.public_url.clone(),
        advertise: given.advertise.clone(),
        trusted_proxies: given.trusted_proxies.clone(),
        scripts: given.scripts.clone(),
        max_body: count(given.max_body, usual.max_body),
        max_concurrent: count(given.max_concurrent, usual.max_concurrent),
        max_queued: count(given.max_queued, usual.max_queued),
        max_live: count(given.max_live, usual.max_live),
        max_live_per_tenant: given.max_live_per_tenant.map(|count| count as usize),
        inline_limit: given.inline_limit.unwrap_or(usual.inline_limit),
        run_timeout,
        max_run_timeout: given.max_timeout.unwrap_or(usual.max_run_timeout).max(run_timeout),
        drain: given.drain,
        ..usual
    })
}

/// Why a server, or the page of a live session, is not there.
pub(super) fn not_listening(error: &ServeError) -> Box<Failure> {
    let hint = match error {
        ServeError::Listen { .. } => Some("another: --listen 127.0.0.1:7301, or port 0 for any free one".to_owned()),
        ServeError::Session(error) => return Box::new(session_failure(error)),
        _ => None,
    };
    Box::new(usage_failure(error.code(), error.to_string(), hint))
}

/// Makes a token where there is none at all, and shows it: nobody could do anything otherwise.
async fn first_token(server: &Server, settings: &Settings, terminal: &Terminal) -> Result<(), Box<Failure>> {
    let failed = |error: SessionError| Box::new(session_failure(&error));
    let sessions = server.sessions();
    if !sessions.tokens(None).await.map_err(failed)?.is_empty() {
        return Ok(());
    }
    let scopes = Scope::ALL.into_iter().collect();
    let (info, token) = sessions.create_token(&settings.tenant, &scopes, None).await.map_err(failed)?;
    let token = token.expose();
    terminal.say(&format!(
        "the first token, for the tenant {tenant}, with every scope; it is shown this once:\n\n    {token}\n\n\
         use it: curl -H \"Authorization: Bearer $TOKEN\" {url}/v1/run -d '{{\"script\": \"1 + 1\"}}'\n\
         others: rhaven token create --scope run,fetch; this one is revoked by: rhaven token revoke {id}",
        tenant = info.tenant,
        url = server.url(),
        id = info.id,
    ));
    Ok(())
}

/// Where it listens unless something else is said.
pub(super) fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_help_says() {
        assert_eq!(default_listen().to_string(), DEFAULT_LISTEN);
    }
}
