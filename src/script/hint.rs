//! The way out for each code, where the error itself does not know a better one.

/// What to do about an error with this code.
pub fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "timeout" => "a longer time is #{ timeout: \"60s\" } or set_default_timeout(..)",
        "nobody_to_ask" => {
            "run it by `rhaven serve` (POST /v1/jobs, or POST /v1/run with Accept: text/event-stream), or by `rhaven run` in a terminal"
        }
        "human_timeout" => {
            "somebody has to open the address that the event `pause` told, in time; #{ timeout: \"30m\" } waits longer"
        }
        "live_ended" => "the browser ended, or its last page was closed, while a person was asked; run again",
        "live_elsewhere" => "send the run to the server that is named, or end the live browser: DELETE /v0/vm/ID",
        "strict_violation" => "use one of the unique selectors listed, or \"SELECTOR >> nth=0\" for the first match",
        "invalid_selector" => {
            "CSS by default; text=, role=, label=, placeholder=, testid=, xpath=, nth= and >> chains; quote what has spaces or brackets"
        }
        "not_actionable" => "is the selector the right one? #{ force: true } skips the checks",
        "navigation_failed" => "is the address right, and can this machine reach it?",
        "login_failed" => "are the credentials right? the page may say more; screenshot() shows it",
        "javascript_error" => "the JavaScript ran in the page and threw; try it in a browser's console",
        "extract_failed" => {
            "make the field optional, give it a default, or wait for what it reads; a list that may be empty: [#{ selector: \"..\", optional: true, .. }]"
        }
        "page_closed" => "the page was closed by the site or the script; open it again with goto(..)",
        "page_crashed" => "the page's process crashed, often for want of memory; goto(..) starts it anew",
        "browser_not_installed" => "rhaven browser install",
        "browser_launch_failed" => "rhaven doctor checks the browser and what it needs",
        "browser_gone" => "the browser ended while the script ran, often for want of memory; run again",
        "session_busy" => "wait for the other run, or open it with session(id, #{ mode: \"wait\" })",
        "auth_required" => {
            "sign in and run again, or have it done: session(id, #{ check: .., login: |s| { .. } }); `rhaven docs sessions` tells more"
        }
        "session_exists" => "another id; `rhaven session list` shows those that there are",
        "identity_not_found" => {
            "`rhaven identity list` shows those that there are; `rhaven identity set NAME ..` keeps one"
        }
        "version_not_found" => "`rhaven session history ID` shows the versions that are kept",
        "session_read_only" => "leave mode: \"read_only\" out to save what changes",
        "lease_lost" => "another run took the session over while this one stood still; run again",
        "conflict" => "another run saved the session meanwhile; run again",
        "wrong_key" => {
            "give the key that the store was made with (RHAVEN_KEY, RHAVEN_KEY_FILE or the passphrase), or use another store"
        }
        "invalid_key" => "a key is 32 bytes in base64 or hex",
        "key_in_use" => {
            "rhaven key rotate seals everything under the newest key; rhaven key list shows what refers to each"
        }
        "key_unavailable" => {
            "give a key with RHAVEN_KEY or RHAVEN_KEY_FILE, or make the key file readable to this user; `rhaven docs keys`"
        }
        "decrypt_failed" => {
            "what is stored was altered or damaged; nothing was overwritten; rhaven session delete starts the session anew"
        }
        "store_corrupt" => "restore the store from a backup, or use another with RHAVEN_HOME; nothing was overwritten",
        "store_unavailable" => {
            "is the disk full or read-only, the folder another user's, or the server away? `rhaven doctor` tries the store"
        }
        "store_layout" => "this store was written by a later rhaven: update, or use another store",
        "secret_not_set" => {
            "set RHAVEN_SECRET_NAME in the environment, pass --secrets-file or --secret NAME=.., or keep it: rhaven secret set NAME"
        }
        "secret_exposed" => "hand the secret itself to a verb; join text to it with +",
        "env_not_allowed" => "--allow-env NAME opens a variable to the script; args hold what --arg gives",
        "run_timeout" => "--timeout gives a run more time",
        "limit_exceeded" => "does a loop not end, or a list grow without bound?",
        "module_not_found" => "imports are \"std/NAME\" or paths below the script's folder",
        "watch_limit" => "raise fs.inotify.max_user_watches (sysctl), or end another program that watches files",
        "path_refused" => "give a plain relative path such as \"shots/page.png\"",
        _ => return None,
    })
}
