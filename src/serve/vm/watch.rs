//! When a live browser ends by itself: so long after its start, after somebody last did something, after the last one left. Whoever
//! looks on is warned before.

use std::time::{Duration, Instant};

use crate::live::wire::WarningKind;

use super::input::TimeoutInput;
use super::running::Vm;

/// How often is looked: people come and go at any time.
const LOOK: Duration = Duration::from_millis(500);
/// By how much an end has to move for its warning to be sent anew.
const MOVED: Duration = Duration::from_secs(2);

/// What is known of who is there.
#[derive(Debug, Clone, Copy)]
struct Presence {
    since: Instant,
    connected: bool,
    seen: Instant,
    acted: Instant,
}

/// Waits until its time is over, and says which.
pub(super) async fn time_out(vm: &Vm) -> &'static str {
    let mut warned: Option<(WarningKind, Instant)> = None;
    loop {
        let now = Instant::now();
        let (next, before) = {
            let times = vm.times();
            let next = next(&times.timeouts, &presence(vm, times.since));
            (next, next.and_then(|(kind, _)| warned_before(&times.timeouts, kind)))
        };
        match next {
            Some((kind, at)) if at <= now => return name(kind),
            Some(first @ (kind, at)) if before.is_some_and(|before| at - now <= before) => {
                let is_told = |(told, then): (WarningKind, Instant)| {
                    told == kind && at.max(then).duration_since(at.min(then)) < MOVED
                };
                if !warned.is_some_and(is_told) {
                    warned = Some(first);
                    vm.live.warn(kind, (at - now).as_secs().max(1));
                }
            }
            _ if warned.take().is_some() => vm.live.warning_over(),
            _ => {}
        }
        let wait = next.map_or(LOOK, |(_, at)| at.saturating_duration_since(now).min(LOOK));
        tokio::time::sleep(wait).await;
    }
}

/// Whether nobody is there, and it ends by that within `span`.
pub(super) fn ends_soon(vm: &Vm, span: Duration) -> bool {
    let times = vm.times();
    let presence = presence(vm, times.since);
    let offline = TimeoutInput::span(times.timeouts.offline);
    !presence.connected && offline.is_some_and(|offline| presence.seen + offline <= Instant::now() + span)
}

fn presence(vm: &Vm, since: Instant) -> Presence {
    let (live, clients) = (vm.live.activity(), vm.clients());
    // Of a script nobody can tell whether it does something or thinks.
    let acted = if clients.scripts > 0 { Instant::now() } else { clients.acted };
    Presence {
        since,
        connected: live.connected + clients.connected + clients.scripts > 0,
        seen: live.seen.max(clients.seen).max(since),
        acted: live.acted.max(acted).max(since),
    }
}

/// What comes first, and when.
fn next(timeouts: &TimeoutInput, presence: &Presence) -> Option<(WarningKind, Instant)> {
    let after = |from: Instant, seconds: Option<f64>| Some(from + TimeoutInput::span(seconds)?);
    let offline = if presence.connected { None } else { after(presence.seen, timeouts.offline) };
    let all = [
        (WarningKind::Absolute, after(presence.since, timeouts.absolute)),
        (WarningKind::Inactive, after(presence.acted, timeouts.inactive)),
        (WarningKind::Offline, offline),
    ];
    all.into_iter().filter_map(|(kind, at)| Some((kind, at?))).min_by_key(|(_, at)| *at)
}

/// How long before that end is warned: within the latter half of the time only, or it would be said all the time.
fn warned_before(timeouts: &TimeoutInput, kind: WarningKind) -> Option<Duration> {
    let of = match kind {
        WarningKind::Absolute => timeouts.absolute,
        WarningKind::Inactive => timeouts.inactive,
        WarningKind::Offline => timeouts.offline,
    };
    Some(TimeoutInput::span(timeouts.warning)?.min(TimeoutInput::span(of)? / 2))
}

fn name(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::Absolute => "absolute",
        WarningKind::Inactive => "inactive",
        WarningKind::Offline => "offline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_times_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let timeouts = TimeoutInput {
            absolute: Some(100.0),
            inactive: Some(30.0),
            offline: Some(10.0),
            ..TimeoutInput::default()
        };
        let presence = |connected, seen, acted| Presence { since: start, connected, seen: at(seen), acted: at(acted) };
        assert_eq!(next(&timeouts, &presence(false, 0, 0)), Some((WarningKind::Offline, at(10))));
        assert_eq!(next(&timeouts, &presence(true, 0, 0)), Some((WarningKind::Inactive, at(30))));
        assert_eq!(next(&timeouts, &presence(true, 0, 90)), Some((WarningKind::Absolute, at(100))));
        let never = TimeoutInput { offline: None, ..TimeoutInput::default() };
        assert_eq!(next(&never, &presence(false, 0, 0)), None);
    }
}
