//! A state that carries one tag everywhere: in cookies, in two kinds of storage, on two sites, in names and in values. Two
//! tags in one version are two writers in one version.

use std::collections::BTreeSet;

use rhaven::page::Page;
use rhaven::session::SessionInfo;

use super::rig::{evaluate, goto};

/// Removes what there is and writes `tag` everywhere; `large` bytes of it in a part that becomes a blob.
const WRITE: &str = "async () => {
    const tag = TAG, large = LARGE;
    for (const cookie of document.cookie.split('; ')) if (cookie) document.cookie = cookie.split('=')[0] + '=; max-age=0';
    document.cookie = `${tag}=${tag}; max-age=9999`;
    localStorage.clear();
    localStorage.setItem(tag, tag + ' '.repeat(large));
    for (const { name } of await indexedDB.databases())
      await new Promise(done => { const r = indexedDB.deleteDatabase(name); r.onsuccess = r.onerror = done; });
    await new Promise(done => { const r = indexedDB.open(tag);
      r.onupgradeneeded = () => r.result.createObjectStore('s').put(tag, 'k');
      r.onsuccess = () => { r.result.close(); done(); }; });
  }";

/// Every tag that is there, with how many times it was found: names and values of three kinds.
const READ: &str = "async () => {
    const found = document.cookie.split('; ').filter(Boolean).flatMap(cookie => cookie.split('='));
    for (const name of Object.keys(localStorage)) found.push(name, localStorage.getItem(name).trim());
    for (const { name } of await indexedDB.databases()) {
      const value = await new Promise((done, failed) => { const r = indexedDB.open(name);
        r.onerror = failed;
        r.onsuccess = () => { const g = r.result.transaction('s').objectStore('s').get('k');
          g.onsuccess = () => { done(g.result); r.result.close(); }; }; });
      found.push(name, value);
    }
    return found;
  }";

/// Writes a tag everywhere.
pub async fn write(page: &Page, urls: &[String; 2], tag: &str, large: usize) {
    for (url, large) in urls.iter().zip([0, large]) {
        goto(page, url).await;
        evaluate(page, &WRITE.replace("TAG", &format!("'{tag}'")).replace("LARGE", &large.to_string())).await;
    }
}

/// The tags that are there, each with its own value behind its name. One, and everywhere, after a save; two after a crash in the
/// middle of [`write`], of which a checkpoint was kept.
pub async fn read(page: &Page, urls: &[String; 2]) -> BTreeSet<String> {
    let mut found = Vec::new();
    for url in urls {
        goto(page, url).await;
        let tags = evaluate(page, READ).await;
        found.extend(tags.as_array().unwrap().iter().map(|tag| tag.as_str().unwrap_or("no text").to_owned()));
    }
    assert!(found.chunks(2).all(|pair| pair[0] == pair[1]), "a name with another's value: {found:?}");
    let tags: BTreeSet<_> = found.iter().cloned().collect();
    assert!(tags.len() != 1 || found.len() == 12, "not everywhere: {found:?}");
    tags
}

/// The tags in all the names that a session shows.
pub fn shown(info: &SessionInfo) -> BTreeSet<String> {
    let mut names: Vec<&str> = info.cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    for origin in &info.origins {
        names.extend(origin.local_storage.iter().map(String::as_str));
        names.extend(origin.indexed_db.iter().filter_map(|store| store.name.split('/').next()));
    }
    let tags: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    assert!(tags.len() != 1 || names.len() == 6, "not everywhere: {names:?}");
    tags
}
