//! The part of `rhaven doctor` that looks at the store: its servers, whether they are fit to be shared, the key.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::super::settings::Settings;
use super::{Finding, fail, mode, ok, warn};
use crate::base::{show_duration, with_causes};
use crate::diagnose;
use crate::session::{SessionError, Sessions};
use crate::store::{
    Backends, BlobsAt, RecordsAt, RedisReport, RedisStore, RedisUrl, S3Blobs, S3Options, S3Url, StoreError,
    honours_conditions,
};

/// A server whose clock is further away makes times that people read look wrong. Leases go by the server's alone.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(5);
/// A round trip that is longer is felt: opening a session takes one, a save another.
const SLOW: Duration = Duration::from_millis(20);

/// Tries all that the configured store needs.
pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let Some((records, blobs)) = settings.store.places() else {
        let text = "in memory: sessions end with the process";
        return vec![warn("store", text, "leave out --store memory: to keep them")];
    };
    let mut findings = Vec::new();
    match &records {
        RecordsAt::Sqlite(folder) => match mode(folder).filter(|_| settings.store.exists()) {
            None => findings.push(ok("store", format!("none yet; made on first use at {}", folder.display()))),
            Some(mode) if mode & 0o077 != 0 => {
                let text = format!("{} is open to other users (mode {mode:04o})", folder.display());
                findings.push(warn("store", text, format!("chmod 700 {}", folder.display())));
            }
            Some(_) => {}
        },
        RecordsAt::Redis(url) => findings.extend(redis(url).await),
    }
    if let BlobsAt::S3(url) = &blobs {
        findings.extend(s3(url).await);
    }
    if let Some(word) = super::super::store::words(&records, &blobs) {
        findings.push(warn("blobs", word, "redis:// goes with s3://, and a folder with a folder"));
    }
    // A server that is not there has been told of once.
    if settings.store.exists() && findings.iter().all(|finding| !finding.is_failure()) {
        findings.push(open(settings, &records, &blobs).await);
    }
    findings
}

/// Opens it with the key. One that is new stays so.
async fn open(settings: &Settings, records: &RecordsAt, blobs: &BlobsAt) -> Finding {
    let began = Instant::now();
    let opened = async {
        if Backends::open(records, blobs).await?.is_new().await? { Ok(None) } else { count(settings).await.map(Some) }
    };
    let place = settings.store.place();
    match Box::pin(opened).await {
        Ok(None) => {
            let key = settings.key.place();
            ok(
                "store",
                format!(
                    "{place}: nothing is there yet; the first session that is saved begins it with the key of {key}"
                ),
            )
        }
        Ok(Some(count)) => {
            let (took, tenant) = (show_duration(began.elapsed()), &settings.tenant);
            ok("store", format!("{place} opens in {took}; the key fits; {count} session(s) of {tenant}"))
        }
        Err(error) => fail("store", with_causes(&error), diagnose::hint(error.code()).map(str::to_owned)),
    }
}

async fn count(settings: &Settings) -> Result<usize, SessionError> {
    let sessions = Sessions::open(settings.store.clone(), settings.key.clone()).await?;
    Ok(sessions.list(&settings.tenant).await?.sessions.len())
}

async fn redis(url: &RedisUrl) -> Vec<Finding> {
    let began = Timestamp::now();
    let asked = async {
        let store = RedisStore::connect(url).await?;
        let report = store.report().await?;
        Ok::<_, StoreError>((honours_conditions(&store).await, report))
    };
    let (honoured, report) = match asked.await {
        Ok(found) => found,
        Err(error) => {
            let hint =
                "is the server up, and do address, user, password and TLS (rediss://) fit? redis-cli PING tries them";
            return vec![fail("redis", with_causes(&error), Some(hint.to_owned()))];
        }
    };
    let version = report.version.as_deref().unwrap_or("unknown");
    let text = format!("{url}: version {version}, answers in {}", show_duration(report.round_trip));
    let mut findings = vec![if report.round_trip > SLOW {
        warn("redis", text, "opening a session takes one round trip and a save another: a server nearby is quicker")
    } else {
        ok("redis", text)
    }];
    if url.password.is_some() && !url.tls && !is_here(url) {
        findings.push(warn("redis", "the password goes over the network in clear", "use rediss://, which is TLS"));
    }
    findings.push(permissions(&report));
    findings.push(writes(&report, honoured));
    findings.push(clock(report.clock, began));
    findings.extend(eviction(&report));
    findings.extend(persistence(&report));
    findings
}

