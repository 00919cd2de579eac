//! Ways out beside the browser's own: a proxy of ours for each upstream proxy that a session goes through. It speaks to the upstream
//! proxy (kind, user, password), holds it and the targets to the policy, and knows why something was not reached.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::base::Secret;
use crate::browser::{BrowserError, Cause, Egress, LaunchOptions, Missed};
use crate::egress::{EgressError, Policy, Proxy, ProxyOptions, Upstream, client, in_common};

use super::emulate::{Asked, KeptIdentity};
use super::kept::Opening;
use super::{IdentityProxy, Session, SessionError, SessionOptions, Workspace};

/// The ways out of one tenant, or of one person. Cheap to clone.
#[derive(Clone)]
pub struct Ways(Arc<Inner>);

struct Inner {
    options: ProxyOptions,
    /// Whether what goes out is under no policy.
    is_free: bool,
    /// Those that somebody has.
    open: Mutex<Vec<Weak<Through>>>,
}

/// A way out through an upstream proxy. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Way(Arc<Through>);

struct Through {
    upstream: Upstream,
    proxy: Proxy,
    client: OnceLock<reqwest::Client>,
}

impl Ways {
    /// Under the policy, with the resolver and the limits of `options`; its own upstream proxy does not matter. All ways ask one
    /// resolver: who names many proxies has no more of it.
    pub fn new(options: ProxyOptions) -> Self {
        let options = ProxyOptions { resolver: in_common(&options.resolver), ..options };
        Self(Arc::new(Inner { options, is_free: false, open: Mutex::default() }))
    }

    /// Wherever they lead, for who decides about the browser anyway.
    pub fn free() -> Self {
        let options = ProxyOptions::new(Policy::open());
        Self(Arc::new(Inner { options, is_free: true, open: Mutex::default() }))
    }

    /// The way through `upstream`: the one that somebody has already, or a new one. On a runtime. Fails with `proxy_unavailable`
    /// where there is no port for it.
    pub fn through(&self, upstream: &Upstream) -> Result<Way, EgressError> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|way| way.strong_count() > 0);
        if let Some(way) = open.iter().filter_map(Weak::upgrade).find(|way| way.upstream == *upstream) {
            return Ok(Way(way));
        }
        let proxy = Proxy::start(ProxyOptions { upstream: Some(upstream.clone()), ..self.0.options.clone() })?;
        let way = Arc::new(Through { upstream: upstream.clone(), proxy, client: OnceLock::new() });
        open.push(Arc::downgrade(&way));
        Ok(Way(way))
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ways")
    }
}

impl Way {
    /// The proxy of ours.
    pub fn proxy(&self) -> &Proxy {
        &self.0.proxy
    }

    /// For plain requests.
    pub fn client(&self) -> Result<reqwest::Client, EgressError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client.clone());
        }
        let client = client(&self.0.proxy)?;
        Ok(self.0.client.get_or_init(|| client).clone())
    }

    /// For a context, or a browser. It keeps our proxy.
    pub(super) fn egress(&self) -> Egress {
        egress(&self.0.proxy)
    }

    /// The password that it tells the upstream proxy.
    pub(super) fn password(&self) -> Option<&Secret> {
        self.0.upstream.password()
    }

    /// Whether both are one: none is the browser's own.
    pub(super) fn are_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (Some(Self(one)), Some(Self(other))) => one.upstream == other.upstream,
            (None, None) => true,
            _ => false,
        }
    }
}

impl Session {
    /// The upstream proxy that it goes through although its identity has none.
    pub(super) fn through(&self) -> Option<Upstream> {
        let is_its_own = self.0.kept.as_ref().is_some_and(|kept| kept.identity().asked().proxy.is_some());
        self.0.room.way.as_ref().filter(|_| !is_its_own).map(|way| way.0.upstream.clone())
    }

