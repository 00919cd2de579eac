//! Digests by which content that is kept already is recognised. Keyed, so that they say nothing to who has no key.

use std::fmt;

use zeroize::Zeroizing;

use super::DataKey;
use super::derive::{KEY_LEN, derive, mac};

/// What the key is derived for.
const CONTENT_KEY: &[u8] = b"rhaven 1 content key";

/// The key of the digests of one session's content. Zeroized when dropped.
pub struct ContentKey(Zeroizing<[u8; KEY_LEN]>);

impl ContentKey {
    /// HMAC-SHA256 of the content. Takes 1 to 5 ms for a mebibyte.
    pub fn digest(&self, content: &[u8]) -> [u8; KEY_LEN] {
        *mac(&self.0, &[content])
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey")
    }
}

impl DataKey {
    /// The key of digests of what is sealed under this one.
    pub fn content_key(&self) -> ContentKey {
        ContentKey(derive(self.secret(), &[CONTENT_KEY]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_keys_own() {
        let (key, other) = (DataKey::generate().unwrap(), DataKey::generate().unwrap());
        let again = DataKey::from_bytes(&key.to_bytes()).unwrap();
        assert_eq!(key.content_key().digest(b"x"), again.content_key().digest(b"x"));
        assert_ne!(key.content_key().digest(b"x"), key.content_key().digest(b"y"));
        assert_ne!(key.content_key().digest(b"x"), other.content_key().digest(b"x"));
        assert_eq!(format!("{:?}", key.content_key()), "ContentKey");
    }
}
