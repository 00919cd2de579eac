//! A root key from a passphrase: Argon2id, with salt and cost that are kept in the store and are no secret.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::derive::KEY_LEN;
use super::keys::{KEY_ID_LEN, fill_random};
use super::{Context, DataKey, RootKey, SealError, Sealed, open, seal};

/// Characters that a passphrase has at least.
const SHORTEST: usize = 8;
/// Bytes of the salt.
const SALT_LEN: usize = 16;
/// The cost of new ones: the second choice of RFC 9106, 64 MiB and three passes. About 0.1 s.
const COST: Cost = Cost { memory_kib: 64 << 10, passes: 3, lanes: 4 };
/// What is taken of a store: whoever can write there must not make the passphrase cheap to guess, nor fill the memory.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = (19 << 10)..=(1 << 20);
const PASSES: std::ops::RangeInclusive<u32> = 2..=16;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// How a store's passphrase becomes its root key. Made once per store: with another salt it would be another key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassphraseKdf {
    salt: [u8; SALT_LEN],
    cost: Cost,
}

impl PassphraseKdf {
    /// A fresh salt, and the cost of this build.
    pub fn generate() -> Result<Self, SealError> {
        let mut salt = [0; SALT_LEN];
        fill_random(&mut salt)?;
        Ok(Self { salt, cost: COST })
    }

    /// Refuses a cost above what [`Self::generate`] gives: of a file that anybody may have sent, before anything of it is known to
    /// be genuine, its reader would pay for it.
    pub fn no_dearer(self) -> Result<Self, SealError> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        if memory_kib > COST.memory_kib || passes > COST.passes || lanes > COST.lanes {
            return Err(SealError::Kdf(format!("{memory_kib} KiB, {passes} passes, {lanes} lanes")));
        }
        Ok(self)
    }

    /// Derives the key. Blocks for about 0.1 s and takes 64 MiB meanwhile.
    pub fn root_key(&self, passphrase: &str) -> Result<RootKey, SealError> {
        let found = passphrase.chars().count();
        if found < SHORTEST {
            return Err(SealError::Passphrase { wanted: SHORTEST, found });
        }
        let Cost { memory_kib, passes, lanes } = self.cost;
        let bad = |error: argon2::Error| SealError::Kdf(error.to_string());
        let params = Params::new(memory_kib, passes, lanes, Some(KEY_LEN)).map_err(bad)?;
        let mut bytes = Box::new(Zeroizing::new([0; KEY_LEN]));
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt, &mut **bytes)
            .map_err(bad)?;
        Ok(RootKey::new(bytes))
    }

    /// As a store keeps it. The key is one that everybody knows: nothing here is secret, and a store takes nothing else.
    pub fn to_sealed(&self) -> Result<Sealed, SealError> {
        let mut bytes = self.salt.to_vec();
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        seal(&known_key()?, Context::Kdf, &bytes)
    }

    /// The inverse of [`Self::to_sealed`]; a cost that is out of bounds is refused.
    pub fn from_sealed(sealed: &Sealed) -> Result<Self, SealError> {
        let bytes = open(&known_key()?, Context::Kdf, sealed)?;
        let (salt, numbers) =
            bytes.split_first_chunk::<SALT_LEN>().ok_or_else(|| SealError::Kdf("it is cut".to_owned()))?;
        let numbers: Vec<u32> = numbers.as_chunks::<4>().0.iter().map(|number| u32::from_be_bytes(*number)).collect();
        let [memory_kib, passes, lanes] = numbers[..] else {
            return Err(SealError::Kdf("it has another form".to_owned()));
        };
        if !(MEMORY_KIB.contains(&memory_kib) && PASSES.contains(&passes) && LANES.contains(&lanes)) {
            return Err(SealError::Kdf(format!("{memory_kib} KiB, {passes} passes, {lanes} lanes")));
        }
        Ok(Self { salt: *salt, cost: Cost { memory_kib, passes, lanes } })
    }
}

/// What the parameters are sealed under.
fn known_key() -> Result<DataKey, SealError> {
    DataKey::from_bytes(&[0; KEY_ID_LEN + KEY_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_passphrase_and_salt_give_the_same_key() {
        let kdf = PassphraseKdf::generate().unwrap();
        let again = PassphraseKdf::from_sealed(&kdf.to_sealed().unwrap()).unwrap();
        assert_eq!(again, kdf);
        let id = |kdf: &PassphraseKdf, words: &str| kdf.root_key(words).unwrap().id();
        assert_eq!(id(&kdf, "correct horse battery"), id(&again, "correct horse battery"));
        assert_ne!(id(&kdf, "correct horse battery"), id(&kdf, "correct horse batterz"));
        assert_ne!(id(&kdf, "correct horse battery"), id(&PassphraseKdf::generate().unwrap(), "correct horse battery"));
        assert_eq!(kdf.root_key("short").unwrap_err().code(), "invalid_key");
    }

    #[test]
    fn what_a_passphrase_gives_never_changes() {
        // Another key here is a store that somebody has lost.
        let kdf = PassphraseKdf { salt: *b"saltsaltsaltsalt", cost: COST };
        let key = kdf.root_key("correct horse battery").unwrap();
        let text = "b1902c34ae601a143d5c297ce98678f29dbdb234b790e2e20f3879df2759acd1";
        assert_eq!(
            data_encoding::HEXLOWER.encode(&data_encoding::BASE64.decode(key.to_text().as_bytes()).unwrap()),
            text
        );
    }

    #[test]
    fn a_file_does_not_choose_a_higher_cost_than_ours() {
        let of = |cost| PassphraseKdf { salt: [0; SALT_LEN], cost }.no_dearer();
        assert!(of(COST).is_ok() && of(Cost { memory_kib: *MEMORY_KIB.start(), passes: 2, lanes: 1 }).is_ok());
        for cost in [
            Cost { memory_kib: COST.memory_kib + 1, ..COST },
            Cost { passes: COST.passes + 1, ..COST },
            Cost { lanes: COST.lanes + 1, ..COST },
        ] {
            assert_eq!(of(cost).unwrap_err().code(), "decrypt_failed", "{cost:?}");
        }
    }

    #[test]
    fn a_cost_out_of_bounds_is_refused() {
        for cost in [
            Cost { memory_kib: 8, ..COST },
            Cost { passes: 1, ..COST },
            Cost { lanes: 0, ..COST },
            Cost { memory_kib: u32::MAX, ..COST },
        ] {
            let planted = PassphraseKdf { salt: [0; SALT_LEN], cost }.to_sealed().unwrap();
            assert_eq!(PassphraseKdf::from_sealed(&planted).unwrap_err().code(), "decrypt_failed", "{cost:?}");
        }
    }
}
