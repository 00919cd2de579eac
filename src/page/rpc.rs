//! CDP commands as method and parameters. The typed ones of chromiumoxide demand every field of every answer; what the page
//! floor asks for often (calls into the injected code) reads three fields, and answers of newer Chromiums still decode.

use std::fmt::Debug;
use std::marker::PhantomData;

use chromiumoxide::types::{Command, Method, MethodId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A command whose answer is read as `R`.
pub(super) struct Rpc<R> {
    method: &'static str,
    params: Value,
    answer: PhantomData<fn() -> R>,
}

/// `method` with `params`.
pub(super) fn rpc<R>(method: &'static str, params: Value) -> Rpc<R> {
    Rpc { method, params, answer: PhantomData }
}

impl<R> Serialize for Rpc<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.params.serialize(serializer)
    }
}

impl<R> Method for Rpc<R> {
    fn identifier(&self) -> MethodId {
        self.method.into()
    }
}

impl<R: DeserializeOwned + Debug> Command for Rpc<R> {
    type Response = R;
}

/// An answer of which nothing is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Ack {}

/// What `Runtime.evaluate` and `Runtime.callFunctionOn` answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluated {
    pub result: Remote,
    pub exception_details: Option<Exception>,
}

/// What `Runtime.compileScript` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Compiled {
    pub exception_details: Option<Exception>,
}

/// A value in the page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remote {
    #[serde(default)]
    pub value: Value,
    pub object_id: Option<String>,
    pub description: Option<String>,
}

/// What JavaScript threw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the protocol's names")]
pub(super) struct Exception {
    pub text: String,
    #[serde(default)]
    pub line_number: i64,
    pub exception: Option<Remote>,
}

/// `DOM.describeNode`, `DOM.resolveNode` and `DOM.getFrameOwner`, as far as they are used.
#[derive(Debug, Deserialize)]
pub(super) struct Resolved {
    pub object: Remote,
}

#[derive(Debug, Deserialize)]
pub(super) struct Described {
    pub node: DescribedNode,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribedNode {
    pub frame_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameOwner {
    pub backend_node_id: i64,
}
