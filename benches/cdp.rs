//! What one round trip to Chromium costs, what a pipelined burst costs, and how long a start, a page and an end take.

#![allow(missing_docs, clippy::expect_used, reason = "a bench stops where its browser does")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::input::{DispatchMouseEventParams, DispatchMouseEventType, MouseButton};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use criterion::{Criterion, criterion_group, criterion_main};
use rhaven::base::Deadline;
use rhaven::browser::{Browser, ContextOptions, Flavor, LaunchOptions, Target, TargetEvent, reap};

async fn page(browser: &Browser) -> Target {
    let context = browser.new_context(&ContextOptions::default()).await.expect("a context");
    let mut targets = context.targets();
    context.new_target().await.expect("a tab");
    let Some(TargetEvent::Attached(target)) = targets.next().await else { panic!("no tab") };
    target.resume();
    target
}

async fn evaluate(target: &Target) {
    black_box(target.cdp().call(EvaluateParams::new("1")).await.expect("a value"));
}

/// Moved, pressed, released: sent at once, waited for together.
async fn click(target: &Target) {
    let event = |kind| {
        let mut event = DispatchMouseEventParams::new(kind, 20.0, 20.0);
        event.button = Some(MouseButton::Left);
        event.click_count = Some(1);
        target.cdp().send(event)
    };
    let moved = event(DispatchMouseEventType::MouseMoved);
    let pressed = event(DispatchMouseEventType::MousePressed);
    let released = event(DispatchMouseEventType::MouseReleased);
    black_box(futures_util::try_join!(moved, pressed, released).expect("a click"));
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

fn round_trips(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let browser = runtime.block_on(Browser::launch(&LaunchOptions::default())).expect("Chromium");
    let target = runtime.block_on(page(&browser));
    c.bench_function("cdp/evaluate", |b| b.to_async(&runtime).iter(|| evaluate(&target)));
    c.bench_function("cdp/click burst of three", |b| b.to_async(&runtime).iter(|| click(&target)));
    runtime.block_on(browser.close(soon()));
    c.bench_function("reap where nothing is left", |b| b.iter(|| black_box(reap())));
}

/// One browser from start to end.
struct Life {
    start: Duration,
    page: Duration,
    close: Duration,
}

type Part = fn(&Life) -> Duration;

async fn life(options: &LaunchOptions) -> Life {
    let begin = Instant::now();
    let browser = Browser::launch(options).await.expect("Chromium");
    let started = Instant::now();
    evaluate(&page(&browser).await).await;
    let opened = Instant::now();
    browser.close(soon()).await;
    Life { start: started - begin, page: opened - started, close: opened.elapsed() }
}

fn lives(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let parts: [(&str, Part); 3] = [
        ("start to first answer", |life| life.start),
        ("context and page", |life| life.page),
        ("close", |life| life.close),
    ];
    for flavor in [Flavor::HeadlessShell, Flavor::Full] {
        let options = LaunchOptions { flavor, ..LaunchOptions::default() };
        let mut group = c.benchmark_group(format!("{flavor:?}"));
        group.sample_size(10).measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
        for (name, part) in parts {
            group.bench_function(name, |b| {
                b.to_async(&runtime).iter_custom(async |times| {
                    let mut total = Duration::ZERO;
                    for _ in 0..times {
                        total += part(&life(&options).await);
                    }
                    total
                });
            });
        }
    }
}

criterion_group!(benches, round_trips, lives);
criterion_main!(benches);