    /// What makes it tell the same, and go out the same way, when it is opened again as it was last saved. None for a throw-away one.
    pub(super) fn asked(&self) -> Option<SessionOptions> {
        let kept = self.0.kept.as_ref()?;
        let identity = kept.identity().asked();
        let saved = kept.base().identity().map(KeptIdentity::asked).unwrap_or_default();
        // What was taken out of it must not come back.
        let anew = identity.clone().over(&saved) != identity;
        Some(SessionOptions { identity, anew, through: self.through(), ..SessionOptions::default() })
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({:?})", self.0.upstream)
    }
}

/// For a browser, which is told why something was not reached. It keeps the proxy.
pub fn egress(proxy: &Proxy) -> Egress {
    let knows = proxy.clone();
    Egress::new(proxy.address()).telling(move |url, net_error, since| {
        let fault = knows.why_failed(url, net_error, since)?;
        let cause = match fault.code() {
            "target_blocked" => Cause::Blocked,
            "proxy_unavailable" => Cause::Proxy,
            _ => Cause::Unreached,
        };
        Some(Missed { cause, reason: fault.told_as(net_error) })
    })
}

impl KeptIdentity {
    /// The proxy that a session goes through which has this, and of which that is asked.
    pub(super) fn proxy(kept: Option<&Self>, asked: Asked<'_>) -> Option<IdentityProxy> {
        let kept = || kept.filter(|_| !asked.anew).and_then(|kept| kept.asked().proxy);
        asked.identity.proxy.clone().or_else(kept)
    }
}

impl Workspace {
    /// How a session goes out whose identity has this proxy; `otherwise` is the upstream proxy of those that have none, or that of
    /// [`Self::pose`]. None: as the browser does. [`SessionError::NoSecret`] where the vault has no such password.
    pub(super) async fn way(
        &self,
        proxy: Option<&IdentityProxy>,
        otherwise: Option<&Upstream>,
    ) -> Result<Option<Way>, SessionError> {
        let upstream = match proxy {
            Some(proxy) => {
                let password = match proxy.secret() {
                    Some(name) => Some(self.password(name).await?),
                    None => None,
                };
                proxy.upstream(password)?
            }
            None => otherwise.cloned().or_else(|| self.posed_through()),
        };
        let Some(upstream) = upstream else { return Ok(None) };
        // Who has one way out must not find another by naming a proxy.
        if self.0.ways.0.is_free && self.launch().egress.is_some() {
            return Err(BrowserError::Proxy.into());
        }
        let way = self.0.ways.through(&upstream)?;
        if let Some(password) = way.password() {
            self.learn(password);
        }
        Ok(Some(way))
    }

    /// How a session goes out that is opened from `opening`.
    pub(super) async fn way_of(
        &self,
        opening: &Opening,
        options: &SessionOptions,
    ) -> Result<Option<Way>, SessionError> {
        let proxy = KeptIdentity::proxy(opening.base.identity(), options.asked());
        self.way(proxy.as_ref(), options.through.as_ref()).await
    }

    /// Whether a session that is open can be what is asked for: its context goes out as it did from the start.
    /// [`SessionError::Kind`] where not.
    pub(super) async fn stays_on_its_way(
        &self,
        session: &Session,
        options: &SessionOptions,
    ) -> Result<(), SessionError> {
        let Some(kept) = &session.0.kept else { return Ok(()) };
        let had = kept.identity().asked().proxy;
        let wanted = KeptIdentity::proxy(Some(&kept.identity()), options.asked());
        if wanted == had {
            return Ok(());
        }
        let way = self.way(wanted.as_ref(), options.through.as_ref()).await?;
        if Way::are_same(way.as_ref(), session.0.room.way.as_ref()) {
            return Ok(());
        }
        let is = "is open in this run already, and cannot go out through another proxy now";
        Err(SessionError::Kind { id: kept.id.clone(), is })
    }

    /// How to start a browser that goes out by `way`.
    pub(super) fn launch_by(&self, way: Option<&Way>) -> LaunchOptions {
        let launch = self.launch();
        match way.map(Way::egress) {
            None => launch,
            own if launch.egress.is_some() => LaunchOptions { egress: own, ..launch },
            own => LaunchOptions { proxy: own, ..launch },
        }
    }
}
