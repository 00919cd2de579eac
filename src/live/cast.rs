//! The pictures of the tab in front: Chromium makes one when something has changed, and no further ones than it is given
//! acknowledgements for. How good and how many they are follows the quickest of those who look on.
//!
//! Chromium makes up to three ahead and drops what changes after that; when it was held up so long, the cast is begun anew once
//! nothing comes any more, which gives one picture of how things stand. The same is done after a page was loaded, and until there is a first
//! picture: while a tab goes from one renderer to another Chromium drops pictures, too, and a page that stands still then shows never.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use crate::browser::{Cdp, RawEvent};

use super::engine::Engine;
use super::rpc::rpc;
use super::wire::{Format, FrameHead};

/// How good the pictures are, from the best down, as JPEG has it.
const QUALITIES: [u8; 4] = [85, 70, 50, 30];

/// What Chromium makes ahead.
const AHEAD: usize = 3;

/// How long the first picture of a cast is waited for at first and at last before it is begun anew.
const FIRST: Duration = Duration::from_millis(200);
const FIRST_AT_LAST: Duration = Duration::from_secs(4);

/// A link that is slower than this gets worse pictures, one that is quicker than the other better ones.
const SLOW: Duration = Duration::from_millis(300);
const QUICK: Duration = Duration::from_millis(100);

/// Nothing came for so long: what shows now is worth a better picture.
const STILL: Duration = Duration::from_secs(1);

/// How long a worse, and a better quality is tried at least.
const TRY_WORSE: Duration = Duration::from_secs(1);
const TRY_BETTER: Duration = Duration::from_secs(5);

/// The pictures.
#[derive(Default)]
pub(super) struct Cast {
    running: Option<Running>,
    /// Counts the pictures.
    count: u32,
    /// The newest one.
    last: Option<(u32, Bytes)>,
    /// Which of [`QUALITIES`].
    quality: usize,
    quality_since: Option<Instant>,
}

/// A cast that has begun.
struct Running {
    tab: u32,
    cdp: Cdp,
    size: (u32, u32),
    quality: usize,
    /// Chromium's number of this cast; pictures of an earlier one may still come.
    number: i64,
    unacknowledged: usize,
    acknowledged_at: Option<Instant>,
    picture_at: Instant,
    /// Whether Chromium may have dropped what changed.
    was_held: bool,
    /// How long its first picture is waited for; none once there is one.
    first: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Screencast<'a> {
    #[serde(borrow)]
    data: std::borrow::Cow<'a, str>,
    metadata: Metadata,
    session_id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    device_width: f64,
    device_height: f64,
    timestamp: Option<f64>,
}

impl Cast {
    /// The newest picture, where one is shown.
    pub fn last(&self) -> Option<&(u32, Bytes)> {
        self.last.as_ref()
    }

    /// When to look again though nothing happens, where somebody has room for a picture: else their acknowledgement is what is
    /// waited for.
    pub fn due(&self, pause: Duration) -> Option<Instant> {
        let running = self.running.as_ref()?;
        let acknowledge = (running.unacknowledged > 0).then(|| running.acknowledged_at.map(|at| at + pause)).flatten();
        let refresh = running.was_held.then(|| running.quiet_since() + refresh_after(pause));
        let first = running.first.map(|wait| running.picture_at + wait);
        let still = running.picture_at + STILL;
        let better = (self.quality > 0).then(|| self.quality_since.map_or(still, |since| still.max(since + TRY_WORSE)));
        [acknowledge, refresh, first, better].into_iter().flatten().min()
    }
}

impl Running {
    fn quiet_since(&self) -> Instant {
        self.acknowledged_at.map_or(self.picture_at, |at| at.max(self.picture_at))
    }
}

fn refresh_after(pause: Duration) -> Duration {
    (pause * 3).max(Duration::from_millis(100))
}

impl Engine {
    /// The least time between two acknowledgements.
    pub(super) fn pause_between_pictures(&self) -> Duration {
        Duration::from_secs(1) / self.options.fps.clamp(1, 60)
    }

    fn is_looked_at(&self) -> bool {
        self.viewers.values().any(|viewer| viewer.mailbox.is_looked_at())
    }

    /// Sees to it that the tab in front is cast, where somebody looks, and nothing else is.
    pub(super) fn sync_cast(&mut self) {
        let size = (self.options.width, self.options.height);
        let wanted = self.is_looked_at().then(|| self.active_tab()).flatten().filter(|tab| !tab.crashed);
        let wanted = wanted.map(|tab| (tab.id, tab.cdp.clone()));
        let quality = self.cast.quality;
        let is_right = match (&self.cast.running, &wanted) {
            (None, None) => true,
            (Some(running), Some((tab, _))) => (running.tab, running.size, running.quality) == (*tab, size, quality),
            _ => false,
        };
        if is_right {
            return;
        }
        self.stop_cast();
        if let Some((tab, cdp)) = wanted {
            self.start_cast(tab, cdp, size, FIRST);
        }
    }

    fn start_cast(&mut self, tab: u32, cdp: Cdp, size: (u32, u32), first: Duration) {
        let quality = self.cast.quality;
        let params = json!({
            "format": "jpeg", "quality": QUALITIES[quality], "maxWidth": size.0, "maxHeight": size.1, "everyNthFrame": 1,
        });
        cdp.send(rpc("Page.startScreencast", params)).forget();
        let now = Instant::now();
        self.cast.running = Some(Running {
            tab,
            cdp,
            size,
            quality,
            number: i64::MIN,
            unacknowledged: 0,
            acknowledged_at: None,
            picture_at: now,
            was_held: false,
            first: Some(first),
        });
    }

