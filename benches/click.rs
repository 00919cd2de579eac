//! What the verbs cost on a still page: a click with all its checks, a fill, an extraction of a hundred rows, an evaluation.

#![allow(missing_docs, clippy::expect_used, reason = "a bench stops where its browser does")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use rhaven::base::Deadline;
use rhaven::browser::{Browser, ContextOptions, LaunchOptions, TargetEvent};
use rhaven::page::{ActionOptions, ClickOptions, GotoOptions, Page, Schema, Selector};
use serde_json::json;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

async fn page(browser: &Browser) -> Page {
    let context = browser.new_context(&ContextOptions::default()).await.expect("a context");
    let mut targets = context.targets();
    context.new_target().await.expect("a tab");
    let Some(TargetEvent::Attached(target)) = targets.next().await else { panic!("no tab") };
    let page = Page::attach(target).await.expect("a page");
    let row = "<tr class=row><td class=id>#1</td><td class=price>1 234,50</td><td><a href='/x'>open</a></td></tr>";
    let html = format!(
        "data:text/html,<button id=go onclick='n=1'>Go</button><input id=name><table>{}</table>",
        row.repeat(100).replace('#', "%23")
    );
    page.goto(&html, &GotoOptions::default(), soon()).await.expect("the page loads");
    page
}

fn verbs(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let browser = runtime.block_on(Browser::launch(&LaunchOptions::default())).expect("Chromium");
    let page = runtime.block_on(page(&browser));
    let find = |selector: &str| page.locator(&Selector::parse(selector).expect("a selector"));
    let (button, field, role) = (find("#go"), find("#name"), find("role=button[name=\"Go\"]"));
    let frame = page.main_frame();
    let rows = json!([{"selector": ".row", "fields": {
        "id": ".id", "price": {"selector": ".price", "type": "number"}, "link": "a@href"}}]);
    let schema = Schema::parse(&rows).expect("a schema");

    let mut group = c.benchmark_group("verbs");
    group.sample_size(50).measurement_time(Duration::from_secs(4));
    group.bench_function("click", |b| {
        b.to_async(&runtime).iter(async || button.click(&ClickOptions::default(), soon()).await.expect("a click"));
    });
    group.bench_function("click by role", |b| {
        b.to_async(&runtime).iter(async || role.click(&ClickOptions::default(), soon()).await.expect("a click"));
    });
    group.bench_function("fill", |b| {
        b.to_async(&runtime)
            .iter(async || field.fill(&"value".into(), &ActionOptions::default(), soon()).await.expect("a fill"));
    });
    group.bench_function("extract 100 rows", |b| {
        b.to_async(&runtime).iter(async || frame.extract(&schema, soon()).await.expect("rows"));
    });
    group.bench_function("evaluate", |b| {
        b.to_async(&runtime).iter(async || frame.evaluate("1 + 1", None, soon()).await.expect("a value"));
    });
    group.finish();
    runtime.block_on(browser.close(soon()));
}

criterion_group!(benches, verbs);
criterion_main!(benches);
