//! Pictures come when something changes, to whom has room for them.

use data_encoding::BASE64;
use futures_util::FutureExt;
use rhaven::live::Sent;
use rhaven::live::wire::FrameHead;
use rhaven::page::GotoOptions;
use serde_json::json;

use super::stage::{Person, Stage, soon};

/// A box that moves for as long as `moving` says.
const MOVING: &str = "<body style='margin:0'><div id=box style='width:80px;height:80px;background:red'></div><script>
    var moving = false, at = 0;
    const step = () => { if (moving) box.style.marginLeft = (at = (at + 7) % 600) + 'px'; requestAnimationFrame(step) };
    step();
    </script>";

impl Stage {
    /// Lets Chromium draw a good while, with nothing new to draw.
    async fn rest(&self) {
        self.eval("async () => { for (let i = 0; i < 40; i++) await new Promise(requestAnimationFrame) }").await;
    }

    /// Whether the middle of the picture is blue; the browser itself reads it.
    async fn is_blue(&self, picture: &[u8]) -> bool {
        let (_, jpeg) = FrameHead::of(picture).unwrap();
        let read = format!(
            "async () => {{
                const bytes = Uint8Array.from(atob('{}'), c => c.charCodeAt(0));
                const image = await createImageBitmap(new Blob([bytes], {{ type: 'image/jpeg' }}));
                const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
                canvas.drawImage(image, 0, 0);
                const [r, g, b] = canvas.getImageData(image.width / 2, image.height / 2, 1, 1).data;
                return r < 40 && g < 40 && b > 200;
            }}",
            BASE64.encode(jpeg)
        );
        self.eval(&read).await == true
    }
}

/// The pictures that have come, acknowledged.
fn drain(person: &Person) -> usize {
    let mut count = 0;
    while let Some(Some(sent)) = person.viewer.next().now_or_never() {
        if let Sent::Frame(frame) = sent {
            person.acknowledge(&frame);
            count += 1;
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_follow_what_changes_and_who_keeps_up() {
    let stage = Stage::with(MOVING).await;
    let first = stage.person();
    let picture = first.picture().await;
    let (head, jpeg) = FrameHead::of(&picture).unwrap();
    assert_eq!((head.width, head.height), (800, 600));
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]), "no JPEG");
    first.acknowledge(&picture);

    // Nothing changes: there comes a time without a picture.
    let mut rests = 0;
    loop {
        stage.rest().await;
        if drain(&first) == 0 {
            break;
        }
        rests += 1;
        assert!(rests < 30, "pictures come though nothing changes");
    }

    // One who comes late is shown what there is.
    let second = stage.person();
    let late = second.picture().await;
    assert_eq!(FrameHead::of(&late).unwrap().0.width, 800);

    // It moves: who acknowledges goes on, who does not gets no more than what may be under way.
    stage.eval("moving = true").await;
    let mut last = 0;
    for _ in 0..15 {
        let picture = first.picture().await;
        let frame = FrameHead::of(&picture).unwrap().0.frame;
        assert!(frame > last, "{frame} after {last}");
        last = frame;
        first.acknowledge(&picture);
    }
    let more = std::iter::from_fn(|| second.viewer.next().now_or_never().flatten());
    let pictures = more.filter(|sent| matches!(sent, Sent::Frame(_))).count();
    assert!(pictures <= 1, "{pictures} more for one who acknowledges nothing");

    // With the first away the second holds Chromium up; what shows in the end is how things are, though nothing changes any more.
    drop(first);
    stage.rest().await;
    stage.eval("moving = false; box.style.marginLeft = 0; document.body.style.background = 'rgb(0, 0, 255)'; 0").await;
    stage.rest().await;
    second.acknowledge(&late);
    let mut shown = second.picture().await;
    while !stage.is_blue(&shown).await {
        second.acknowledge(&shown);
        shown = second.picture().await;
    }
    second.acknowledge(&shown);
    let third = stage.person();
    let shown = third.picture().await;
    assert!(stage.is_blue(&shown).await, "who comes late is shown something old");
    third.acknowledge(&shown);

    // Nobody looks: nothing is cast. Somebody looks again: there is a picture at once.
    for person in [&second, &third] {
        person.say(json!({"type": "visible", "visible": false}));
    }
    stage.eval("moving = true").await;
    stage.rest().await;
    drain(&third);
    stage.rest().await;
    assert_eq!(drain(&third), 0, "pictures for nobody");
    third.say(json!({"type": "visible", "visible": true}));
    third.picture().await;
    drop((second, third));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_stands_still_is_shown_whatever_was_there_before() {
    let stage = Stage::with("<title>nothing</title>").await;
    stage.serve("/blue", "<body style='background: rgb(0, 0, 255)'>");
    stage.serve("/white", "<body>");
    let person = stage.person();
    // Each is at another site, and so in another renderer.
    let (blue, white) = (stage.url("/blue"), stage.url("/white").replace("127.0.0.1", "localhost"));
    for _ in 0..8 {
        for (url, is_blue) in [(&blue, true), (&white, false)] {
            stage.page.goto(url, &GotoOptions::default(), soon()).await.unwrap();
            loop {
                let picture = person.picture().await;
                person.acknowledge(&picture);
                if stage.is_blue(&picture).await == is_blue {
                    break;
                }
            }
        }
    }
    stage.end().await;
}
