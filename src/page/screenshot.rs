//! Pictures: the viewport, the whole page or one element, some things painted over.

use data_encoding::BASE64;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;

use super::resolve::{Ask, ask, lost};
use super::rpc::rpc;
use super::verb::Verb;
use super::world::{Arg, CallError, Shared, World};
use super::{PageError, ScreenshotOptions};

#[derive(Debug, Deserialize)]
struct Shot {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    css_content_size: Size,
}

#[derive(Debug, Deserialize)]
struct Size {
    width: f64,
    height: f64,
}

/// `Page::screenshot`.
pub(super) async fn take(
    page: &Shared,
    main: &str,
    verb: &mut Verb,
    options: &ScreenshotOptions,
) -> Result<Vec<u8>, PageError> {
    page.settle(main, verb).await;
    let mut params = json!({"format": if options.jpeg { "jpeg" } else { "png" }});
    if options.jpeg {
        params["quality"] = json!(80);
    }
    let cdp = page.target.cdp();
    let mut frames = vec![main.to_owned()];
    if let Some(selector) = &options.selector {
        let found = ask(page, main, selector, verb, &Ask::new("pageBox", &["visible"], &[])).await?;
        let [x, y, width, height]: [f64; 4] =
            serde_json::from_value(found.answer.value).map_err(|error| PageError::JavaScript(error.to_string()))?;
        let (left, top) = frame_in_page(page, &found.frame).await?;
        if found.frame != main {
            frames.push(found.frame);
        }
        params["clip"] = json!({"x": x + left, "y": y + top, "width": width, "height": height, "scale": 1});
        params["captureBeyondViewport"] = json!(true);
    } else if options.full_page {
        let metrics: Metrics = cdp.call(rpc("Page.getLayoutMetrics", json!({}))).await?;
        let Size { width, height } = metrics.css_content_size;
        params["clip"] = json!({"x": 0, "y": 0, "width": width.ceil(), "height": height.ceil(), "scale": 1});
        params["captureBeyondViewport"] = json!(true);
    }
    "the picture".clone_into(&mut verb.missing);
    let masked = mask(page, main, verb, options, &mut frames).await?;
    // Where they lie as measured and where the picture has them have to be the same. A frame that goes has nothing to draw.
    join_all(frames.iter().map(|frame| page.call(frame, "drawn", &[]))).await;
    let shot = cdp.call(rpc::<Shot>("Page.captureScreenshot", params)).await;
    if let Some(masked) = masked {
        masked.remove(page, main).await?;
    }
    BASE64.decode(shot?.data.as_bytes()).map_err(|error| PageError::JavaScript(format!("the picture: {error}")))
}

/// What is painted over the page. It goes with this, whatever becomes of the picture: a deadline may pass at any await.
struct Mask {
    /// None once it has been removed.
    world: Option<World>,
}

impl Mask {
    async fn paint(page: &Shared, main: &str, boxes: &[[f64; 4]]) -> Result<Self, CallError> {
        let world = page.bundled(main).await?;
        let mask = Self { world: Some(world.clone()) };
        page.call_in(main, &world, "mask", &[Arg::Value(json!(boxes))]).await?;
        Ok(mask)
    }

    /// Removes it, and answers when it has gone.
    async fn remove(mut self, page: &Shared, main: &str) -> Result<(), PageError> {
        if let Some(world) = &self.world {
            match page.call_in(main, world, "unmask", &[]).await {
                // It went with its document.
                Ok(_) | Err(CallError::Lost) => {}
                Err(CallError::Page(error)) => return Err(error),
            }
        }
        self.world = None;
        Ok(())
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let Some(world) = self.world.take() {
            world.post("unmask", &[]);
        }
    }
}

/// Paints over what is to be hidden, where there is something. Adds the frames in which it lies.
async fn mask(
    page: &Shared,
    main: &str,
    verb: &mut Verb,
    options: &ScreenshotOptions,
    frames: &mut Vec<String>,
) -> Result<Option<Mask>, PageError> {
    let mut boxes: Vec<[f64; 4]> = Vec::new();
    for selector in &options.mask {
        let mut look = Ask::new("boxes", &[], &[]);
        look.once = true;
        let found = ask(page, main, selector, verb, &look).await?;
        if found.answer.t != "ok" {
            continue;
        }
        let here: Vec<[f64; 4]> =
            serde_json::from_value(found.answer.value).map_err(|error| PageError::JavaScript(error.to_string()))?;
        let (left, top) = frame_in_page(page, &found.frame).await?;
        boxes.extend(here.into_iter().map(|[x, y, width, height]| [x + left, y + top, width, height]));
        if !frames.contains(&found.frame) {
            frames.push(found.frame);
        }
    }
    if boxes.is_empty() {
        return Ok(None);
    }
    Mask::paint(page, main, &boxes).await.map(Some).map_err(lost)
}

/// What to add to a box in the frame, to have it in the page.
async fn frame_in_page(page: &Shared, frame: &str) -> Result<(f64, f64), PageError> {
    let path = page.frame_path(frame).await.map_err(lost)?;
    path.offset_in_page(page).await.map_err(lost)
}
