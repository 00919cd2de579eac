//! What the doctor asks of a server.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::StoreError;
use super::RedisStore;
use super::call::Call;
use super::keys::of_probe;
use super::reply::Reply;
use super::scripts::Op;

/// How often the way there and back is measured.
const ROUND_TRIPS: usize = 5;

/// A server, as it is now. What its user may not ask is none.
#[derive(Debug, Clone)]
pub struct RedisReport {
    /// How long the way there and back takes: the median of some.
    pub round_trip: Duration,
    /// Its time. Leases and expiry go by it.
    pub clock: Timestamp,
    /// Its version.
    pub version: Option<String>,
    /// What it throws away when its memory is full (`maxmemory-policy`). Only `noeviction` throws nothing away that was
    /// acknowledged.
    pub eviction: Option<String>,
    /// Whether it keeps an append-only file (`appendonly`), without which it loses what came after its last snapshot.
    pub append_only: Option<bool>,
    /// Whether it is a replica, which writes nothing.
    pub is_replica: Option<bool>,
    /// Commands that its user may not run and that are needed.
    pub denied: Vec<String>,
    /// Why it writes nothing now, where it does not.
    pub refuses: Option<String>,
}

impl RedisStore {
    /// Looks at the server: how far it is, how it is set up, and whether what is needed is permitted. Writes a small value
    /// and removes it.
    pub async fn report(&self) -> Result<RedisReport, StoreError> {
        let mut round_trips = Vec::new();
        let mut clock = Timestamp::UNIX_EPOCH;
        for _ in 0..ROUND_TRIPS {
            let asked = Instant::now();
            let mut time = self.send(Call::command("TIME")).await?.list()?;
            round_trips.push(asked.elapsed());
            let (seconds, micros) = (time.field()?.number()?, time.field()?.number()?);
            clock = super::super::clock::timestamp(seconds * 1_000_000 + micros).unwrap_or(clock);
        }
        round_trips.sort_unstable();
        let mut fields = self.send(Call::script(Op::Report, &of_probe(), None)).await?.list()?;
        let info = fields.field()?.some().map(Reply::text).transpose()?.unwrap_or_default();
        let said = |name: &str| {
            let lines = info.lines().filter_map(|line| line.split_once(':'));
            lines.filter(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned()).next()
        };
        Ok(RedisReport {
            round_trip: round_trips[ROUND_TRIPS / 2],
            clock,
            version: said("redis_version"),
            eviction: said("maxmemory_policy"),
            append_only: said("aof_enabled").map(|is_on| is_on == "1"),
            is_replica: said("role").map(|role| role != "master"),
            refuses: fields.field()?.some().map(Reply::text).transpose()?,
            denied: fields.field()?.each(Reply::text)?,
        })
    }

    /// [`StoreError::Unfit`] where the server throws away what it pleases when its memory is full. What is referred to could not be
    /// told from what is not then: a sweep would take blobs of sessions whose names are gone.
    pub(super) async fn drops_nothing(&self) -> Result<(), StoreError> {
        let unknown = || "unknown: the user may not run INFO".to_owned();
        match self.report().await?.eviction.unwrap_or_else(unknown) {
            policy if policy != "noeviction" => Err(StoreError::Unfit {
                what: self.link.place().to_owned(),
                why: format!(
                    "it may throw keys away when its memory is full (maxmemory-policy {policy}), so that nothing can be said to be \
                     unused; set maxmemory-policy noeviction"
                ),
            }),
            _ => Ok(()),
        }
    }
}
