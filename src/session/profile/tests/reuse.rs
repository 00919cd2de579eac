//! What has not changed is not written again, and what is dead does not pile up.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::session::profile::{Progress, Transfer};

use super::rig::{Rig, full, noise, save, text, tree, write};

/// Files and bytes of each: 200 MB at length, a tenth of it otherwise.
fn size() -> (u64, usize) {
    if full() { (2_000, 100_000) } else { (200, 100_000) }
}

fn file(number: u64) -> String {
    format!("Default/Storage {}/file {number}", number % 50)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_percent_changed_less_than_five_are_written() {
    let (files, bytes) = size();
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    for number in 0..files {
        write(&dir, &file(number), text(number, bytes));
    }
    rig.save("acme", &dir).await.unwrap();
    let first = rig.stored_bytes();
    for number in (0..files).step_by(100) {
        write(&dir, &file(number), text(number + files, bytes));
    }
    let told = Arc::new(Mutex::new(Vec::<Transfer>::new()));
    let progress = Progress::new({
        let told = told.clone();
        move |now| told.lock().unwrap().push(now)
    });
    save(&rig.sessions, &rig.tenant, "acme", &dir, &progress).await.unwrap();
    let written = rig.stored_bytes() - first;
    println!("{files} files, first save {first} bytes, second {written}: {:.2} %", percent(written, first));
    assert!(written * 100 < first * 5, "{written} of {first}");

    let told = std::mem::take(&mut *told.lock().unwrap());
    let total = files * bytes as u64;
    assert!(told.iter().all(|now| now.total == total && now.files == files), "{told:?}");
    assert!(told.is_sorted_by_key(|now| now.done), "{told:?}");
    assert_eq!((told.first().unwrap().done, told.last().unwrap().done), (0, total));

    // And nothing at all where nothing changed: it is the same archive.
    let (before, blobs) = (rig.stored_bytes(), rig.blobs().await);
    rig.save("acme", &dir).await.unwrap();
    assert_eq!((rig.stored_bytes(), rig.blobs().await), (before, blobs));

    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&dir) == tree(&into), "what came back is not what was packed");
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_file_that_changed_in_one_page_little_is_written() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/History", text(1, 12 << 20));
    rig.save("acme", &dir).await.unwrap();
    let first = rig.stored_bytes();
    let history = OpenOptions::new().write(true).open(dir.join("Default/History")).unwrap();
    history.write_all_at(&noise(2, 4096), 5 << 20).unwrap();
    rig.save("acme", &dir).await.unwrap();
    let written = rig.stored_bytes() - first;
    assert!(written * 20 < first, "{written} of {first}");
    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&dir) == tree(&into));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_many_saves_less_is_dead_than_lives_and_blobs_are_few() {
    const FILES: u64 = 60;
    const BYTES: usize = 10_000;
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    for number in 0..FILES {
        write(&dir, &file(number), text(number, BYTES));
    }
    for save in 0..80 {
        for number in [save % FILES, (save * 7) % FILES, (save * save) % FILES] {
            write(&dir, &file(number), text(1_000 + save * 100 + number, BYTES));
        }
        let profile = rig.save("acme", &dir).await.unwrap();
        let stored: u64 = profile.blob_ids().map(|id| blob_bytes(rig.home.path(), &id)).sum();
        let live = FILES * BYTES as u64;
        assert!(stored < 2 * live / 8 + 40_000, "after save {save}: {stored} bytes for {live}");
        assert!(profile.blob_ids().count() <= 18, "after save {save}: {} blobs", profile.blob_ids().count());
    }
    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&dir) == tree(&into));
    // Of the versions that are no longer kept nothing is left.
    let kept = rig.sessions.history(&rig.tenant, &super::rig::id("acme")).await.unwrap().versions().len();
    assert_eq!(kept, crate::session::save::KEEP_VERSIONS);
    assert!(rig.blobs().await.len() < 80, "{} blobs", rig.blobs().await.len());
}

fn blob_bytes(home: &Path, id: &crate::store::BlobId) -> u64 {
    super::rig::blob_path(home, id).metadata().unwrap().len()
}
