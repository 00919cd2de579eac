//! `rhaven token`: who may ask the HTTP endpoint for what. A token is shown once, on stdout, and is never an argument.

use std::time::Duration;

use super::Outcome;
use super::settings::Settings;
use super::tables::{show_time, table};
use super::terminal::Terminal;
use crate::base::{closest, parse_duration};
use crate::diagnose;
use crate::run::Failure;
use crate::session::{Scope, SessionError, Sessions, TokenInfo};

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token for one tenant and print it, once; only its hash is kept
    #[command(after_help = "\
Examples:
  rhaven token create --tenant acme --expires 90d --scope run,fetch
  TOKEN=$(rhaven token create --tenant acme)
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:7411/v1/sessions

Scopes: run (scripts), fetch (page requests), vm (live browsers), admin (secrets, identities, and what changes or exports \
sessions). The token goes to stdout and nothing else does; what is known of it goes to stderr.")]
    Create {
        /// How long it is good, such as 90d; without it until it is revoked
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// What it opens, comma-separated [default: all of it]
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = scope)]
        scope: Vec<Scope>,
    },
    /// The tokens of all tenants, or of --tenant, without what makes them tokens
    #[command(visible_alias = "ls")]
    List,
    /// Take a token's power away at once, also on servers that run
    #[command(
        visible_alias = "rm",
        after_help = "\
Examples:
  rhaven token list
  rhaven token revoke 5f0c3ab19d2e7764"
    )]
    Revoke {
        /// Its id, which is no secret: `rhaven token list` shows it
        id: String,
    },
}

fn scope(name: &str) -> Result<Scope, String> {
    let names = Scope::ALL.map(Scope::name);
    Scope::parse(name).ok_or_else(|| format!("a scope is one of {}", names.join(", ")))
}

/// Makes, lists or revokes.
pub(super) async fn execute(args: TokenArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match args.command {
        TokenCommand::Create { expires, scope } => create(expires, scope, settings, terminal).await,
        TokenCommand::List => list(settings, terminal).await,
        TokenCommand::Revoke { id } => revoke(&id, settings, terminal).await,
    }
}

async fn open(settings: &Settings) -> Result<Sessions, Box<Failure>> {
    Sessions::open(settings.store.clone(), settings.key.clone()).await.map_err(|error| failure(&error))
}

fn failure(error: &SessionError) -> Box<Failure> {
    Box::new(diagnose::session_failure(error))
}

async fn create(lasts: Option<Duration>, scopes: Vec<Scope>, settings: &Settings, terminal: &Terminal) -> Outcome {
    let scopes = if scopes.is_empty() { Scope::ALL.into() } else { scopes.into_iter().collect() };
    let made = open(settings).await?.create_token(&settings.tenant, &scopes, lasts).await;
    let (info, token) = made.map_err(|error| failure(&error))?;
    if terminal.json {
        let mut told = serde_json::json!(info);
        told["token"] = token.expose().into();
        terminal.value(&told);
    } else {
        terminal.data(token.expose());
    }
    let TokenInfo { id, tenant, .. } = &info;
    let (opens, end) = (names(&info), end(&info));
    terminal.note(&format!("token {id} of tenant {tenant}: opens {opens}, runs out {end}; it is not shown again"));
    Ok(super::OK)
}

fn names(info: &TokenInfo) -> String {
    info.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",")
}

fn end(info: &TokenInfo) -> String {
    info.expires_at.as_deref().map_or_else(|| "never".to_owned(), show_time)
}

async fn all(settings: &Settings, of_all: bool) -> Result<Vec<TokenInfo>, Box<Failure>> {
    if !settings.store.exists() {
        return Ok(Vec::new());
    }
    let tenant = (!of_all).then_some(&settings.tenant);
    open(settings).await?.tokens(tenant).await.map_err(|error| failure(&error))
}

async fn list(settings: &Settings, terminal: &Terminal) -> Outcome {
    let all = all(settings, !settings.tenant_named).await?;
    if terminal.json {
        terminal.value(&serde_json::json!(all));
    } else if all.is_empty() {
        terminal.note("no tokens yet; `rhaven token create --tenant NAME` makes one");
    } else {
        let rows = all.iter().map(|token| {
            [token.id.clone(), token.tenant.to_string(), names(token), show_time(&token.created_at), end(token)]
        });
        let headings = ["ID", "TENANT", "OPENS", "MADE (UTC)", "RUNS OUT (UTC)"];
        terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    }
    Ok(super::OK)
}

async fn revoke(id: &str, settings: &Settings, terminal: &Terminal) -> Outcome {
    let revoked =
        settings.store.exists() && open(settings).await?.revoke_token(id).await.map_err(|error| failure(&error))?;
    if !revoked {
        return Err(unknown(id, settings).await);
    }
    if terminal.json {
        terminal.value(&serde_json::json!({ "revoked": id }));
    }
    terminal.note(&format!("token {id}: revoked"));
    Ok(super::OK)
}

/// What was given may be a token itself, pasted by mistake: it is not repeated.
async fn unknown(id: &str, settings: &Settings) -> Box<Failure> {
    let is_id = id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let shown = if is_id { format!(" {id}") } else { " that was given".to_owned() };
    let all = all(settings, true).await.unwrap_or_default();
    let near = closest(id, all.iter().map(|token| &*token.id)).filter(|_| is_id);
    let hint = match near {
        Some(near) => format!("did you mean {near}? `rhaven token list` shows those that there are"),
        None => "`rhaven token list` shows those that there are".to_owned(),
    };
    let message = format!("there is no token by the id{shown}");
    Box::new(diagnose::usage_failure("not_found", message, Some(hint)))
}
