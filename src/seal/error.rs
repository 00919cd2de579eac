//! Why a sealed object could not be made or opened.

/// What went wrong with a key or a sealed object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The text is no key.
    #[error("a key is 32 bytes in base64 or hex, as `rhaven key new` prints one; this text is not")]
    KeyText,
    /// Too short to keep anybody out.
    #[error("a passphrase has at least {wanted} characters, this one has {found}")]
    Passphrase {
        /// The fewest.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// What the store says of the derivation is not within what this build takes.
    #[error("the store asks for a key derivation that is too cheap or too dear: {0}")]
    Kdf(String),
    /// The bytes inside a record are no data key.
    #[error("a wrapped data key has {wanted} bytes, found {found}")]
    KeyBytes {
        /// Bytes of an id and a key.
        wanted: usize,
        /// Bytes found.
        found: usize,
    },
    /// Not one of ours, or cut within the header.
    #[error("not a sealed object: {0}")]
    NotSealed(&'static str),
    /// Written by a later Rhaven.
    #[error("sealed with format {found}, this Rhaven reads up to {known}")]
    Format {
        /// The object's format version.
        found: u8,
        /// The newest one that this build reads.
        known: u8,
    },
    /// No root key with the id that the object names.
    #[error("sealed under key {needed}, which is not among the keys given ({given})")]
    UnknownKey {
        /// The key that the object names.
        needed: String,
        /// The ids of the keys at hand.
        given: String,
    },
    /// The object names another key than the one it is to be opened with: it belongs elsewhere.
    #[error("a foreign object: sealed under key {needed}, not under {given}")]
    ForeignKey {
        /// The key that the object names.
        needed: String,
        /// The key it was to be opened with.
        given: String,
    },
    /// The key has the right id but is not the one: commitment differs.
    #[error("the key does not match the object's key commitment: altered header or wrong key")]
    Commitment,
    /// The tag does not verify: altered, or moved from its place.
    #[error("altered, truncated or moved from its place: authentication failed")]
    Authentication,
    /// More plaintext than one object may hold.
    #[error("one sealed object holds at most {limit} bytes")]
    TooLarge {
        /// The most that one object of this form holds, in bytes.
        limit: usize,
    },
    /// The decrypted bytes are not what was sealed (cannot happen without a bug on the writing side).
    #[error("the decrypted bytes do not decompress")]
    Compression(#[source] std::io::Error),
    /// Reading or writing the stream under a blob failed.
    #[error("reading or writing a sealed stream failed")]
    Io(#[from] std::io::Error),
    /// The system's random number generator failed.
    #[error("the system gave no random bytes")]
    Random,
}

impl SealError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyText | Self::Passphrase { .. } => "invalid_key",
            Self::UnknownKey { .. } => "wrong_key",
            Self::TooLarge { .. } => "too_large",
            Self::Io(_) => "store_unavailable",
            Self::Random => "no_random",
            _ => "decrypt_failed",
        }
    }
}
