//! What of a user-data directory is kept: all but what is named here, since new stores keep appearing. Pure functions of
//! names, and of where in the directory they stand: a site's own data may well have a folder called `Cache`.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Caches at the top and in each profile's folder: Chromium makes them anew.
const CACHES: [&str; 7] =
    ["Cache", "Code Cache", "GPUCache", "GPUPersistentCache", "GrShaderCache", "ShaderCache", "Shared Dictionary"];

/// What else is left out at the top: components and models that Chromium fetches again, diagnostics, and what says that it runs.
const TOP: [&str; 16] = [
    "Crash Reports",
    "Crashpad",
    "DevToolsActivePort",
    "OptGuideOnDeviceModel",
    "OptimizationGuideModelsManifest",
    "RunningChromeVersion",
    "Safe Browsing",
    "chrome_debug.log",
    "component_crx_cache",
    "extensions_crx_cache",
    "lockfile",
    "optimization_guide_model_store",
    "segmentation_platform",
    "screen_ai",
    "CrashpadMetrics-active.pma",
    "CrashpadMetrics.pma",
];

/// What else is left out in a profile's folder. `blob_storage` holds what pages have in memory; it is emptied at every start.
const PROFILE: [&str; 7] = [
    "AutofillAiModelCache",
    "Segmentation Platform",
    "Site Characteristics Database",
    "blob_storage",
    "optimization_guide_hint_cache_store",
    "optimization_guide_model_store",
    "optimization_guide_prediction_model_downloads",
];

/// The tabs that were open, in a profile's folder.
const TABS: [&str; 2] = ["Sessions", "Sessions_Encrypted"];

/// What `LevelDB` writes beside its data: a lock, and what it did last.
const LEVELDB: [&str; 3] = ["LOCK", "LOG", "LOG.old"];

/// What Chromium writes in a run in which nothing is done, at the top and in a profile's folder: counts, times, caches of what it has
/// elsewhere, and what it learns of what the history has as well. Cookies and sessionStorage are among them, as what they hold is
/// compared by value; preferences too, for nearly all that changes in them is of this kind.
const OWN_TOP: [&str; 3] = ["Last Version", "Local State", "Variations"];
const OWN: [&str; 24] = [
    "Affiliation Database",
    "AutofillStrikeDatabase",
    "BookmarkMergedSurfaceOrdering",
    "BrowsingTopicsSiteData",
    "BrowsingTopicsState",
    "BudgetDatabase",
    "Cookies",
    "DIPS",
    "Feature Engagement Tracker",
    "Network Action Predictor",
    "Network Persistent State",
    "PersistentOriginTrials",
    "PreferredApps",
    "Preferences",
    "Reporting and NEL",
    "SCT Auditing Pending Reports",
    "Secure Preferences",
    "Session Storage",
    "Shortcuts",
    "Top Sites",
    "chrome_cart_db",
    "commerce_subscription_db",
    "heavy_ad_intervention_opt_out.db",
    "shared_proto_db",
];
/// What SQLite has beside a database, by the end of the name.
const BESIDE_DATABASE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Whether the file at `path` is one that Chromium writes in every run by itself.
pub(super) fn is_browsers_own(path: &Path) -> bool {
    let mut names = path.iter().map(OsStr::to_string_lossy);
    match (names.next(), names.next()) {
        (Some(top), None) => OWN_TOP.contains(&&*top),
        (Some(top), Some(name)) => {
            let name = BESIDE_DATABASE.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            is_profile_folder(&top) && OWN.contains(&name)
        }
        _ => false,
    }
}

/// Whether the entry at `path`, relative to the user-data directory, is left out. `beside` are the names in its folder.
pub(super) fn is_left_out(path: &Path, beside: &[impl AsRef<OsStr>], tabs: bool) -> bool {
    let (Some(name), Some(depth)) = (path.file_name(), depth(path)) else { return true };
    let text = name.to_string_lossy();
    let named = |list: &[&str]| list.contains(&&*text);
    match depth {
        0 => is_cache(&text) || named(&TOP) || is_lock(&text) || text.starts_with("BrowserMetrics"),
        1 if is_profile(path) => is_cache(&text) || named(&PROFILE) || named(&LEVELDB) || (!tabs && named(&TABS)),
        _ => named(&LEVELDB) && is_leveldb(beside),
    }
}

/// Whether a name at the top says that a browser has the directory, or had it and was killed.
pub(super) fn is_lock(name: &str) -> bool {
    name.starts_with("Singleton")
}

