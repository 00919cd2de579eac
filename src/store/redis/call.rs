//! What is sent to the server in one go: a script with its keys and arguments, and what goes with it.

use redis::Pipeline;

use crate::seal::TenantTag;

use super::keys::{TENANTS_KEY, hex};
use super::scripts::{Op, sources};

/// Commands in the order in which they are sent; the answer to the last one counts.
pub(super) struct Call {
    pub(super) pipeline: Pipeline,
    /// How many commands.
    pub(super) count: usize,
    /// About how many bytes go either way, as far as that is more than a few.
    pub(super) size: usize,
}

impl Call {
    fn empty() -> Self {
        Self { pipeline: Pipeline::new(), count: 0, size: 0 }
    }

    /// A command that is no script.
    pub(super) fn command(name: &str) -> Self {
        Self::empty().and(name)
    }

    /// A script by the time `now`; by the server's where none.
    pub(super) fn script(op: Op, keys: &[String], now: Option<u64>) -> Self {
        Self::empty().then(op, keys, now)
    }

    /// A script that may write for a tenant for the first time: the tenant is entered in the list of all before. Each time,
    /// since the server may have lost what it knew.
    pub(super) fn entering(tenant: TenantTag, op: Op, keys: &[String], now: Option<u64>) -> Self {
        Self::command("ZADD").arg(TENANTS_KEY).arg("0").arg(hex(&tenant.0)).then(op, keys, now)
    }

    /// What makes the server know all scripts.
    pub(super) fn load() -> Self {
        sources().fold(Self::empty(), |call, source| call.and("SCRIPT").arg("LOAD").arg(source))
    }

    fn and(mut self, name: &str) -> Self {
        self.pipeline.cmd(name);
        self.count += 1;
        self
    }

    fn then(self, op: Op, keys: &[String], now: Option<u64>) -> Self {
        let call = self.and("EVALSHA").arg(op.hash()).arg(keys.len().to_string());
        let now = now.map(|now| now.to_string()).unwrap_or_default();
        keys.iter().fold(call, Self::arg).arg(now)
    }

    /// One more argument.
    pub(super) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        let argument = argument.as_ref();
        self.size += argument.len();
        self.pipeline.arg(argument);
        self
    }

    /// That the answer may have so many bytes.
    pub(super) fn expecting(mut self, bytes: usize) -> Self {
        self.size = self.size.saturating_add(bytes);
        self
    }

    /// One more argument, a number; empty where there is none.
    pub(super) fn number(self, number: impl Into<Option<u64>>) -> Self {
        self.arg(number.into().map(|number| number.to_string()).unwrap_or_default())
    }
}
