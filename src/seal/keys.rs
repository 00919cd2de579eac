//! Root key -> tenant key -> data key (`spec: sessions, "The envelope"`).

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::base::Tenant;

use super::derive::{KEY_LEN, derive};
use super::{NameKey, SealError, Sealed};

/// Bytes of a [`KeyId`].
pub(super) const KEY_ID_LEN: usize = 16;

// What each derived value is for. A purpose is never reused: that is what keeps the values independent.
const ROOT_ID: &[u8] = b"rhaven 1 root key id";
const TENANT_KEY: &[u8] = b"rhaven 1 tenant key";
const STORE_KEY: &[u8] = b"rhaven 1 store key";
const NAME_KEY: &[u8] = b"rhaven 1 name key";
const BUNDLE_KEY: &[u8] = b"rhaven 1 bundle key";
const PROOF_KEY: &[u8] = b"rhaven 1 proof key";

/// Names a key inside sealed headers; says nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; KEY_ID_LEN]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The key at the root of everything: 32 bytes that the user keeps. Zeroized when dropped.
pub struct RootKey {
    bytes: Box<Zeroizing<[u8; KEY_LEN]>>,
    id: KeyId,
}

impl RootKey {
    pub(super) fn new(bytes: Box<Zeroizing<[u8; KEY_LEN]>>) -> Self {
        let derived = derive(&bytes, &[ROOT_ID]);
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&derived[..KEY_ID_LEN]);
        Self { bytes, id: KeyId(id) }
    }

    /// A fresh random one.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_LEN]));
        fill_random(&mut **bytes)?;
        Ok(Self::new(bytes))
    }

    /// Reads base64 (either alphabet, padded or not) or hex, surrounding whitespace ignored.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim().as_bytes();
        for encoding in [HEXLOWER_PERMISSIVE, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD] {
            let Ok(decoded) = encoding.decode(text).map(Zeroizing::new) else { continue };
            if decoded.len() == KEY_LEN {
                let mut bytes = Box::new(Zeroizing::new([0; KEY_LEN]));
                bytes.copy_from_slice(&decoded);
                return Ok(Self::new(bytes));
            }
        }
        Err(SealError::KeyText)
    }

    /// As base64, for the key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(&**self.bytes))
    }

    /// Its id: derived from the key, so that the same key has the same id wherever it is given.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key of a bundle, where this root key is made of the bundle's passphrase.
    pub fn bundle_key(&self) -> DataKey {
        self.below(&[BUNDLE_KEY])
    }

    /// A key of the tier below, which carries this key's id: it is found by it, and there is nothing else to name.
    fn below(&self, info: &[&[u8]]) -> DataKey {
        DataKey { id: self.id, bytes: Arc::new(derive(&self.bytes, info)) }
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id)
    }
}

/// The root keys at hand: one that seals, older ones that only open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: Arc<RootKey>,
    old: Arc<[RootKey]>,
}

impl KeyRing {
    /// `current` seals and opens, `old` only open.
    pub fn new(current: RootKey, old: Vec<RootKey>) -> Self {
        Self { current: Arc::new(current), old: old.into() }
    }

