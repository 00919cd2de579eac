//! From a frame up to the page: where its content lies in the page's viewport, and whether a point in it is reachable there.

use serde_json::{Value, json};

use super::PageError;
use super::inner::Inner;
use super::rpc::{FrameOwner, rpc};
use super::verb::Answer;
use super::world::{Arg, CallError, World};

/// The frames above a frame, from the innermost out: each as its document's world and a handle on the element in it.
pub(super) struct FramePath {
    owners: Vec<Owner>,
}

struct Owner {
    frame: String,
    world: World,
    element: String,
}

impl Inner {
    /// The way from `frame` out to the main frame.
    pub async fn frame_path(&self, frame: &str) -> Result<FramePath, CallError> {
        let mut owners = Vec::new();
        let mut inner = frame.to_owned();
        loop {
            let parent = self.tree().get(&inner).ok_or(CallError::Lost)?.parent.clone();
            let Some(parent) = parent else { return Ok(FramePath { owners }) };
            let world = self.bundled(&parent).await?;
            let owner: FrameOwner = world.cdp.call(rpc("DOM.getFrameOwner", json!({"frameId": inner}))).await?;
            let element = self.nodes(&world, &[owner.backend_node_id]).await?.pop().flatten().ok_or(CallError::Lost)?;
            owners.push(Owner { frame: parent.clone(), world, element });
            inner = parent;
        }
    }
}

impl FramePath {
    /// Where the frame's viewport begins in the page's.
    pub async fn offset(&self, page: &Inner) -> Result<(f64, f64), CallError> {
        self.begin(page, false).await
    }

    /// What to add to boxes that the injected code has measured for a picture, to have them in the page as a whole. It knows about
    /// the scrolling of the main frame itself, where that is the one.
    pub async fn offset_in_page(&self, page: &Inner) -> Result<(f64, f64), CallError> {
        self.begin(page, true).await
    }

    async fn begin(&self, page: &Inner, whole: bool) -> Result<(f64, f64), CallError> {
        let (mut x, mut y) = (0.0, 0.0);
        for owner in &self.owners {
            let (left, top) = owner.begin(page, whole).await?;
            (x, y) = (x + left, y + top);
        }
        Ok((x, y))
    }

    /// Whether a point of the frame's viewport is on the screen and, with `check`, its own in every document above. An answer that
    /// is `ok` says where in the page's viewport it lies; with any other the frame has been scrolled to, as far as that goes.
    pub async fn hits(&self, page: &Inner, x: f64, y: f64, check: bool) -> Result<Answer, CallError> {
        let (mut x, mut y) = (x, y);
        for owner in &self.owners {
            let args = [
                Arg::Object(owner.element.clone()),
                Arg::Value(x.into()),
                Arg::Value(y.into()),
                Arg::Value(check.into()),
            ];
            let value = page.call_in(&owner.frame, &owner.world, "frameHit", &args).await?;
            let answer: Answer =
                serde_json::from_value(value).map_err(|error| PageError::JavaScript(error.to_string()))?;
            match answer.point {
                Some(point) if answer.t == "ok" => (x, y) = point,
                _ => return Ok(answer),
            }
        }
        Ok(Answer { t: "ok".to_owned(), point: Some((x, y)), ..Answer::default() })
    }
}

impl Owner {
    async fn begin(&self, page: &Inner, whole: bool) -> Result<(f64, f64), CallError> {
        let args = [Arg::Object(self.element.clone()), Arg::Value(whole.into())];
        let value: Value = page.call_in(&self.frame, &self.world, "frameBox", &args).await?;
        serde_json::from_value(value).map_err(|_| CallError::Lost)
    }
}
