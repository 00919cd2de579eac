//! Tokens that open a tenant's sessions over HTTP. Kept is the hash of each, sealed; the token itself is seen once.

use std::collections::BTreeSet;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base::{Secret, Tenant, show_duration};
use crate::seal::SealError;

use super::documents::now;
use super::keys::seal_error;
use super::{SessionError, Sessions, tenants};

/// The kind of these documents.
const KIND: &str = "token";
/// What every token begins with, so that scanners of repositories know one.
const PREFIX: &str = "rhvn_";
/// Random bytes of an id, which is no secret, and of the secret.
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
/// A longer one is none of ours: nothing is computed from it.
const LONGEST: usize = 256;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Scripts and their jobs.
    Run,
    /// Page requests and their jobs.
    Fetch,
    /// Live browsers.
    Vm,
    /// Secrets, identities, and what changes or exports sessions.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Run, Self::Fetch, Self::Vm, Self::Admin];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Fetch => "fetch",
            Self::Vm => "vm",
            Self::Admin => "admin",
        }
    }

    /// The scope that is written so.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A token, without what makes it one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// Names it: for listings, logs and revocation. Opens nothing.
    pub id: String,
    /// Whose.
    pub tenant: Tenant,
    /// What it opens.
    pub scopes: BTreeSet<Scope>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it runs out (RFC 3339); none for never.
    pub expires_at: Option<String>,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    id: String,
    /// SHA-256 of the secret part, in hex. The secret has 256 random bits, so nothing slower is needed.
    hash: String,
    scopes: BTreeSet<Scope>,
    created_at: String,
    /// In seconds since 1970.
    expires_at: Option<i64>,
}

impl Kept {
    fn info(self, tenant: &Tenant) -> TokenInfo {
        let expires_at = self.expires_at.and_then(|at| Timestamp::from_second(at).ok());
        let expires_at = expires_at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        TokenInfo { id: self.id, tenant: tenant.clone(), scopes: self.scopes, created_at: self.created_at, expires_at }
    }

    fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Timestamp::now().as_second())
    }
}

impl Sessions {
    /// Makes a token of `tenant`, good for `lasts` (none: until it is revoked). The second half of the answer is the token itself,
    /// which nobody can read again. [`SessionError::Token`] for one that would open nothing, or never ends although it is to.
    pub async fn create_token(
        &self,
        tenant: &Tenant,
        scopes: &BTreeSet<Scope>,
        lasts: Option<Duration>,
    ) -> Result<(TokenInfo, Secret), SessionError> {
        if scopes.is_empty() {
            return Err(SessionError::Token("a token without a scope opens nothing".to_owned()));
        }
        let expires_at = lasts.map(ends).transpose()?;
        let (mut id, mut secret) = ([0; ID_BYTES], Zeroizing::new([0; SECRET_BYTES]));
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).map_err(|_| seal_error("a token", SealError::Random));
        random(&mut id)?;
        random(&mut *secret)?;
        let (id, secret) = (HEXLOWER.encode(&id), Zeroizing::new(BASE64URL_NOPAD.encode(&*secret)));
        let kept = Kept {
            format: 1,
            hash: hash(&secret),
            scopes: scopes.clone(),
            created_at: now(),
            expires_at,
            id: id.clone(),
        };
        self.put_document(tenant, KIND, &id, &kept).await?;
        let text = format!("{PREFIX}{}.{id}.{}", BASE64URL_NOPAD.encode(tenant.as_str().as_bytes()), *secret);
        Ok((kept.info(tenant), Secret::new("token", text)))
    }

    /// Whose token `text` is; none where it is nobody's, was revoked or has run out.
    pub async fn authenticate(&self, text: &str) -> Result<Option<TokenInfo>, SessionError> {
        let Some((tenant, id, secret)) = parts(text) else { return Ok(None) };
        let kept: Option<Kept> = self.document(&tenant, KIND, id).await?;
        let given = hash(secret);
        let wanted = kept.as_ref().map_or_else(|| hash(""), |kept| kept.hash.clone());
        let equal = bool::from(given.as_bytes().ct_eq(wanted.as_bytes()));
        Ok(kept.filter(|kept| equal && !kept.has_expired()).map(|kept| kept.info(&tenant)))
    }

    /// The tenant's token by that id; none where it was revoked or has run out. For work that was asked for earlier.
    pub async fn token(&self, tenant: &Tenant, id: &str) -> Result<Option<TokenInfo>, SessionError> {
        let kept: Option<Kept> = self.document(tenant, KIND, id).await?;
        Ok(kept.filter(|kept| !kept.has_expired()).map(|kept| kept.info(tenant)))
    }

    /// The tokens of a tenant, or of all, oldest first, those of one second by tenant; those that have run out too, until they are revoked.
    pub async fn tokens(&self, tenant: Option<&Tenant>) -> Result<Vec<TokenInfo>, SessionError> {
        let tenants = match tenant {
            Some(tenant) => vec![tenant.clone()],
            None => self.named_tenants().await?,
        };
        let mut all = Vec::new();
        for tenant in &tenants {
            let kept: Vec<Kept> = self.all_documents(tenant, KIND).await?;
            all.extend(kept.into_iter().map(|kept| kept.info(tenant)));
        }
        all.sort_by(|a, b| (&a.created_at, &a.tenant, &a.id).cmp(&(&b.created_at, &b.tenant, &b.id)));
        Ok(all)
    }

    /// Takes a token's power away at once, also on servers that run; answers whether there was one by that id.
    pub async fn revoke_token(&self, id: &str) -> Result<bool, SessionError> {
        for tenant in self.named_tenants().await? {
            if self.remove_document(&tenant, KIND, id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All tenants. Where the name of one cannot be read its tokens could not be either, which is no reason to say that all is well.
    async fn named_tenants(&self) -> Result<Vec<Tenant>, SessionError> {
        self.follow_keys().await?;
        let (tenants, damaged) = tenants::all(self).await?;
        damaged.into_iter().next().map_or(Ok(tenants.into_values().collect()), Err)
    }
}

/// When a token ends that is good for `span`, in seconds since 1970.
fn ends(span: Duration) -> Result<i64, SessionError> {
    let bad = |why: &str| SessionError::Token(format!("a token that lasts {}: {why}", show_duration(span)));
    if span < Duration::from_secs(1) {
        return Err(bad("at least a second is wanted"));
    }
    let at = Timestamp::now()
        .checked_add(span)
        .map_err(|_| bad("that is beyond the calendar; without an end it never runs out"))?;
    Ok(at.as_second())
}

/// Tenant, id and secret of what looks like a token.
fn parts(text: &str) -> Option<(Tenant, &str, &str)> {
    if text.len() > LONGEST {
        return None;
    }
    let (tenant, rest) = text.strip_prefix(PREFIX)?.split_once('.')?;
    let (id, secret) = rest.split_once('.')?;
    let tenant = String::from_utf8(BASE64URL_NOPAD.decode(tenant.as_bytes()).ok()?).ok()?;
    let plain = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then_some((Tenant::new(tenant).ok()?, id, secret))
}

fn hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}