/// Whether the server is on this machine.
fn is_here(url: &RedisUrl) -> bool {
    url.host == "localhost" || url.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn permissions(report: &RedisReport) -> Finding {
    if report.denied.is_empty() {
        return ok("rights", "the user may do all that is needed");
    }
    let hint = "ACL SETUSER NAME ~rhaven:* +@read +@write +@scripting +@connection +info +time";
    fail("rights", format!("the user may not {}", report.denied.join(", ")), Some(hint.to_owned()))
}

fn writes(report: &RedisReport, honoured: Result<bool, StoreError>) -> Finding {
    if report.is_replica == Some(true) {
        let hint = "name the server that it copies (`redis-cli ROLE` tells it)".to_owned();
        return fail("writes", "this server is a replica, which takes no writes", Some(hint));
    }
    if let Some(reason) = &report.refuses {
        let hint = "where its memory is full: more of it (maxmemory), or sessions that run out sooner (ttl)".to_owned();
        return fail("writes", format!("Redis takes no writes now: {reason}"), Some(hint));
    }
    match honoured {
        Ok(true) => ok("writes", "happen on their condition only"),
        Ok(false) => {
            let hint = "a proxy in between changes what is sent, or it is no Redis: name the server itself".to_owned();
            fail("writes", "one happened although its condition did not hold", Some(hint))
        }
        Err(error) => fail("writes", with_causes(&error), diagnose::hint(error.code()).map(str::to_owned)),
    }
}

/// Its clock, asked for between `began` and now.
fn clock(there: Timestamp, began: Timestamp) -> Finding {
    let (behind, ahead) = (began.duration_since(there), there.duration_since(Timestamp::now()));
    for (apart, side) in [(behind, "behind"), (ahead, "ahead of")] {
        if apart > CLOCKS_APART {
            let text = format!("Redis' clock is {} {side} this machine's", show_duration(apart.unsigned_abs()));
            return warn(
                "clock",
                text,
                "leases and expiry go by Redis' clock, and so do times that are shown: set both by NTP",
            );
        }
    }
    ok("clock", "Redis' clock is this machine's")
}

fn eviction(report: &RedisReport) -> Option<Finding> {
    let policy = report.eviction.as_deref()?;
    if policy == "noeviction" {
        return Some(ok("eviction", "noeviction: where memory is short Redis refuses writes and drops nothing"));
    }
    let hint = "redis-cli CONFIG SET maxmemory-policy noeviction; the same in redis.conf".to_owned();
    Some(fail("eviction", format!("{policy}: where memory is short Redis drops sessions"), Some(hint)))
}

fn persistence(report: &RedisReport) -> Option<Finding> {
    if report.append_only? {
        return Some(ok("persistence", "append-only file: a restart loses a second at most"));
    }
    let text = "no append-only file: a restart loses what came after the last snapshot";
    let hint =
        "redis-cli CONFIG SET appendonly yes; the same in redis.conf. `rhaven docs stores` tells what survives what";
    Some(warn("persistence", text, hint))
}

async fn s3(url: &S3Url) -> Vec<Finding> {
    let hint =
        || Some("bucket, endpoint, region, credentials (AWS_*) and policy: `rhaven docs stores` lists them".to_owned());
    let report = match S3Blobs::connect(url, S3Options::default()).await {
        Ok(blobs) => blobs.report().await,
        Err(error) => return vec![fail("s3", with_causes(&error), hint())],
    };
    let finding = |name: &str, text: String, is_good: bool| {
        let text = format!("{name}: {text}");
        if is_good { ok("s3", text) } else { fail("s3", text, hint()) }
    };
    let tried = report.findings.into_iter().map(|found| finding(found.name, found.text, found.is_good));
    std::iter::once(ok("s3", url.to_string())).chain(tried).collect()
}
