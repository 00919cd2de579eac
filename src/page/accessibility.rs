//! What only the browser knows of a document: roles and accessible names as Chromium computes them, and closed shadow roots.

use serde::Deserialize;
use serde_json::{Value, json};

use super::inner::Inner;
use super::role::RoleQuery;
use super::rpc::{Ack, Evaluated, rpc};
use super::world::{Arg, CallError, World};

#[derive(Debug, Deserialize)]
struct AxAnswer {
    nodes: Vec<AxNode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AxNode {
    #[serde(default)]
    ignored: bool,
    name: Option<AxValue>,
    #[serde(default)]
    properties: Vec<AxProperty>,
    #[serde(rename = "backendDOMNodeId")]
    backend: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct AxValue {
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
struct AxProperty {
    name: String,
    value: AxValue,
}

#[derive(Debug, Deserialize)]
struct Flattened {
    nodes: Vec<FlatNode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatNode {
    backend_node_id: i64,
    #[serde(default)]
    shadow_roots: Vec<ShadowRoot>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShadowRoot {
    backend_node_id: i64,
    #[serde(default)]
    shadow_root_type: String,
}

impl Inner {
    /// Handles on all elements of the frame's document that have the role, in the order of the accessibility tree.
    pub async fn by_role(&self, frame: &str, query: &RoleQuery) -> Result<Vec<String>, CallError> {
        let world = self.bundled(frame).await?;
        let document = document(&world).await?;
        let params = json!({"objectId": document, "role": query.chromium_role()});
        let answer: AxAnswer = world.cdp.call(rpc("Accessibility.queryAXTree", params)).await?;
        let fits = |node: &AxNode| {
            (query.include_hidden || !node.ignored)
                && query.name.as_ref().is_none_or(|wanted| wanted.fits(node.name()))
                && query.states.iter().all(|(state, wanted)| node.is(state, wanted))
        };
        let backend: Vec<i64> = answer.nodes.iter().filter(|node| fits(node)).filter_map(|node| node.backend).collect();
        Ok(self.nodes(&world, &backend).await?.into_iter().flatten().collect())
    }

    /// Hands the closed shadow roots of the frame's document to the injected code; answers whether there are any.
    pub async fn bring_closed_roots(&self, frame: &str) -> Result<bool, CallError> {
        let world = self.bundled(frame).await?;
        // The flattened tree is only given while the domain is enabled; it is not left on, because then every mutation is
        // an event. One burst, so that nothing comes in between.
        let enable = world.cdp.send(rpc::<Ack>("DOM.enable", json!({})));
        let all = world.cdp.send(rpc::<Flattened>("DOM.getFlattenedDocument", json!({"depth": -1, "pierce": true})));
        let disable = world.cdp.send(rpc::<Ack>("DOM.disable", json!({})));
        let (_, all, _) = (enable.await?, all.await?, disable.await?);
        let mut pairs = Vec::new();
        for host in &all.nodes {
            let closed = host.shadow_roots.iter().filter(|root| root.shadow_root_type == "closed");
            pairs.extend(closed.flat_map(|root| [host.backend_node_id, root.backend_node_id]));
        }
        if pairs.is_empty() {
            return Ok(false);
        }
        // Those of other frames in the same process are not this document's and do not resolve in its world.
        let handles = self.nodes(&world, &pairs).await?;
        let whole = handles.chunks(2).filter(|pair| pair.iter().all(Option::is_some));
        let args: Vec<Arg> = whole.flatten().flatten().cloned().map(Arg::Object).collect();
        if args.is_empty() {
            return Ok(false);
        }
        self.call_in(frame, &world, "closedRoots", &args).await?;
        Ok(true)
    }
}

async fn document(world: &World) -> Result<String, CallError> {
    let params = json!({"expression": "document", "contextId": world.context, "objectGroup": "rhaven"});
    let answer: Evaluated = world.cdp.call(rpc("Runtime.evaluate", params)).await?;
    answer.result.object_id.ok_or(CallError::Lost)
}

impl AxNode {
    fn name(&self) -> &str {
        self.name.as_ref().and_then(|name| name.value.as_str()).unwrap_or_default()
    }

    /// A state that is not given is false.
    fn is(&self, state: &str, wanted: &str) -> bool {
        let given =
            self.properties.iter().find(|property| property.name == state).map(|property| &property.value.value);
        let text = match given {
            None => "false".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        text == wanted
    }
}
