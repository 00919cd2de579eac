//! A page that nobody sees, at an origin but without its content: every request of it is answered here. In it what an
//! origin keeps is written before the site's own page loads, and read where no page of the origin is open any more.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::{EnableParams, RequestPattern};
use chromiumoxide::cdp::browser_protocol::network::{self, SetBypassServiceWorkerParams};
use chromiumoxide::cdp::browser_protocol::page::{CreateIsolatedWorldParams, FrameId, NavigateParams};
use chromiumoxide::cdp::browser_protocol::storage::GetStorageKeyParams;
use chromiumoxide::cdp::js_protocol::runtime::{CallArgument, CallFunctionOnParams, ExecutionContextId};
use serde_json::Value;

use crate::base::Deadline;
use crate::browser::{BrowserError, Cdp, RawEvent, RawEvents};

use super::aside::HiddenTab;
use super::nest::{Nest, Paused, answer_request};
use super::storage_key::{self, Place};

/// The isolated world's name.
const WORLD: &str = "rhaven-storage";
/// How often a document that is not the wanted one is asked for again.
const VISITS: usize = 3;
/// How long an empty document may take to say where it is, and to come where others have to be there first.
const VISIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A hidden page. One at a time works in it; it is closed with its last use.
pub(super) struct HiddenPage {
    target: HiddenTab,
    requests: RawEvents,
    at: Option<At>,
}

/// The document that is worked in.
struct At {
    /// Its storage key.
    key: String,
    /// The session that speaks for it: the page's, or that of a frame in a process of its own.
    cdp: Cdp,
    context: ExecutionContextId,
}

impl HiddenPage {
    /// Sets up a freshly attached tab.
    pub(super) async fn prepare(target: HiddenTab) -> Result<Self, BrowserError> {
        let cdp = target.cdp();
        let requests = cdp.raw_events(&["Fetch.requestPaused"]);
        let everything = RequestPattern::builder().url_pattern("*").build();
        let fetch = cdp.send(EnableParams::builder().pattern(everything).build());
        // A service worker of the origin must not answer in our place.
        let network = cdp.send(network::EnableParams::default());
        let bypass = cdp.send(SetBypassServiceWorkerParams::new(true));
        target.resume();
        fetch.await?;
        network.await?;
        bypass.await?;
        Ok(Self { target, requests, at: None })
    }

    /// Chromium's session for the document that was visited last.
    pub(super) fn cdp(&self) -> &Cdp {
        self.at.as_ref().map_or_else(|| self.target.cdp(), |at| &at.cdp)
    }

    /// Goes to a document with this storage key. No site's server sees anything of it.
    pub(super) async fn visit(&mut self, key: &str) -> Result<(), BrowserError> {
        if self.at.as_ref().is_some_and(|at| at.key == key) {
            return Ok(());
        }
        match storage_key::place(key) {
            Place::Tab => {}
            Place::Nowhere(reason) => return Err(navigation_failed(reason.to_owned())),
            Place::Below(_) | Place::Between => {
                let found = self.visit_below(&storage_key::above(key), storage_key::origin(key)).await?;
                return if found == key { Ok(()) } else { Err(elsewhere(key, &found)) };
            }
        }
        self.at = None;
        let mut found = String::new();
        for _ in 0..VISITS {
            let cdp = self.target.cdp().clone();
            let frame = self.navigate(key, None).await?;
            let context = world(&cdp, frame).await?;
            self.at = Some(At { key: key.to_owned(), cdp, context });
            // What a document of another origin keeps must never be taken for this one's.
            let there = self.call("() => location.origin + '/'", Value::Null, Deadline::after(VISIT_TIMEOUT)).await;
            match there {
                Ok(there) if there == *key => return Ok(()),
                Ok(there) => found = there.to_string(),
                // The document went while it was asked.
                Err(BrowserError::Cdp { message, .. }) => found = message,
                Err(error) => return Err(error),
            }
            self.at = None;
        }
        Err(elsewhere(key, &found))
    }

