//! What is packed comes back, and nothing else does.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use super::rig::{Rig, noise, text, tree, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_comes_back_as_it_was() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Local State", "{}");
    write(&dir, "Default/History", text(1, 9 << 20));
    write(&dir, "Default/Empty", "");
    write(&dir, "Default/Twice/a", noise(2, 70_000));
    write(&dir, "Default/Twice/b", noise(2, 70_000));
    write(&dir, "Profile 1/Local Storage/leveldb/CURRENT", "MANIFEST-000001\n");
    write(&dir, "Profile 1/Local Storage/leveldb/000003.log", noise(3, 300_000));
    fs::create_dir_all(dir.join("Default/Nothing/In it")).unwrap();
    for name in [&b"not \xff utf-8 \xc3"[..], b"100%", b"a\nb", "\u{17e}".as_bytes()] {
        fs::write(dir.join("Default").join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::set_permissions(dir.join("Default/Empty"), Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(dir.join("Default/Nothing"), Permissions::from_mode(0o500)).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    for path in ["Default/Twice/a", "Default/Nothing"] {
        File::open(dir.join(path)).unwrap().set_modified(old).unwrap();
    }
    let before = tree(&dir);

    let profile = rig.save("acme", &dir).await.unwrap();
    assert_eq!((profile.files, profile.bytes), (11, before.values().map(|file| file.content.len() as u64).sum()));
    let into = rig.home.path().join("into");
    rig.restore("acme", &into).await.unwrap();
    let after = tree(&into);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, standing) in &before {
        assert_eq!(after.get(path), Some(standing), "{}", String::from_utf8_lossy(path));
    }
    assert_eq!(fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_and_what_chromium_makes_anew_stays_behind() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&rig.folder("elsewhere"), "secret", "outside");
    write(&dir, "Default/Cookies", "kept");
    write(&dir, "Default/Cache/data_0", "cache");
    write(&dir, "ShaderCache/data_0", "cache");
    symlink(rig.home.path().join("elsewhere"), dir.join("Default/link to a folder")).unwrap();
    symlink(rig.home.path().join("elsewhere/secret"), dir.join("Default/link to a file")).unwrap();
    symlink("nowhere", dir.join("dangling")).unwrap();
    let _socket = UnixListener::bind(dir.join("Default/socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.join("Default/pipe"), rustix::fs::Mode::RUSR).unwrap();

    rig.save("acme", &dir).await.unwrap();
    let into = rig.home.path().join("into");
    rig.restore("acme", &into).await.unwrap();
    let names: Vec<Vec<u8>> = tree(&into).into_keys().collect();
    assert_eq!(names, [&b"Default/"[..], b"Default/Cookies"]);
}
