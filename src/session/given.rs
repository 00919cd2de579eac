//! Cookies that somebody gives by hand: what each needs, in words that say so before the browser is asked.

use serde_json::Value;
use url::Url;

use crate::base::closest;

use super::{Cookie, Session, SessionError, cookies};

/// The attributes that a cookie may have, and what they hold.
const ATTRIBUTES: [(&str, Holds); 16] = [
    ("name", Holds::Text),
    ("value", Holds::Text),
    ("url", Holds::Text),
    ("domain", Holds::Text),
    ("path", Holds::Text),
    ("expires", Holds::Number),
    ("httpOnly", Holds::Flag),
    ("secure", Holds::Flag),
    ("sameSite", Holds::OneOf(&["Strict", "Lax", "None"])),
    ("priority", Holds::OneOf(&["Low", "Medium", "High"])),
    ("sourceScheme", Holds::OneOf(&["Unset", "NonSecure", "Secure"])),
    ("sourcePort", Holds::Number),
    ("sameParty", Holds::Flag),
    ("partitionKey", Holds::Anything),
    ("size", Holds::Anything),
    ("session", Holds::Anything),
];

/// What an attribute holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Number,
    Flag,
    OneOf(&'static [&'static str]),
    Anything,
}

impl Holds {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Anything => true,
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Anything => "anything".to_owned(),
        }
    }
}

impl Session {
    /// Gives it cookies: each with a name, a value and a `url` or a `domain`. All are taken or, with [`SessionError::Cookie`], none.
    pub async fn add_cookies(&self, given: &[Cookie]) -> Result<(), SessionError> {
        let given = check_cookies(given)?;
        let write = async {
            match cookies::write(&self.0.room.context, &given).await {
                Err(crate::browser::BrowserError::Cdp { message, .. }) => {
                    Err(SessionError::Cookie(format!("the browser refuses the cookies: {message}")))
                }
                done => Ok(done.map(drop)?),
            }
        };
        self.unless_closed(write).await
    }

    /// Removes all its cookies.
    pub async fn clear_cookies(&self) -> Result<(), SessionError> {
        self.unless_closed(async { Ok(cookies::clear(&self.0.room.context).await.map(drop)?) }).await
    }
}

/// Cookies as the browser takes them; [`SessionError::Cookie`] names the first that cannot be, and never a value.
pub fn check_cookies(given: &[Cookie]) -> Result<Vec<Cookie>, SessionError> {
    let checked = given.iter().enumerate().map(|(at, cookie)| {
        check(cookie).map_err(|reason| {
            let name =
                cookie.get("name").and_then(Value::as_str).map(|name| format!(" ({name:?})")).unwrap_or_default();
            SessionError::Cookie(format!("cookie {}{name}: {reason}", at + 1))
        })
    });
    checked.collect()
}

fn check(given: &Cookie) -> Result<Cookie, String> {
    for (attribute, value) in given {
        let Some((_, holds)) = ATTRIBUTES.iter().find(|(known, _)| known == attribute) else {
            let meant = closest(attribute, ATTRIBUTES.iter().map(|(known, _)| *known));
            let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            return Err(format!("a cookie has no {attribute:?}{meant}"));
        };
        if !holds.takes(value) {
            return Err(format!("{attribute:?} has to be {}", holds.in_words()));
        }
    }
    let mut cookie = given.clone();
    for needed in ["name", "value"] {
        if !cookie.contains_key(needed) {
            return Err(format!("it needs a {needed:?}"));
        }
    }
    place(&mut cookie)?;
    if cookies::expiry(&cookie).is_some_and(|at| at < 0.0) {
        cookie.remove("expires");
    }
    for derived in ["size", "session"] {
        cookie.remove(derived);
    }
    Ok(cookie)
}

/// Where it goes to: its own domain and path, or those of a URL.
fn place(cookie: &mut Cookie) -> Result<(), String> {
    let Some(url) = cookie.remove("url") else {
        let domain = cookie.get("domain").and_then(Value::as_str).unwrap_or_default();
        if domain.trim_matches('.').is_empty() {
            return Err("it has neither a url nor a domain: add url: \"https://example.com\"".to_owned());
        }
        if domain.contains(['/', ':']) && !domain.starts_with('[') {
            return Err(format!("{domain:?} is not a domain: give the address as its url"));
        }
        cookie.entry("path").or_insert_with(|| "/".into());
        return Ok(());
    };
    if cookie.contains_key("domain") {
        return Err("it has both a url and a domain: one of them says where it goes to".to_owned());
    }
    let url: Url = url.as_str().unwrap_or_default().parse().map_err(|error| format!("its url is none: {error}"))?;
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
    let host = host.ok_or_else(|| "its url has to begin with http:// or https://".to_owned())?;
    cookie.insert("domain".into(), host.into());
    let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    cookie.entry("path").or_insert_with(|| format!("{folder}/").into());
    cookie.entry("secure").or_insert_with(|| (url.scheme() == "https").into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cookie(given: &Value) -> Result<Value, String> {
        check_cookies(&[given.as_object().unwrap().clone()])
            .map(|mut checked| checked.remove(0).into())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_says_where_a_cookie_goes_to() {
        let of = |url: &str| cookie(&json!({"name": "a", "value": "1", "url": url})).unwrap();
        let wanted = json!({"name": "a", "value": "1", "domain": "a.example", "path": "/x/", "secure": true});
        assert_eq!(of("https://a.example/x/y?z"), wanted);
        let wanted = json!({"name": "a", "value": "1", "domain": "127.0.0.1", "path": "/", "secure": false});
        assert_eq!(of("http://127.0.0.1:8080"), wanted);
    }

    #[test]
    fn what_the_browser_told_it_takes_back() {
        let told = json!({"name": "a", "value": "1", "domain": ".a.example", "path": "/", "expires": -1, "httpOnly": true,
            "secure": true, "session": true, "size": 2, "sameSite": "None", "priority": "Medium",
            "sourceScheme": "Secure", "sourcePort": 443});
        let taken = cookie(&told).unwrap();
        assert!(taken.get("expires").is_none() && taken.get("size").is_none(), "{taken}");
        assert_eq!((&taken["domain"], &taken["sourcePort"]), (&json!(".a.example"), &json!(443)));
    }

    #[test]
    fn what_no_browser_takes_is_named_without_its_value() {
        let check = |given: Value, wanted: &str| {
            let error = cookie(&given).unwrap_err();
            assert!(error.contains(wanted) && !error.contains("hunter22"), "{given}: {error}");
        };
        let v = "hunter22";
        check(json!({"name": "a", "value": v}), "cookie 1 (\"a\"): it has neither a url nor a domain: add url:");
        check(json!({"value": v, "domain": "a.example"}), "cookie 1: it needs a \"name\"");
        check(json!({"name": "a", "domain": "a.example"}), "it needs a \"value\"");
        check(json!({"name": "a", "value": v, "domian": "a.example"}), "did you mean \"domain\"?");
        check(json!({"name": "a", "value": v, "http_only": true, "domain": "a.example"}), "\"httpOnly\"?");
        check(json!({"name": "a", "value": 1, "domain": "a.example"}), "\"value\" has to be text");
        check(json!({"name": "a", "value": v, "sameSite": "lax", "domain": "a"}), "one of Strict, Lax, None");
        check(json!({"name": "a", "value": v, "url": "ftp://a.example"}), "http:// or https://");
        check(json!({"name": "a", "value": v, "url": "https://a.example", "domain": "b"}), "both a url and a domain");
        check(json!({"name": "a", "value": v, "domain": "https://a.example"}), "is not a domain");
    }
}
