//! The last faults, with their times: whoever saw a navigation fail asks here what the proxy knows of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Fault;
use super::policy::Target;

/// How many are kept.
const KEPT: usize = 256;

/// The last faults, one for each host and port, the latest at the end.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<VecDeque<Line>>);

#[derive(Debug)]
struct Line {
    at: Instant,
    host: String,
    port: u16,
    way: Way,
    fault: Fault,
}

/// How something was to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a request that the proxy hands on.
    Plain,
    /// Through a tunnel: https, and web sockets of any kind.
    Tunnel,
}

impl Log {
    /// Notes a fault; one of the same target before it is forgotten, so that a page cannot flood the log with one host.
    pub(super) fn note(&self, target: &Target, way: Way, fault: Fault) {
        let (host, port) = (target.name(), target.port);
        // Neither path nor query: what is asked for there may be anybody's secret.
        tracing::debug!(host, port, code = fault.code(), "not connected");
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.port != port || line.way != way || line.host != host);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(Line { at: Instant::now(), host, port, way, fault });
    }

    /// Those since `at` for which `take` has an answer, in their order.
    pub(super) fn since<T>(&self, at: Instant, take: impl Fn(&str, Way, &Fault) -> Option<T>) -> Vec<T> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.at >= at).filter_map(|line| take(&line.host, line.way, &line.fault)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_has_the_last_of_each_target() {
        let log = Log::default();
        let start = Instant::now();
        let target = |number: usize| Target::new(&format!("{number}.example"), 80).unwrap();
        for number in 0..KEPT + 10 {
            log.note(&target(number), Way::Plain, Fault::Upstream("is away".to_owned()));
        }
        log.note(&target(20), Way::Plain, Fault::Upstream("is back".to_owned()));
        let hosts = log.since(start, |host, _, _| Some(host.to_owned()));
        assert_eq!(hosts.len(), KEPT);
        assert_eq!(hosts.first().unwrap(), "10.example");
        assert_eq!(hosts.last().unwrap(), "20.example");
        assert_eq!(log.since(Instant::now(), |host, _, _| Some(host.to_owned())), Vec::<String>::new());
    }
}
