//! What is large goes through in pieces, at a cost that grows with it and in memory that does not. `RHAVEN_SOAK_RECORDS` says how
//! many records the largest store has (8,000 unless set).

use std::time::{Duration, Instant};

use rhaven::base::Deadline;
use rhaven::page::{GotoOptions, Page};
use rhaven::session::{Session, SessionOptions, SessionOutcome};
use serde_json::{Value, json};

use super::rig::{Rig, evaluate, goto, id};

/// What this process may take at most, whatever a site keeps.
const MOST_MEMORY_KIB: u64 = 150 << 10;

fn records() -> u64 {
    std::env::var("RHAVEN_SOAK_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8_000)
}

/// The most memory that this process had since the last call of [`forget_peak`].
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Puts `count` records of some 700 bytes into one store, a transaction per thousand.
fn write(count: u64) -> String {
    format!(
        "async () => {{ const db = await new Promise(done => {{ const r = indexedDB.open('large', 1);
            r.onupgradeneeded = () => r.result.createObjectStore('s').createIndex('by', 'by'); r.onsuccess = () => done(r.result); }});
          for (let at = 0; at < {count}; at += 1000) {{
            const t = db.transaction('s', 'readwrite', {{ durability: 'relaxed' }}); const s = t.objectStore('s');
            for (let i = at; i < at + 1000; i++) s.put({{ i, by: i % 97, at: new Date(i), tags: ['a', 'b' + i],
              text: Array.from({{ length: 16 }}, (_, n) => ((i + 1) * (n + 7) * 2654435761 % 2 ** 40).toString(36)).join(' ').repeat(4) }}, i);
            await new Promise(done => {{ t.oncomplete = done; }}); }} db.close(); }}"
    )
}

const READ: &str = "async () => { const db = await new Promise(done => { const r = indexedDB.open('large'); r.onsuccess = () => done(r.result); });
    const s = db.transaction('s').objectStore('s'), of = r => new Promise(done => { r.onsuccess = () => done(r.result); });
    const count = await of(s.count()), last = await of(s.get(count - 1)), by = await of(s.index('by').count(3)); db.close();
    return [count, last.i, last.at.getTime(), last.tags[1], by]; }";

fn millis(span: Duration) -> u128 {
    span.as_millis()
}

/// Without optimisation what is large takes its time.
fn long() -> Deadline {
    Deadline::after(Duration::from_mins(3))
}

/// Goes to the site in a run of its own and evaluates `script` there: how long it took until the page was there and what was
/// evaluated, then how long the save took.
async fn visit(rig: &Rig, script: &str) -> (SessionOutcome, Value, Duration, Duration) {
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    let begun = Instant::now();
    page.goto(&rig.url("/"), &GotoOptions::default(), long()).await.unwrap();
    let restore = begun.elapsed();
    let answer = page.main_frame().evaluate(script, None, long()).await.unwrap();
    let begun = Instant::now();
    session.save(long()).await.unwrap();
    let save = begun.elapsed();
    let outcome = workspace.finish(long()).await.remove(0);
    (outcome, answer, restore, save)
}

/// Writes, saves, restores, checks: how long the save and the restore took.
async fn there_and_back(count: u64) -> (Duration, Duration) {
    let rig = Rig::start().await;
    let (first, _, _, save) = visit(&rig, &write(count)).await;
    assert_eq!((first.save_error, first.partial, first.updated), (None, vec![], true));
    let (second, seen, restore, _) = visit(&rig, READ).await;
    assert_eq!(seen, json!([count, count - 1, count - 1, format!("b{}", count - 1), (count - 4) / 97 + 1]));
    assert_eq!((second.save_error, second.changes, second.partial), (None, vec![], vec![]));
    (save, restore)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_stream_and_cost_what_they_are() {
    let most = records();
    let mut spans = Vec::new();
    for count in [most / 4, most] {
        forget_peak();
        let (save, restore) = there_and_back(count).await;
        let peak = peak_kib();
        println!(
            "{count} records: saved in {} ms, restored in {} ms, {} MiB",
            millis(save),
            millis(restore),
            peak >> 10
        );
        assert!(peak < MOST_MEMORY_KIB, "{count} records took {peak} KiB");
        spans.push(save + restore);
    }
    // Linear: four times as many take no more than twice as long each.
    assert!(spans[1] < spans[0] * 8, "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_go_through_in_pieces() {
    let rig = Rig::start().await;
    let size = if records() > 10_000 { 60 } else { 4 };
    let write = format!(
        "async () => {{ const root = await navigator.storage.getDirectory(); const h = await root.getFileHandle('large', {{ create: true }});
          const w = await h.createWritable(); const piece = new Uint8Array(1 << 20);
          for (let i = 0; i < {size}; i++) {{ for (let at = 0; at < piece.length; at += 65536) crypto.getRandomValues(piece.subarray(at, at + 65536));
            piece[0] = i; await w.write(piece); }} await w.close(); }}"
    );
    let read = "async () => { const root = await navigator.storage.getDirectory(); const f = await (await root.getFileHandle('large')).getFile();
        const firsts = []; for (let at = 0; at < f.size; at += 1 << 20) firsts.push(new Uint8Array(await f.slice(at, at + 1).arrayBuffer())[0]);
        return [f.size, firsts.every((b, i) => b === i)]; }";
    forget_peak();
    let (first, _, _, save) = visit(&rig, &write).await;
    assert_eq!((first.save_error, first.partial), (None, vec![]));
    let (second, seen, restore, _) = visit(&rig, read).await;
    let peak = peak_kib();
    println!("{size} MiB: saved in {} ms, restored in {} ms, {} MiB", millis(save), millis(restore), peak >> 10);
    assert_eq!((seen, second.updated), (json!([size << 20, true]), false));
    assert!(peak < MOST_MEMORY_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_part_that_is_damaged_is_not_put_in_place() {
    let rig = Rig::start().await;
    let (first, ..) = visit(&rig, &write(8_000)).await;
    assert_eq!(first.save_error, None);
    let blobs = rig.home.path().join("store/blobs");
    let folders = std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files: Vec<_> =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path()).collect();
    let [blob] = &*files else { panic!("{files:?}") };
    let mut bytes = std::fs::read(blob).unwrap();
    // Its last segment is missing: all before it verifies.
    bytes.truncate(bytes.len() - 1_000);
    std::fs::write(blob, bytes).unwrap();
    let mut seen = Value::Null;
    let work = async |_: Session, page: Page| {
        goto(&page, &rig.url("/")).await;
        seen = evaluate(&page, "async () => (await indexedDB.databases()).length").await;
    };
    let outcome = rig.run(work).await;
    assert_eq!(seen, json!(0), "some of it was put in place");
    assert_eq!(outcome.save_error.unwrap().0, "restore_incomplete");
}
