//! Names to addresses, behind a trait: tests say what a name leads to, and change it between two questions.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// Who is asked for the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `name` (no literal address), in the order in which to try them. Asked once for each connection.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// The one that a proxy asks whose options have this one, where that is another: what it may hold is its own then.
    fn for_proxy(&self) -> Option<Arc<dyn Resolve>> {
        None
    }
}

/// `resolver` for several proxies together: what it may hold is theirs in common, and nobody else's.
pub fn in_common(resolver: &Arc<dyn Resolve>) -> Arc<dyn Resolve> {
    Arc::new(InCommon(resolver.for_proxy().unwrap_or_else(|| resolver.clone())))
}

struct InCommon(Arc<dyn Resolve>);

impl Resolve for InCommon {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.0.resolve(name)
    }
}

/// Questions at a time. Each holds a thread until the system has an answer, and the threads are those of the whole process: names
/// that are slow to be answered are not to take them all.
const PLACES: usize = 64;

/// The system's own resolver, its hosts file included. Clones share the 64 questions that it asks at a time; each proxy has
/// its own, or those that stand together ([`in_common`]).
#[derive(Debug, Clone)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let place = self.places.clone().acquire_owned().await.map_err(io::Error::other)?;
            let asked = tokio::task::spawn_blocking(move || {
                // Until there is an answer: whoever asked may have given up long before.
                let _place = place;
                Ok((name.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect())
            });
            asked.await.map_err(io::Error::other)?
        })
    }

    fn for_proxy(&self) -> Option<Arc<dyn Resolve>> {
        Some(Arc::new(Self::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_proxy_has_places_of_its_own() {
        let shared = SystemResolver::default();
        let places = shared.places.clone().acquire_many_owned(64).await.unwrap();
        let own = shared.for_proxy().unwrap();
        assert!(own.resolve("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
        let waiting = futures_util::poll!(shared.resolve("localhost"));
        assert!(waiting.is_pending());
        drop(places);
        assert!(!shared.resolve("localhost").await.unwrap().is_empty());
    }

    #[test]
    fn those_in_common_are_one_for_all_proxies() {
        let system: Arc<dyn Resolve> = Arc::new(SystemResolver::default());
        let ours = in_common(&system);
        assert!(ours.for_proxy().is_none() && in_common(&ours).for_proxy().is_none());
    }
}
