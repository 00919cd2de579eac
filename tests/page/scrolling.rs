//! Scrolling, and lists that load as one scrolls.

use std::time::{Duration, Instant};

use rhaven::base::Deadline;
use rhaven::page::{Direction, ScrollOptions, Scrolled, Selector};
use serde_json::json;

use super::support::{Stage, soon};

const LONG: &str = "<body style='margin:0'><div style='height:5000px;width:3000px'>long</div><p id=end>end</p>";
const UNTIL_STABLE: ScrollOptions = ScrollOptions { direction: Direction::Down, amount: None, until_stable: true };

async fn scroll(stage: &Stage, selector: Option<&str>, options: &ScrollOptions) -> Scrolled {
    let selector = selector.map(|selector| Selector::parse(selector).unwrap());
    stage.page.scroll(selector.as_ref(), options, soon()).await.unwrap()
}

#[tokio::test]
async fn a_step_in_each_direction() {
    let stage = Stage::with(LONG).await;
    let by = |direction, amount| ScrollOptions { direction, amount: Some(amount), until_stable: false };
    for (direction, amount, moved, place) in [
        (Direction::Down, 700, 700, json!([0, 700])),
        (Direction::Right, 300, 300, json!([300, 700])),
        (Direction::Up, 200, -200, json!([300, 500])),
        (Direction::Left, 1000, -300, json!([0, 500])),
    ] {
        let done = scroll(&stage, None, &by(direction, amount)).await;
        assert_eq!((done.moved, done.at_end), (moved, direction == Direction::Left), "{direction:?}");
        assert_eq!(stage.eval("[scrollX, scrollY]").await, place);
    }
    let seen = stage.eval("innerHeight").await.as_i64().unwrap();
    let done = scroll(&stage, None, &ScrollOptions::default()).await;
    assert!(done.moved > seen / 2 && done.moved < seen, "{done:?}");
    stage.find("#end").scroll_into_view(soon()).await.unwrap();
    let box_ = stage.eval("document.querySelector('#end').getBoundingClientRect().bottom <= innerHeight").await;
    assert_eq!(box_, json!(true));
    stage.end().await;
}

#[tokio::test]
async fn what_scrolls_is_found() {
    let inner = "<style>body{margin:0;overflow:hidden}</style><div id=app style='height:100vh;overflow:auto'>
        <div style='height:3000px'>app</div></div><div style='height:40px;overflow:auto'><p style='height:90px'>small</p></div>";
    let stage = Stage::with(inner).await;
    assert_eq!(scroll(&stage, None, &ScrollOptions { amount: Some(500), ..ScrollOptions::default() }).await.moved, 500);
    assert_eq!(stage.eval("document.querySelector('#app').scrollTop").await, json!(500));
    // An element that does not scroll itself scrolls what it is in.
    assert_eq!(
        scroll(&stage, Some("text=app"), &ScrollOptions { amount: Some(100), ..ScrollOptions::default() }).await.moved,
        100
    );
    stage.end().await;
}

#[tokio::test]
async fn a_list_that_loads_is_read_to_its_end() {
    let list = "<ul id=list style='height:300px;overflow:auto'></ul><script>
        const list = document.querySelector('#list'); let loads = 0, busy = false;
        const add = () => { for (let i = 0; i < 10; i++) list.append(Object.assign(document.createElement('li'), { textContent: 'x', style: 'height:50px' })); };
        add();
        list.addEventListener('scroll', () => {
            if (busy || loads === 4 || list.scrollTop + list.clientHeight < list.scrollHeight - 50) return;
            busy = true; loads++;
            setTimeout(() => { add(); busy = false; }, 300);
        });</script>";
    let stage = Stage::with(list).await;
    let done = scroll(&stage, Some("#list"), &UNTIL_STABLE).await;
    assert!(done.stable && done.at_end, "{done:?}");
    assert_eq!(stage.eval("list.children.length").await, json!(50));
    stage.end().await;
}

#[tokio::test]
async fn a_list_without_end_ends_with_the_time() {
    let endless = "<div id=list></div><script>
        const more = () => { for (let i = 0; i < 20; i++) document.querySelector('#list').append(Object.assign(document.createElement('p'), { textContent: 'x', style: 'height:50px' })); };
        more(); addEventListener('scroll', more);</script>";
    let stage = Stage::with(endless).await;
    let begun = Instant::now();
    let done = stage.page.scroll(None, &UNTIL_STABLE, Deadline::after(Duration::from_secs(2))).await.unwrap();
    assert!(!done.stable && done.moved > 0, "{done:?}");
    assert!(begun.elapsed() < Duration::from_secs(4));
    stage.end().await;
}