    /// Stops it; what was shown last is shown no more.
    pub(super) fn stop_cast(&mut self) {
        self.cast.last = None;
        if let Some(running) = self.cast.running.take() {
            running.cdp.send(rpc("Page.stopScreencast", json!({}))).forget();
        }
    }

    /// The same again: the picture of how things stand comes at once.
    fn restart_cast(&mut self) {
        if let Some(Running { tab, cdp, size, first, .. }) = self.cast.running.take() {
            cdp.send(rpc("Page.stopScreencast", json!({}))).forget();
            // One that hangs is not asked all the time.
            let first = first.map_or(FIRST, |waited| (waited * 2).min(FIRST_AT_LAST));
            self.start_cast(tab, cdp, size, first);
        }
    }

    /// Another page is in the tab, or has been loaded: what it looks like may have been dropped.
    pub(super) fn page_changed(&mut self, tab: u32) {
        if let Some(running) = self.cast.running.as_mut().filter(|running| running.tab == tab) {
            running.was_held = true;
        }
    }

    /// Takes `Page.screencastFrame`.
    pub(super) fn picture(&mut self, tab: u32, event: &RawEvent) {
        let Some(running) = self.cast.running.as_mut().filter(|running| running.tab == tab) else { return };
        let Ok(frame) = serde_json::from_str::<Screencast<'_>>(event.params.get()) else { return };
        if frame.session_id < running.number {
            return;
        }
        running.number = frame.session_id;
        running.unacknowledged += 1;
        running.was_held |= running.unacknowledged >= AHEAD;
        running.picture_at = Instant::now();
        running.first = None;
        let Some(picture) = message(tab, self.cast.count.wrapping_add(1), &frame) else { return };
        self.cast.count = self.cast.count.wrapping_add(1);
        for viewer in self.viewers.values() {
            viewer.mailbox.show(self.cast.count, &picture);
        }
        self.cast.last = Some((self.cast.count, picture));
        self.pump();
    }

    /// Gives Chromium its acknowledgements as far as somebody has room, and begins anew where that is needed. To be called whenever a
    /// viewer may have room, and when [`Cast::due`] says.
    pub(super) fn pump(&mut self) {
        let pause = self.pause_between_pictures();
        let has_room = self.viewers.values().any(|viewer| viewer.mailbox.has_room());
        let now = Instant::now();
        let Some(running) = &mut self.cast.running else { return };
        let is_time = running.acknowledged_at.is_none_or(|at| now >= at + pause);
        if running.unacknowledged > 0 && has_room && is_time {
            running.unacknowledged -= 1;
            running.acknowledged_at = Some(now);
            let params = json!({"sessionId": running.number});
            running.cdp.send(rpc("Page.screencastFrameAck", params)).forget();
        }
        let is_refreshed = running.was_held && now >= running.quiet_since() + refresh_after(pause);
        let is_late = running.first.is_some_and(|wait| now >= running.picture_at + wait);
        if has_room && (is_refreshed || is_late) {
            self.restart_cast();
        } else {
            self.adapt(now);
        }
    }

    /// Follows the quickest link: worse pictures where they take long, better ones where they are quick or nothing changes.
    fn adapt(&mut self, now: Instant) {
        let looked = self.viewers.values().filter(|viewer| viewer.mailbox.is_looked_at());
        let Some(usual) = looked.filter_map(|viewer| viewer.mailbox.link().usual).min() else { return };
        let Some(running) = &self.cast.running else { return };
        let tried = self.cast.quality_since.map_or(Duration::MAX, |since| now.saturating_duration_since(since));
        let is_still = now >= running.picture_at + STILL;
        let quality = match self.cast.quality {
            worse if worse > 0 && tried > TRY_WORSE && (is_still || (usual < QUICK && tried > TRY_BETTER)) => worse - 1,
            better if better + 1 < QUALITIES.len() && usual > SLOW && !is_still && tried > TRY_WORSE => better + 1,
            same => same,
        };
        if quality != self.cast.quality {
            self.cast.quality = quality;
            self.cast.quality_since = Some(now);
            if let Some(running) = &mut self.cast.running {
                running.quality = quality;
            }
            self.restart_cast();
        }
    }
}

/// The binary message of a picture.
fn message(tab: u32, number: u32, frame: &Screencast<'_>) -> Option<Bytes> {
    let data = frame.data.as_bytes();
    let mut bytes = vec![0; FrameHead::LENGTH + BASE64.decode_len(data.len()).ok()?];
    let length = BASE64.decode_mut(data, &mut bytes[FrameHead::LENGTH..]).ok()?;
    bytes.truncate(FrameHead::LENGTH + length);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let head = FrameHead {
        format: Format::Jpeg,
        tab: low16(tab),
        frame: number,
        width: pixels(frame.metadata.device_width),
        height: pixels(frame.metadata.device_height),
        time: frame.metadata.timestamp.unwrap_or_else(now) * 1000.0,
    };
    bytes[..FrameHead::LENGTH].copy_from_slice(&head.to_bytes());
    Some(bytes.into())
}

#[allow(clippy::cast_possible_truncation, reason = "the low bits are what is meant")]
fn low16(tab: u32) -> u16 {
    tab as u16
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn pixels(size: f64) -> u16 {
    size.clamp(0.0, f64::from(u16::MAX)) as u16
}
