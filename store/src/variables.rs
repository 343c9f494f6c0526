//! Environment variables. Values are sealed before they come here: see [`location`].

use std::collections::HashMap;

use slipway_model::{ApplicationId, EnvKey, OrganizationId, Timestamp, UserId, VariableId, Viewer, state::VariableScope};

use crate::{Location, StoreError, Tx, scope};

row! {
    pub struct Variable {
        pub id: VariableId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        pub key: EnvKey,
        pub value_ciphertext: Vec<u8>,
        /// Tells values apart without showing them.
        pub fingerprint: String,
        pub scope: VariableScope,
        /// Who set it, such as `user`.
        pub origin: String,
        /// Its value is left out of listings.
        pub sensitive: bool,
        /// Grows by one with every change.
        pub version: i64,
        pub updated_by: Option<UserId>,
        pub updated_at: Timestamp,
    }
}

/// Where the value of a variable stands, for the keyring.
#[must_use]
pub fn location(id: VariableId, organization: OrganizationId) -> Location<'static> {
    Location::new("variables", "value_ciphertext", id, Some(organization))
}

/// By key.
pub async fn of_application(tx: &mut Tx, viewer: &Viewer, application: ApplicationId) -> Result<Vec<Variable>, StoreError> {
    Ok(of_each_application(tx, viewer, &[application]).await?.remove(&application).unwrap_or_default())
}

/// Of each application that has any, by key.
pub async fn of_each_application(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, Vec<Variable>>, StoreError> {
    let sql = sql!("SELECT * FROM variables WHERE 1 = 1").any("application_id", applications.iter().copied());
    let mut rows: Vec<Variable> = fetch_all!(tx, sql.within_application("organization_id", "application_id", viewer))?;
    // The collation of keys is the database's; theirs is ours.
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut of_each: HashMap<ApplicationId, Vec<Variable>> = HashMap::new();
    for row in rows {
        of_each.entry(row.application_id).or_default().push(row);
    }
    Ok(of_each)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: VariableId) -> Result<Option<Variable>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM variables WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

/// Sets a variable. A new value of a key that is set has the id of the old one, because it is sealed for that row:
/// [`StoreError::Stale`] when somebody else set the key meanwhile.
pub async fn upsert(tx: &mut Tx, viewer: &Viewer, variable: &Variable) -> Result<(), StoreError> {
    scope::check_application(viewer, variable.organization_id, variable.application_id)?;
    let rows = execute!(
        tx,
        "INSERT INTO variables (id, organization_id, application_id, key, value_ciphertext, fingerprint, scope, origin, sensitive,
            version, updated_by, updated_at)
         SELECT $1, organization_id, id, $4, $5, $6, $7, $8, $9, $10, $11, $12
         FROM applications WHERE id = $3 AND organization_id = $2 AND deleted_at IS NULL
         ON CONFLICT (application_id, key) DO UPDATE SET value_ciphertext = excluded.value_ciphertext,
            fingerprint = excluded.fingerprint, scope = excluded.scope, origin = excluded.origin, sensitive = excluded.sensitive,
            version = excluded.version, updated_by = excluded.updated_by, updated_at = excluded.updated_at
         WHERE variables.id = excluded.id",
        variable.id,
        variable.organization_id,
        variable.application_id,
        &variable.key,
        &variable.value_ciphertext,
        &variable.fingerprint,
        variable.scope,
        &variable.origin,
        variable.sensitive,
        variable.version,
        variable.updated_by,
        variable.updated_at
    )?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// `false`: it was not set, as far as the viewer may see.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, application: ApplicationId, key: &EnvKey) -> Result<bool, StoreError> {
    let sql = sql!("DELETE FROM variables WHERE application_id = $1 AND key = $2", application, key);
    execute!(tx, sql.within_application("organization_id", "application_id", viewer)).map(|rows| rows == 1)
}