    /// Goes to a document of `origin` in a frame below documents of the origins `above`, the tab's own first; answers its
    /// storage key.
    pub(super) async fn visit_below(&mut self, above: &[String], origin: &str) -> Result<String, BrowserError> {
        self.at = None;
        let mut nest = Nest::new(above, origin)?;
        self.target.expect(nest.frames());
        nest.follow(&self.target);
        let deadline = Deadline::after(VISIT_TIMEOUT);
        let late = || navigation_failed(format!("a frame of {origin} did not load"));
        let found = async {
            self.navigate(&above[0], Some(&nest)).await?;
            loop {
                let (cdp, frame) = self.innermost(&mut nest).await?;
                let frame = FrameId::new(frame);
                // The frame tells of its document a moment before Chromium counts it as there: until then it has the key of
                // the empty one before.
                let there = async {
                    loop {
                        let asked = GetStorageKeyParams { frame_id: Some(frame.clone()) };
                        let key = String::from(cdp.call(asked).await?.storage_key);
                        if storage_key::origin(&key) == origin {
                            return Ok::<_, BrowserError>(key);
                        }
                    }
                };
                tokio::select! {
                    key = there => match key {
                        Ok(key) => break Ok((key, world(&cdp, frame.clone()).await?, cdp.clone())),
                        // It went into a process of its own, whose session tells of it as well.
                        Err(BrowserError::Cdp { .. }) => {}
                        Err(error) => break Err(error),
                    },
                    () = nest.another() => {}
                }
            }
        };
        let (key, context, cdp) = deadline.race(found).await.ok_or_else(late)??;
        self.at = Some(At { key: key.clone(), cdp, context });
        Ok(key)
    }

    /// The innermost document of `nest`. Requests of the frames above it come while it is awaited.
    async fn innermost(&mut self, nest: &mut Nest) -> Result<(Cdp, String), BrowserError> {
        loop {
            tokio::select! {
                found = nest.next() => return found.ok_or(BrowserError::TargetGone),
                event = self.requests.next() => match event.as_ref().map(RawEvent::decode::<Paused>) {
                    Some(Some(paused)) => answer_request(self.target.cdp(), paused, &nest.html()),
                    Some(None) => {}
                    None => return Err(BrowserError::TargetGone),
                },
            }
        }
    }

    /// Loads the empty document of `url`, or what `nest` says; its frame.
    async fn navigate(&mut self, url: &str, nest: Option<&Nest>) -> Result<FrameId, BrowserError> {
        let cdp = self.target.cdp().clone();
        let html = nest.map(Nest::html).unwrap_or_default();
        let mut navigated = cdp.send(NavigateParams::new(url));
        loop {
            tokio::select! {
                biased;
                answer = &mut navigated => {
                    let answer = answer?;
                    return match answer.error_text {
                        Some(reason) => Err(navigation_failed(reason)),
                        None => Ok(answer.frame_id),
                    };
                }
                event = self.requests.next() => match event.as_ref().map(RawEvent::decode::<Paused>) {
                    Some(Some(paused)) => answer_request(&cdp, paused, &html),
                    Some(None) => {}
                    None => return Err(BrowserError::TargetGone),
                },
            }
        }
    }

    /// Calls `function` (a function expression of one argument) at the origin that was visited last.
    pub(super) async fn call(
        &self,
        function: &str,
        argument: Value,
        deadline: Deadline,
    ) -> Result<Value, BrowserError> {
        let method = || "Runtime.callFunctionOn".to_owned();
        let Some(at) = &self.at else {
            return Err(BrowserError::Protocol { method: method(), reason: "no origin was visited".into() });
        };
        // As an argument and not in the source: megabytes would be escaped twice, and compiled.
        let mut params = CallFunctionOnParams::new(function);
        params.arguments = Some(vec![CallArgument { value: Some(argument), ..CallArgument::default() }]);
        params.execution_context_id = Some(at.context);
        params.await_promise = Some(true);
        params.return_by_value = Some(true);
        let failed = |message: String| BrowserError::Cdp { method: method(), code: 0, message };
        let answer = deadline.race(at.cdp.call(params)).await.ok_or_else(|| failed("timed out".into()))??;
        if let Some(exception) = answer.exception_details {
            let text = exception.exception.and_then(|object| object.description).unwrap_or(exception.text);
            return Err(failed(text));
        }
        Ok(answer.result.value.unwrap_or_default())
    }
}

/// The isolated world in a frame's document.
async fn world(cdp: &Cdp, frame: FrameId) -> Result<ExecutionContextId, BrowserError> {
    let world = CreateIsolatedWorldParams::builder().frame_id(frame).world_name(WORLD).build();
    let world = world.map_err(|reason| BrowserError::Protocol { method: "Page.createIsolatedWorld".into(), reason })?;
    Ok(cdp.call(world).await?.execution_context_id)
}

fn elsewhere(wanted: &str, found: &str) -> BrowserError {
    navigation_failed(format!("{wanted} was wanted, {found} is there"))
}

pub(super) fn navigation_failed(reason: String) -> BrowserError {
    BrowserError::Protocol { method: "Page.navigate".into(), reason }
}
