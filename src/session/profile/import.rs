//! A user-data directory from elsewhere as a new session's first version.

use std::path::Path;
use std::time::Duration;

use crate::base::{SessionId, Tenant, Version};
use crate::seal::DataKey;
use crate::session::keys::seal_error;
use crate::session::lease::{Holder, Lease};
use crate::session::save::Target;
use crate::session::state::{Beside, Index, Record};
use crate::session::{SessionError, Sessions};

use super::disk::{blocking, read_text};
use super::survey::{dirty, survey};
use super::{About, Progress, Vault, build, check_rows, discard, pack};

/// Where Chromium notes which version of it used the directory last.
const LAST_VERSION: &str = "Last Version";
/// More than any version has.
const VERSION_BYTES: u64 = 64;

/// A profile that was imported.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ImportedProfile {
    /// The session's first version.
    pub version: Version,
    /// The version of the Chromium that wrote the profile: this session needs that one or a later.
    pub chromium: String,
    /// How many files are kept.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Sessions {
    /// Makes a session `id` of the user-data directory `dir` of a Chrome or Chromium, which stays as it is; its open tabs come with
    /// it. [`SessionError::Exists`] where there is such a session, [`SessionError::ProfileDirty`] where a browser runs on the directory or was
    /// killed on it, [`SessionError::ProfileKeyring`] where another machine could not open what is in it. `ttl` as with a session that
    /// is saved.
    pub async fn import_profile(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        dir: &Path,
        ttl: Option<Duration>,
        progress: &Progress,
    ) -> Result<ImportedProfile, SessionError> {
        let folder = dir.to_owned();
        let chromium = blocking(move || look(&folder)).await?;
        let lease = self.claim(tenant, id, &Holder::new("rhaven session import")).await?;
        let done = Box::pin(self.import_held(tenant, id, dir, ttl, chromium, &lease, progress)).await;
        lease.release().await;
        done
    }

    #[expect(clippy::too_many_arguments, reason = "what the caller was given, and the lease")]
    async fn import_held(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        dir: &Path,
        ttl: Option<Duration>,
        chromium: String,
        lease: &Lease,
        progress: &Progress,
    ) -> Result<ImportedProfile, SessionError> {
        let key = DataKey::generate().map_err(|error| seal_error("a new key", error))?;
        let vault = Vault { sessions: self, tenant, key: &key, keys: std::slice::from_ref(&key) };
        let about = About { chromium, state: Version(1), origins: Vec::new(), tabs: true };
        let profile = pack(vault, dir, None, about, progress).await?;
        self.before_sealing(tenant).await?;
        let beside = Beside { profile: Some(profile.clone()), ..Beside::default() };
        let index = Index::new(Vec::new(), Vec::new(), beside);
        let record = Record::new(id.clone(), &key, ttl.map(|ttl| ttl.as_secs())).of_profile(true);
        let target = Target { sessions: self, tenant, id, ttl, lease };
        let commit = target.commit(&record, &key, None, &index, Vec::new())?;
        if let Err(error) = self.records().commit(&target.name(), &commit).await {
            discard(self, &profile, None).await;
            return Err(error.into());
        }
        let version = commit.version;
        Ok(ImportedProfile { version, chromium: profile.chromium, files: profile.files, bytes: profile.bytes })
    }
}

/// Whether it can be imported, and by which version it was written.
fn look(dir: &Path) -> Result<String, SessionError> {
    // Says first what is in the way: a browser that runs.
    survey(dir, true)?;
    let version = read_text(&dir.join(LAST_VERSION), VERSION_BYTES)?.map(|text| text.trim().to_owned());
    let version = version.filter(|version| build(version).is_some()).ok_or_else(|| {
        dirty(format!(
            "{} is no user-data directory: no Chromium version stands in a file {LAST_VERSION:?} there",
            dir.display()
        ))
    })?;
    check_rows(dir)?;
    Ok(version)
}
