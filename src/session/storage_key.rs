//! Chromium's storage keys: what one says of where its documents are, and which documents use it.
//!
//! `https://a.example/` is that of documents of this origin in a tab of their own and below documents of their own site.
//! `https://a.example/^0https://b.example` is that of the same origin below documents of the site b.example, and
//! `https://a.example/^31` that of documents below their own site with another one in between. Further ones belong to one
//! document alone and cannot be met again.

use super::tabs::origin_of;

/// Between documents of one site where their key has to be that of frames with another site above them. Never asked for.
const STRANGER: &str = "rhaven.invalid";

/// Where a document with some storage key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a tab of its own.
    Tab,
    /// In a frame below documents of this site.
    Below(String),
    /// In a frame below another site's document that is below its own.
    Between,
    /// Never again anywhere, and why.
    Nowhere(&'static str),
}

/// Where a document is that is being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    /// In a tab of its own.
    InTab,
    /// In a frame of a tab that is at this origin.
    Below(String),
    /// Not known.
    Unknown,
}

/// The origin in a storage key, with a slash at its end.
pub(super) fn origin(key: &str) -> &str {
    key.split('^').next().unwrap_or(key)
}

/// Where documents with this storage key stand.
pub(super) fn place(key: &str) -> Place {
    let Some((_, rest)) = key.split_once('^') else { return Place::Tab };
    match rest.strip_prefix('0') {
        Some(site) if !site.contains('^') && origin_of(site).is_some() => Place::Below(site.to_owned()),
        _ if rest == "31" => Place::Between,
        _ if rest.starts_with('1') => {
            Place::Nowhere("it belongs to one document that has no name (credentialless or fenced)")
        }
        _ => {
            Place::Nowhere("it belongs to a frame below a document without an origin, which no later one can be below")
        }
    }
}

/// The documents in which one with this storage key stands, from the tab's own to the one before the last. None for a tab of
/// its own, and where there is no such place.
pub(super) fn above(key: &str) -> Vec<String> {
    match place(key) {
        Place::Below(site) => vec![format!("{site}/")],
        Place::Between => {
            let scheme = key.split(':').next().unwrap_or("https");
            vec![origin(key).to_owned(), format!("{scheme}://{STRANGER}/")]
        }
        Place::Tab | Place::Nowhere(_) => Vec::new(),
    }
}

/// Whether a document of `origin` that is asked for there may use `key`. Rather too often than once too little.
pub(super) fn may_use(key: &str, document: &str, position: &Position) -> bool {
    if origin(key) != document {
        return false;
    }
    match (place(key), position) {
        (Place::Nowhere(_), _) => false,
        (_, Position::Unknown) | (Place::Tab, Position::InTab) => true,
        (_, Position::InTab) => false,
        (Place::Tab | Place::Between, Position::Below(top)) => may_be_one_site(document, top),
        (Place::Below(site), Position::Below(top)) => is_of_site(top, &site),
    }
}

/// Whether an origin belongs to a site.
pub(super) fn is_of_site(origin: &str, site: &str) -> bool {
    let (Some((scheme, host)), Some((site_scheme, site_host))) = (host(origin), host(site)) else { return false };
    let below = host.strip_suffix(&*site_host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    scheme == site_scheme && below
}

/// Whether two origins may belong to one site. Which part of a name is a site's own only a list tells; two labels at least are.
pub(super) fn may_be_one_site(one: &str, other: &str) -> bool {
    let (Some((scheme, one)), Some((other_scheme, other))) = (host(one), host(other)) else { return false };
    let last = |host: &str| host.rsplitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
    scheme == other_scheme && (one == other || !is_address(&one) && last(&one) == last(&other))
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn host(url: &str) -> Option<(String, String)> {
    let url = url::Url::parse(url).ok()?;
    Some((url.scheme().to_owned(), url.host_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://pay.shop.example/";

    fn below(top: &str) -> Position {
        Position::Below(top.to_owned())
    }

    #[test]
    fn a_key_says_where_its_documents_are() {
        assert_eq!(place(OWN), Place::Tab);
        let key = format!("{OWN}^0https://news.example");
        assert_eq!((origin(&key), place(&key)), (OWN, Place::Below("https://news.example".into())));
        assert_eq!(above(&key), ["https://news.example/"]);
        let between = format!("{OWN}^31");
        assert_eq!(above(&between), [OWN, "https://rhaven.invalid/"]);
        for gone in ["^11^22", "^41^52^6", "^0data:x", "^0https://a.example^31"] {
            let key = format!("{OWN}{gone}");
            assert!(matches!(place(&key), Place::Nowhere(_)) && above(&key).is_empty(), "{gone}");
        }
    }

    #[test]
    fn a_document_may_use_the_keys_of_its_place() {
        let (news, between) = (format!("{OWN}^0https://news.example"), format!("{OWN}^31"));
        assert!(may_use(OWN, OWN, &Position::InTab) && !may_use(&news, OWN, &Position::InTab));
        assert!(may_use(&news, OWN, &below("https://www.news.example:8443/")));
        assert!(!may_use(&news, OWN, &below("https://other.example/")));
        assert!(!may_use(&news, OWN, &below("http://news.example/")));
        assert!(!may_use(&news, OWN, &below("https://oldnews.example/")));
        // Below its own site it may be the one or the other.
        let shop = below("https://www.shop.example/");
        assert!(may_use(OWN, OWN, &shop) && may_use(&between, OWN, &shop) && !may_use(&news, OWN, &shop));
        assert!(!may_use(OWN, OWN, &below("https://news.example/")));
        for key in [OWN, &news, &between] {
            assert!(
                may_use(key, OWN, &Position::Unknown) && !may_use(key, "https://shop.example/", &Position::Unknown)
            );
        }
    }

    #[test]
    fn sites_are_told_apart_without_a_list() {
        assert!(may_be_one_site("http://127.0.0.1:1/", "http://127.0.0.1:2/"));
        assert!(!may_be_one_site("http://127.0.0.1/", "http://1.0.0.1/"));
        assert!(!may_be_one_site("http://127.0.0.1/", "http://localhost/"));
        assert!(may_be_one_site("https://a.example.org/", "https://example.org/"));
    }
}
