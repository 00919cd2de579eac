//! `rhaven practice`: the practice site until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Outcome;
use super::error::CliError;
use super::interrupt::Interrupts;
use super::terminal::Terminal;
use crate::practice::Practice;

/// The port that examples are written for.
const DEFAULT_PORT: u16 = 7410;

/// Arguments of `practice`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven practice &
  rhaven practice --port 0        any free port; the first line on stdout is the address

The site is for trying things on: a login, orders to extract, a form, buttons that are hard to click. What it keeps is \
gone when it ends.")]
pub(super) struct PracticeArgs {
    /// The port; 0 for any free one
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
}

/// Serves until interrupted.
pub(super) async fn execute(args: &PracticeArgs, terminal: &Terminal) -> Outcome {
    let address = SocketAddr::new(args.listen, args.port);
    let listen = |error: std::io::Error| CliError::Listen { address: address.to_string(), reason: error.to_string() };
    let mut interrupts = Interrupts::catch().map_err(listen)?;
    let site = Practice::start(address).await.map_err(listen)?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "url": site.url() }));
    } else {
        terminal.data(site.url());
    }
    terminal.note("the practice site is up; Ctrl-C ends it");
    tokio::select! {
        () = site.serve() => {}
        () = interrupts.next() => {}
    }
    Ok(super::OK)
}