    /// Reads one key or several, with white space between them: the first seals, the others only open.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let mut keys = text.split_whitespace().map(RootKey::parse).collect::<Result<Vec<_>, _>>()?.into_iter();
        let current = keys.next().ok_or(SealError::KeyText)?;
        Ok(Self::new(current, keys.collect()))
    }

    /// The ids of all its keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        std::iter::once(&*self.current).chain(self.old.iter()).map(RootKey::id)
    }

    /// Whether a key is among them.
    pub fn knows(&self, id: KeyId) -> bool {
        self.ids().any(|known| known == id)
    }

    /// The id of the key that seals.
    pub fn current_id(&self) -> KeyId {
        self.current.id
    }

    /// The tenant's key (HKDF of the current root key), as a key for documents, holders and records.
    pub fn tenant_key(&self, tenant: &Tenant) -> DataKey {
        self.current.below(&[TENANT_KEY, tenant.as_str().as_bytes()])
    }

    /// The tenant's key under the root key that `sealed` names, to open what an older root key sealed.
    pub fn tenant_key_for(&self, tenant: &Tenant, sealed: &Sealed) -> Result<DataKey, SealError> {
        Ok(self.root(sealed.header()?.key_id)?.below(&[TENANT_KEY, tenant.as_str().as_bytes()]))
    }

    /// The key of the store-wide check document, by the root key that `sealed` names; the current one where none.
    pub fn store_key(&self, sealed: Option<&Sealed>) -> Result<DataKey, SealError> {
        let root = sealed.map_or(Ok(&*self.current), |sealed| self.root(sealed.header()?.key_id))?;
        Ok(root.below(&[STORE_KEY]))
    }

    /// The key by which those who share a store prove to each other that they do, below the root key of that id; none where it is not
    /// among these.
    pub fn proof_key(&self, id: KeyId) -> Option<DataKey> {
        self.root(id).ok().map(|root| root.below(&[PROOF_KEY]))
    }

    fn root(&self, id: KeyId) -> Result<&RootKey, SealError> {
        let mut all = std::iter::once(&*self.current).chain(self.old.iter());
        all.find(|root| root.id == id).ok_or_else(|| SealError::UnknownKey {
            needed: id.to_string(),
            given: self.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// A symmetric key with an id. Sessions have a random one each; tenant keys take the same form. Clones share the bytes,
/// which are zeroized with the last of them.
#[derive(Clone)]
pub struct DataKey {
    id: KeyId,
    bytes: Arc<Zeroizing<[u8; KEY_LEN]>>,
}

impl DataKey {
    /// Bytes of [`Self::to_bytes`].
    const STORED_LEN: usize = KEY_ID_LEN + KEY_LEN;

    /// A fresh random one under a fresh random id.
    pub fn generate() -> Result<Self, SealError> {
        let mut stored = Zeroizing::new([0; Self::STORED_LEN]);
        fill_random(&mut *stored)?;
        Self::from_bytes(&*stored)
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Its id and bytes, to be sealed inside a record and nowhere else.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut stored = Zeroizing::new(Vec::with_capacity(Self::STORED_LEN));
        stored.extend_from_slice(&self.id.0);
        stored.extend_from_slice(&**self.bytes);
        stored
    }

    /// The inverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() != Self::STORED_LEN {
            return Err(SealError::KeyBytes { wanted: Self::STORED_LEN, found: bytes.len() });
        }
        let (mut id, mut key) = ([0; KEY_ID_LEN], Zeroizing::new([0; KEY_LEN]));
        id.copy_from_slice(&bytes[..KEY_ID_LEN]);
        key.copy_from_slice(&bytes[KEY_ID_LEN..]);
        Ok(Self { id: KeyId(id), bytes: Arc::new(key) })
    }

    /// The name key made from these bytes.
    pub fn name_key(&self) -> NameKey {
        NameKey::new(derive(&self.bytes, &[NAME_KEY]))
    }

    pub(super) fn secret(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

/// Random bytes of the system.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), SealError> {
    getrandom::fill(bytes).map_err(|_| SealError::Random)
}

#[cfg(test)]
mod tests {
    use super::super::NameTag;
    use super::super::{Context, seal};
    use super::*;

    #[test]
    fn a_root_key_reads_in_every_usual_form() {
        let key = RootKey::generate().unwrap();
        let check = |text: &str| assert_eq!(*RootKey::parse(text).unwrap().bytes, *key.bytes, "{text}");
        check(&key.to_text());
        check(&format!("  {}\n", *key.to_text()));
        check(&HEXLOWER.encode(&**key.bytes));
        check(&HEXLOWER.encode(&**key.bytes).to_uppercase());
        check(&BASE64URL_NOPAD.encode(&**key.bytes));
        for bad in ["", "swordfish", &"a".repeat(63), &"a".repeat(65), &"\u{e1}".repeat(32)] {
            assert_eq!(RootKey::parse(bad).unwrap_err().code(), "invalid_key", "{bad}");
        }
    }

    #[test]
    fn keys_never_show_themselves() {
        let root = RootKey::generate().unwrap();
        let data = DataKey::generate().unwrap();
        assert_eq!(format!("{root:?} {data:?}"), format!("RootKey({}) DataKey({})", root.id(), data.id()));
    }

    #[test]
    fn what_an_old_root_key_sealed_is_found_by_its_id() {
        let text = RootKey::generate().unwrap().to_text();
        let tenant = Tenant::default();
        let before = KeyRing::new(RootKey::parse(&text).unwrap(), Vec::new());
        let context = Context::Document { tenant: &tenant, kind: "secret", name: &NameTag([7; 32]) };
        let sealed = seal(&before.tenant_key(&tenant), context, b"x").unwrap();

        let rotated = KeyRing::new(RootKey::generate().unwrap(), vec![RootKey::parse(&text).unwrap()]);
        let key = rotated.tenant_key_for(&tenant, &sealed).unwrap();
        assert_eq!(*super::super::open(&key, context, &sealed).unwrap(), b"x");
        assert_ne!(rotated.tenant_key(&tenant).id(), key.id());

        let stranger = KeyRing::new(RootKey::generate().unwrap(), Vec::new());
        let refused = stranger.tenant_key_for(&tenant, &sealed).unwrap_err();
        assert_eq!(refused.code(), "wrong_key");
        assert!(refused.to_string().contains(&before.current_id().to_string()), "{refused}");
        assert!(refused.to_string().contains(&stranger.current_id().to_string()), "{refused}");
    }

    #[test]
    fn of_several_keys_the_first_seals() {
        let [a, b] = [(); 2].map(|()| RootKey::generate().unwrap());
        let ring = KeyRing::parse(&format!("\n{}\n {}\n", *a.to_text(), *b.to_text())).unwrap();
        assert_eq!(ring.current_id(), a.id());
        assert_eq!(ring.ids().collect::<Vec<_>>(), [a.id(), b.id()]);
        assert!(ring.knows(b.id()) && !ring.knows(KeyId([0; 16])));
        for bad in ["", " \n", &format!("{} swordfish", *a.to_text())] {
            assert_eq!(KeyRing::parse(bad).unwrap_err().code(), "invalid_key", "{bad}");
        }
    }

    #[test]
    fn tenants_and_the_store_have_different_keys() {
        let ring = KeyRing::new(RootKey::generate().unwrap(), Vec::new());
        let a = ring.tenant_key(&Tenant::new("a").unwrap());
        let b = ring.tenant_key(&Tenant::new("b").unwrap());
        let store = ring.store_key(None).unwrap();
        let proof = ring.proof_key(ring.current_id()).unwrap();
        let keys = [&a, &b, &store, &proof].map(DataKey::secret);
        assert!((0..keys.len()).all(|at| !keys[..at].contains(&keys[at])));
        assert!(ring.proof_key(KeyId([0; 16])).is_none());
    }

    #[test]
    fn a_data_key_survives_its_bytes() {
        let key = DataKey::generate().unwrap();
        let again = DataKey::from_bytes(&key.to_bytes()).unwrap();
        assert_eq!((again.id(), again.secret()), (key.id(), key.secret()));
        assert_eq!(DataKey::from_bytes(b"short").unwrap_err().code(), "decrypt_failed");
    }
}