/// Whether a name at the top is that of a profile's folder.
pub(super) fn is_profile_folder(name: &str) -> bool {
    matches!(name, "Default" | "Guest Profile" | "System Profile") || name.starts_with("Profile ")
}

fn is_cache(name: &str) -> bool {
    CACHES.contains(&name) || (name.ends_with("Cache") && (name.starts_with("Dawn") || name.starts_with("Graphite")))
}

fn is_profile(path: &Path) -> bool {
    path.iter().next().is_some_and(|top| is_profile_folder(&top.to_string_lossy()))
}

/// Whether these names are those of a `LevelDB`, or of one that holds nothing yet.
fn is_leveldb(names: &[impl AsRef<OsStr>]) -> bool {
    let mut names = names.iter().map(AsRef::as_ref);
    names.clone().any(|name| name == "CURRENT") || names.all(|name| LEVELDB.iter().any(|known| name == *known))
}

/// How many folders of the directory it lies in; none where the path leads elsewhere.
fn depth(path: &Path) -> Option<usize> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| path.components().count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(path: &str, beside: &[&str]) -> bool {
        is_left_out(Path::new(path), beside, false)
    }

    #[test]
    fn what_chromium_makes_anew_is_left_out_where_it_stands_and_only_there() {
        for path in [
            "ShaderCache",
            "GrShaderCache",
            "GraphiteDawnCache",
            "DawnWebGPUCache",
            "GPUPersistentCache",
            "component_crx_cache",
            "Safe Browsing",
            "Crashpad",
            "BrowserMetrics",
            "BrowserMetrics-spare.pma",
            "SingletonLock",
            "SingletonCookie",
            "Default/Cache",
            "Default/Code Cache",
            "Default/GPUCache",
            "Profile 1/DawnGraphiteCache",
            "Default/Shared Dictionary",
            "Default/Site Characteristics Database",
            "Profile 12/Sessions",
            "Default/Sessions_Encrypted",
            "Default/LOCK",
            "Default/LOG",
        ] {
            assert!(left_out(path, &[]), "{path}");
        }
        for path in [
            "Local State",
            "Last Version",
            "Default",
            "Profile 1",
            "Default/Cookies",
            "Default/Login Data",
            "Default/Service Worker/CacheStorage",
            "Default/Service Worker/ScriptCache",
            "Default/File System/000/t/00/Cache",
            "Default/Extensions/abc/1.0/Code Cache",
            "Default/Extensions/abc/1.0/Sessions",
            "Something new",
            "Default/Something new",
            "Profiles/Cache",
        ] {
            assert!(!left_out(path, &["manifest.json"]), "{path}");
        }
    }

    #[test]
    fn locks_are_those_of_a_leveldb_and_nobody_elses() {
        let database = ["000003.log", "CURRENT", "LOCK", "LOG", "LOG.old", "MANIFEST-000001"];
        for name in ["LOCK", "LOG", "LOG.old"] {
            assert!(left_out(&format!("Default/Local Storage/leveldb/{name}"), &database), "{name}");
            assert!(left_out(&format!("Default/BudgetDatabase/{name}"), &["LOCK", "LOG"]), "{name}");
            assert!(!left_out(&format!("Default/Extensions/abc/1.0/{name}"), &["LOG", "manifest.json"]), "{name}");
        }
        for name in ["000003.log", "CURRENT", "MANIFEST-000001"] {
            assert!(!left_out(&format!("Default/Local Storage/leveldb/{name}"), &database), "{name}");
        }
    }

    #[test]
    fn what_a_person_or_a_site_did_is_in_no_file_of_the_browsers_own() {
        for path in
            ["Local State", "Default/Preferences", "Default/shared_proto_db/000003.log", "Profile 1/Cookies-journal"]
        {
            assert!(is_browsers_own(Path::new(path)), "{path}");
        }
        for path in [
            "Default/Bookmarks",
            "Default/History",
            "Default/Login Data",
            "Default/Local Storage/leveldb/000003.log",
            "Default/IndexedDB/http_a_0.indexeddb.leveldb/000003.log",
            "Default/Extensions/Preferences",
            "Preferences",
            "Other/Cookies",
        ] {
            assert!(!is_browsers_own(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn tabs_are_kept_where_they_are_asked_for() {
        let kept = |path: &str| !is_left_out(Path::new(path), &[""; 0], true);
        assert!(kept("Default/Sessions") && kept("Profile 2/Sessions_Encrypted") && !kept("Default/Cache"));
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_left_out() {
        for path in ["..", "../x", "/etc/passwd", "Default/../x", ""] {
            assert!(left_out(path, &[]), "{path}");
        }
    }
}
