//! Tests of the policy by itself; those of what is connected are in `tests/egress`.

use super::*;

fn policy(allow: &[&str], deny: &[&str], allow_private: bool) -> Policy {
    let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    Policy::new(&PolicyOptions { allow_hosts: list(allow), deny_hosts: list(deny), allow_private }).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// What the refusal says; empty where there is none.
fn said(answer: Result<(), Refusal>) -> String {
    answer.err().map(|refusal| refusal.to_string()).unwrap_or_default()
}

#[test]
fn addresses_in_any_spelling_are_refused() {
    let policy = Policy::default();
    let spellings =
        ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"];
    for host in spellings.into_iter().chain(["[::127.0.0.1]", "[64:ff9b::7f00:1]", "%31%32%37.0.0.1", "127.0.0.1."]) {
        for scheme in ["http", "https", "ws", "wss"] {
            let refusal = policy.check_url(&url(&format!("{scheme}://{host}/"))).unwrap_err();
            assert_eq!(refusal.why, Why::Address(AddressKind::Loopback), "{host}");
            assert_eq!(refusal.code(), "target_blocked");
        }
    }
    assert!(policy.check_url(&url("https://1.1.1.1/")).is_ok());
    // What a name leads to is told when it is dialled.
    assert!(policy.check_url(&url("https://localhost/")).is_ok());
}

#[test]
fn only_schemes_of_the_web_pass() {
    let policy = policy(&["*"], &[], true);
    for good in [
        "http://a.example",
        "wss://a.example",
        "data:text/html,x",
        "blob:https://a.example/1",
        "about:blank",
        "about:srcdoc",
    ] {
        assert!(policy.check_url(&url(good)).is_ok(), "{good}");
    }
    for bad in [
        "file:///etc/passwd",
        "ftp://a.example",
        "chrome://version",
        "view-source:https://a.example",
        "about:version",
        "javascript:1",
        "filesystem:https://a.example/x",
        "devtools://x",
        "chrome-extension://x/",
        "mailto:a@b",
    ] {
        let refusal = policy.check_url(&url(bad)).unwrap_err();
        assert!(matches!(refusal.why, Why::Scheme(_)), "{bad}");
        assert_eq!(refusal.flag, None);
    }
    for bad in ["ws://a.example", "data:,x", "about:blank"] {
        assert!(policy.check_http_url(&url(bad)).is_err(), "{bad}");
    }
    let shown = said(policy.check_url(&url("file:///etc/passwd")));
    assert_eq!(shown, "`file:` is refused: only http, https, ws and wss lead out of here");
}

#[test]
fn a_refusal_names_the_flag_that_would_allow_it() {
    let check = |host: &str, wanted: &str| assert_eq!(said(Policy::default().check_url(&url(host))), wanted);
    check(
        "http://10.0.0.5/",
        "10.0.0.5:80 is refused: it is a private address; start with `--allow-host 10.0.0.5:80` or `--allow-private` to allow it",
    );
    check(
        "http://[fd00::1]:8080/",
        "[fd00::1]:8080 is refused: it is a private address; start with `--allow-host [fd00::1]:8080` or `--allow-private` to allow it",
    );
    check(
        "http://169.254.169.254/latest",
        "169.254.169.254:80 is refused: it is the address of a cloud's metadata service; start with `--allow-host 169.254.169.254:80` \
         to allow it",
    );
    let denying = policy(&[], &["*.evil.example"], false);
    assert_eq!(
        said(denying.check_url(&url("https://a.evil.example/"))),
        "a.evil.example:443 is refused by `--deny-host *.evil.example`"
    );
}

#[test]
fn the_flag_that_is_named_does_allow_it() {
    for address in [
        "http://10.0.0.5/",
        "http://[fd00::1]:8080/",
        "http://169.254.169.254/",
        "http://[2002:7f00:1::]/",
        "http://[::1]/",
    ] {
        let refusal = Policy::default().check_url(&url(address)).unwrap_err();
        for flag in refusal.flag.unwrap().split(" or ") {
            let policy = match flag.strip_prefix("--allow-host ") {
                Some(pattern) => policy(&[pattern], &[], false),
                None => policy(&[], &[], true),
            };
            assert_eq!(policy.check_url(&url(address)), Ok(()), "{flag}");
        }
    }
}

#[test]
fn deny_wins_and_private_opens_no_metadata() {
    let check = |policy: &Policy, host: &str, wanted: bool| {
        assert_eq!(policy.check_url(&url(&format!("http://{host}/"))).is_ok(), wanted, "{host}");
    };
    let private = policy(&[], &["10.9.0.0/16"], true);
    for (host, wanted) in [
        ("10.0.0.1", true),
        ("127.0.0.1", true),
        ("[fd00::1]", true),
        ("169.254.0.1", true),
        ("100.64.0.1", true),
        ("10.9.0.1", false),
        ("[::ffff:10.9.0.1]", false),
        ("[64:ff9b::10.9.0.1]", false),
        ("169.254.169.254", false),
        ("[fd00:ec2::254]", false),
        ("0.0.0.0", false),
        ("224.0.0.1", false),
        ("192.0.2.1", false),
    ] {
        check(&private, host, wanted);
    }
    let both = policy(&["10.0.0.0/8"], &["10.0.0.5"], false);
    check(&both, "10.0.0.4", true);
    check(&both, "10.0.0.5", false);
    check(&policy(&["0.0.0.0/0"], &[], false), "169.254.169.254", true);
}

#[test]
fn a_name_that_is_allowed_leads_anywhere_but_to_metadata() {
    let policy = policy(&["*.intranet.example:80"], &[], false);
    let check = |name: &str, port: u16, ip: &str, wanted: bool| {
        let target = Target::new(name, port).unwrap();
        let named = policy.check_name(&target).unwrap();
        assert_eq!(policy.check_address(&target, ip.parse().unwrap(), named).is_ok(), wanted, "{name}:{port} {ip}");
    };
    check("a.intranet.example", 80, "10.0.0.1", true);
    check("A.Intranet.Example.", 80, "127.0.0.1", true);
    check("a.intranet.example", 443, "10.0.0.1", false);
    check("b.example", 80, "10.0.0.1", false);
    check("b.example", 80, "1.1.1.1", true);
    check("a.intranet.example", 80, "169.254.169.254", false);
    let target = Target::new("b.example", 80).unwrap();
    let shown = said(policy.check_address(&target, "10.0.0.1".parse().unwrap(), false));
    assert!(shown.starts_with("b.example:80 is refused: its name leads to a private address"), "{shown}");
    assert!(!shown.contains("10.0.0.1"), "the address is nobody's business: {shown}");
}

#[test]
fn rhavens_own_ports_are_never_reached() {
    let policy = policy(&["127.0.0.1", "::1", "0.0.0.0", "*"], &[], true);
    let kept = policy.clone().keep_off("127.0.0.1:4000".parse().unwrap());
    for host in ["127.0.0.1", "127.9.9.9", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        let refusal = policy.check_url(&url(&format!("http://{host}:4000/"))).unwrap_err();
        assert_eq!((refusal.why, refusal.flag), (Why::Rhaven, None), "{host}");
    }
    assert!(policy.check_url(&url("http://127.0.0.1:4001/")).is_ok());
    drop(kept);
    assert!(policy.check_url(&url("http://127.0.0.1:4000/")).is_ok());
}

#[test]
fn an_upstream_proxy_is_not_asked_for_local_names() {
    let check = |policy: &Policy, name: &str, wanted: bool| {
        assert_eq!(policy.check_unresolved(&Target::new(name, 80).unwrap()).is_ok(), wanted, "{name}");
    };
    let default = Policy::default();
    for name in [
        "localhost",
        "a.localhost",
        "printer",
        "nas.local",
        "metadata.google.internal",
        "127.0.0.1",
        "2130706433",
        "[::1]",
    ] {
        check(&default, name, false);
        check(&default, name.trim_end_matches('.'), false);
    }
    for name in ["a.example", "a.example.", "1.1.1.1"] {
        check(&default, name, true);
    }
    check(&policy(&["nas.local"], &[], false), "nas.local", true);
    check(&policy(&[], &["a.example"], false), "a.example", false);
    check(&policy(&[], &[], true), "nas.local", true);
}
