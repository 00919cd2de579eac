//! What lets people and clients into a live browser: a token says what it opens, until when, and whose the browser is, proven by a
//! key that stands in the browser's sealed record. Nothing is kept of a token, and every server of the store can tell a good one.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base::Tenant;

/// How long one lets somebody in at most: whoever is in stays.
pub(super) const GOOD_FOR: Duration = Duration::from_hours(24);
/// A longer text is no token: nothing is computed from it.
const LONGEST: usize = 512;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    /// Looking on.
    View,
    /// Steering.
    Control,
    /// Roles, timeouts, other people.
    Admin,
    /// The browser's DevTools protocol.
    DevTools,
    /// What was downloaded in it.
    Files,
}

impl Opens {
    const ALL: [Self; 5] = [Self::View, Self::Control, Self::Admin, Self::DevTools, Self::Files];

    fn letter(self) -> char {
        match self {
            Self::View => 'v',
            Self::Control => 'c',
            Self::Admin => 'a',
            Self::DevTools => 'd',
            Self::Files => 'f',
        }
    }
}

/// A token's parts, not proven.
pub(super) struct Token<'a> {
    pub(super) opens: Opens,
    pub(super) tenant: Tenant,
    expires: i64,
    /// What tells it from others for the same.
    pub(super) link: &'a str,
    signature: &'a str,
}

/// A new key of a live browser.
pub(super) fn new_key() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    // Without randomness nothing could be sealed either, and there would be no browser.
    let _ = getrandom::fill(&mut *bytes);
    Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes))
}

/// A token for the live browser `id` with that key, good for `span`.
pub(super) fn token(key: &str, tenant: &Tenant, id: &str, opens: Opens, span: Duration) -> String {
    until(key, tenant, id, opens, (jiff::Timestamp::now() + span).as_second())
}

fn until(key: &str, tenant: &Tenant, id: &str, opens: Opens, expires: i64) -> String {
    let mut link = [0; 8];
    // Without randomness it is one with others of its second.
    let _ = getrandom::fill(&mut link);
    let link = BASE64URL_NOPAD.encode(&link);
    let signature = BASE64URL_NOPAD.encode(&sign(key, tenant, id, &head(opens, expires, &link)));
    let tenant = BASE64URL_NOPAD.encode(tenant.as_str().as_bytes());
    format!("{}.{tenant}.{signature}", head(opens, expires, &link))
}

/// What a token says but for whose it is.
fn head(opens: Opens, expires: i64, link: &str) -> String {
    format!("{}{expires}-{link}", opens.letter())
}

/// Reads a token; none where it is not one, or has run out.
pub(super) fn read(text: &str) -> Option<Token<'_>> {
    if text.len() > LONGEST {
        return None;
    }
    let (head, rest) = text.split_once('.')?;
    let (tenant, signature) = rest.split_once('.')?;
    let letter = head.chars().next()?;
    let opens = Opens::ALL.into_iter().find(|opens| opens.letter() == letter)?;
    let (expires, link) = head.get(letter.len_utf8()..)?.split_once('-')?;
    let expires: i64 = expires.parse().ok()?;
    let tenant = String::from_utf8(BASE64URL_NOPAD.decode(tenant.as_bytes()).ok()?).ok()?;
    let tenant = Tenant::new(tenant).ok()?;
    (expires > jiff::Timestamp::now().as_second()).then_some(Token { opens, tenant, expires, link, signature })
}

impl Token<'_> {
    /// Whether it is one of the live browser `id` with that key.
    pub(super) fn is_of(&self, key: &str, id: &str) -> bool {
        let Ok(given) = BASE64URL_NOPAD.decode(self.signature.as_bytes()) else { return false };
        let right = sign(key, &self.tenant, id, &head(self.opens, self.expires, self.link));
        !right.is_empty() && bool::from(right.ct_eq(&given))
    }
}

fn sign(key: &str, tenant: &Tenant, id: &str, head: &str) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return Vec::new() };
    for part in [tenant.as_str(), id, head] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_thing_of_one_browser() {
        let (key, other) = (new_key(), new_key());
        let tenant = Tenant::new("acme").unwrap();
        let text = token(&key, &tenant, "one", Opens::View, GOOD_FOR);
        let read_back = read(&text).unwrap();
        assert_eq!((read_back.opens, &read_back.tenant), (Opens::View, &tenant));
        assert!(read_back.is_of(&key, "one") && !read_back.is_of(&key, "two") && !read_back.is_of(&other, "one"));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
        // Each is one of its own, which nobody can make another of.
        let second = token(&key, &tenant, "one", Opens::View, GOOD_FOR);
        assert_ne!(read(&second).unwrap().link, read_back.link);
        let other_link = text.replacen(read_back.link, read(&second).unwrap().link, 1);
        assert!(!read(&other_link).unwrap().is_of(&key, "one"));
        // Another letter, time or tenant is another token.
        let raised = format!("c{}", &text[1..]);
        assert!(!read(&raised).unwrap().is_of(&key, "one"));
        let later = text.replacen(&text[1..2], "9", 1);
        assert!(read(&later).is_none_or(|token| !token.is_of(&key, "one")));
        // One that was good once.
        let now = jiff::Timestamp::now().as_second();
        assert!(read(&until(&key, &tenant, "one", Opens::Control, now)).is_none());
        assert!(read(&until(&key, &tenant, "one", Opens::Control, now + 60)).unwrap().is_of(&key, "one"));
        for bad in ["", ".", "v1.YQ.x", "x99999999999.YQ.x", "v99999999999.YQ", &"v".repeat(600)] {
            assert!(read(bad).is_none_or(|token| !token.is_of(&key, "one")), "{bad}");
        }
    }
}
