//! An archive that was tampered with is refused, and nothing of it is left in the folder.

use std::fs;
use std::os::unix::fs::symlink;

use crate::store::BlobId;

use super::rig::{Rig, blob_path, text, tree, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_altered_swapped_foreign_or_missing_blob_is_refused_and_nothing_is_left() {
    let rig = Rig::start().await;
    let (dir, other) = (rig.folder("dir"), rig.folder("other"));
    for number in 0..5 {
        write(&dir, &format!("Default/{number}"), text(number, 1 << 20));
        write(&other, &format!("Default/{number}"), text(100 + number, 1 << 20));
    }
    let profile = rig.save("acme", &dir).await.unwrap();
    let foreign = rig.save("other", &other).await.unwrap();
    let path = |id: &BlobId| blob_path(rig.home.path(), id);
    let (ids, foreign): (Vec<_>, Vec<_>) = (profile.blob_ids().collect(), foreign.blob_ids().collect());
    assert_eq!(ids.len(), 3, "two blobs and the manifest");
    // One folder is made by it, the other was there before with something in it.
    let (new, there) = (rig.home.path().join("new"), rig.folder("there"));
    write(&there, "marker", "ours");
    for (at, id) in ids.iter().enumerate() {
        let good = fs::read(path(id)).unwrap();
        let swapped = fs::read(path(&ids[(at + 1) % ids.len()])).unwrap();
        let theirs = fs::read(path(&foreign[at])).unwrap();
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        let ways = [
            ("cut in the middle", good[..good.len() / 2].to_vec()),
            ("cut by one", good[..good.len() - 1].to_vec()),
            ("emptied", Vec::new()),
            ("lengthened", [&good[..], b"x"].concat()),
            ("altered in its header", flipped(40)),
            ("altered at its end", flipped(good.len() - 1)),
            ("altered in the middle", flipped(good.len() / 2)),
            ("swapped", swapped),
            ("foreign", theirs),
        ];
        for (what, bad) in ways {
            fs::write(path(id), bad).unwrap();
            for into in [&new, &there] {
                let error = rig.restore("acme", into).await.expect_err(what);
                assert_eq!(error.code(), "decrypt_failed", "blob {at} {what}: {error}");
            }
            assert!(!new.exists(), "blob {at} {what}: a folder was left");
            assert_eq!(tree(&there).len(), 1, "blob {at} {what}: files were left");
        }
        fs::remove_file(path(id)).unwrap();
        assert_eq!(rig.restore("acme", &new).await.unwrap_err().code(), "not_found");
        assert!(!new.exists());
        fs::write(path(id), good).unwrap();
    }
    rig.restore("acme", &there).await.unwrap();
    assert_eq!(tree(&there).len(), 1 + 1 + 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_stands_there_is_written_over_or_followed() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "from the archive");
    write(&dir, "Default/Other", "from the archive");
    rig.save("acme", &dir).await.unwrap();

    let into = rig.folder("into");
    write(&into, "Default/Cookies", "mine");
    assert_eq!(rig.restore("acme", &into).await.unwrap_err().code(), "file_error");
    assert_eq!(fs::read(into.join("Default/Cookies")).unwrap(), b"mine");
    assert!(!into.join("Default/Other").exists());

    // A link in the place of a folder or of a file leads out.
    let (outside, linked) = (rig.folder("outside"), rig.folder("linked"));
    symlink(&outside, linked.join("Default")).unwrap();
    assert_eq!(rig.restore("acme", &linked).await.unwrap_err().code(), "file_error");
    fs::remove_file(linked.join("Default")).unwrap();
    fs::create_dir(linked.join("Default")).unwrap();
    symlink(outside.join("made"), linked.join("Default/Cookies")).unwrap();
    assert_eq!(rig.restore("acme", &linked).await.unwrap_err().code(), "file_error");
    assert_eq!(tree(&outside).len(), 0);
}
