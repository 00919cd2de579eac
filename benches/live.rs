//! What it costs to look on and to steer: from a key to the picture of what it did; the processor time of this process for a page
//! that moves, and for one that does not.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where its browser does, and tells what it found"
)]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rhaven::base::{Deadline, Tenant};
use rhaven::browser::{Flavor, LaunchOptions};
use rhaven::live::wire::{FrameHead, FromViewer, Key, KeyKind, Role};
use rhaven::live::{Live, LiveOptions, Sent, Viewer};
use rhaven::page::{GotoOptions, Page};
use rhaven::session::{KeySource, LeaseTimes, Saving, StoreConfig, Workspace, WorkspaceConfig};

/// How long the processor time is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// Turns another colour with each key; moves where it is told to.
const PAGE: &str = "data:text/html,<body style='margin:0;height:720px'><div id=box style='width:300px;height:300px;background:red'></div>\
    <script>var on = false, at = 0; addEventListener('keydown', () => document.body.style.background = (on = !on) ? 'teal' : 'gold');\
    var moving = false; const step = () => { if (moving) box.style.marginLeft = (at = (at + 5) %25 900) + 'px';\
    requestAnimationFrame(step) }; step()</script>";

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

struct Stage {
    live: Live,
    page: Page,
    workspace: Workspace,
    viewer: Viewer,
    home: tempfile::TempDir,
}

impl Stage {
    async fn begin() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::new(WorkspaceConfig {
            tenant: Tenant::default(),
            store: StoreConfig::Embedded(home.path().join("store")),
            key: KeySource::MadeOnFirstUse(home.path().join("key")),
            launch: LaunchOptions { flavor: Flavor::Full, ..LaunchOptions::default() },
            holder: "rhaven bench".into(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        });
        let session = workspace.current().await.expect("a session");
        let page = session.page().await.expect("a page");
        let live = Live::over(session, LiveOptions::default()).await.expect("a live browser");
        page.goto(PAGE, &GotoOptions::default(), soon()).await.expect("the page loads");
        let viewer = live.join(Role::Control);
        Self { live, page, workspace, viewer, home }
    }

    /// The next picture, acknowledged.
    async fn picture(&self) {
        loop {
            match self.viewer.next().await.expect("it lives") {
                Sent::Message(_) => {}
                Sent::Frame(frame) => {
                    let (head, _) = FrameHead::of(&frame).expect("a picture");
                    return self.viewer.take(FromViewer::Ack { frame: head.frame });
                }
            }
        }
    }

    /// Takes what comes for a while; answers how many pictures that were.
    async fn watch(&self, long: Duration) -> u32 {
        let (until, mut count) = (Deadline::after(long), 0);
        while until.race(self.picture()).await.is_some() {
            count += 1;
        }
        count
    }

    async fn key(&self) {
        for kind in [KeyKind::Down, KeyKind::Up] {
            let (key, code) = ("k".to_owned(), "KeyK".to_owned());
            self.viewer.take(FromViewer::Key(Key {
                kind,
                key,
                code,
                text: None,
                location: 0,
                repeat: false,
                modifiers: 0,
            }));
        }
        self.picture().await;
    }

    /// The processor time of this process while it looks on, as part of one core, and the pictures a second.
    async fn cost(&self) -> (f64, f64) {
        let (used, began) = (processor_time(), Instant::now());
        let count = self.watch(MEASURED).await;
        let took = began.elapsed().as_secs_f64();
        (processor_time().saturating_sub(used).as_secs_f64() / took, f64::from(count) / took)
    }
}

/// What this process has used of the processor, its browser not counted.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace().collect()).unwrap_or_default();
    let ticks: u64 = [fields[11], fields[12]].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn live(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stage = runtime.block_on(Stage::begin());
    runtime.block_on(async {
        stage.picture().await;
        stage.watch(Duration::from_secs(2)).await;
        let (still, pictures) = stage.cost().await;
        println!("a page that does not change: {:.1} % of a core, {pictures:.1} pictures a second", still * 100.0);
        stage.page.main_frame().evaluate("moving = true", None, soon()).await.expect("it moves");
        let (moving, pictures) = stage.cost().await;
        println!("a page that moves: {:.1} % of a core, {pictures:.1} pictures a second", moving * 100.0);
        stage.page.main_frame().evaluate("moving = false", None, soon()).await.expect("it stands");
        stage.watch(Duration::from_secs(2)).await;
    });
    let mut group = c.benchmark_group("live");
    group.sample_size(30).measurement_time(Duration::from_secs(8));
    group.bench_function("from a key to the picture", |b| b.to_async(&runtime).iter(|| stage.key()));
    group.finish();
    runtime.block_on(async move {
        let Stage { live, page, workspace, viewer, home } = stage;
        live.close("ended").await;
        drop((live, page, viewer));
        workspace.finish(soon()).await;
        drop(home);
    });
}

criterion_group!(benches, live);
criterion_main!(benches);
