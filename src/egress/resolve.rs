//! Names to addresses, behind a trait: tests say what a name leads to, and change it between two questions.

use std::io;
use std::net::IpAddr;

use futures_util::future::BoxFuture;

/// Who is asked for the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `name` (no literal address), in the order in which to try them. Asked once for each connection.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver, its hosts file included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}
