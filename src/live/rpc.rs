//! CDP commands as method and parameters, their answers as JSON.

use chromiumoxide::types::{Command, Method, MethodId};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A command.
pub(super) struct Rpc {
    method: &'static str,
    params: Value,
}

/// `method` with `params`.
pub(super) fn rpc(method: &'static str, params: Value) -> Rpc {
    Rpc { method, params }
}

impl Serialize for Rpc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.params.serialize(serializer)
    }
}

impl Method for Rpc {
    fn identifier(&self) -> MethodId {
        self.method.into()
    }
}

impl Command for Rpc {
    type Response = Value;
}
