//! Environment variables: encrypted one by one, shown only to who asks for one by name.

use std::collections::HashSet;

use slipway_model::{ApplicationId, EnvKey, Role, Secret, VariableId, Viewer, state::VariableScope};
use slipway_store::{
    StoreError, Tx,
    applications::{self, Application},
    variables::{self, Variable},
};

use crate::{
    Platform,
    applications::{changed, require},
    error::{Error, Refusals, Result, UserError, UserErrorCode, UserErrorData},
    events,
};

/// Of one value. Linux takes no longer string in an environment.
const MAX_VALUE_BYTES: usize = 100 * 1024;
/// Of all keys and values of one application: more would not fit into a process's environment.
const MAX_TOTAL_BYTES: usize = 512 * 1024;
const MAX_VARIABLES: usize = 500;
/// Set by Slipway itself.
const RESERVED_KEYS: &[&str] = &["PORT"];
const RESERVED_PREFIX: &str = "SLIPWAY_";

/// A variable that shall be set.
#[derive(Debug, Clone)]
pub struct NewVariable {
    pub key: String,
    pub value: Secret,
    pub scope: VariableScope,
    pub sensitive: bool,
}

/// Which variables shall be set.
#[derive(Debug)]
pub struct Change {
    pub application: ApplicationId,
    pub variables: Vec<NewVariable>,
    /// Those that are not named go.
    pub remove_missing: bool,
    pub expected_version: Option<i64>,
}

/// Looks at keys and sizes. Messages never repeat a value.
pub(crate) fn check(refusals: &mut Refusals, variables: &[NewVariable]) {
    let mut keys = HashSet::new();
    for (index, variable) in variables.iter().enumerate() {
        let path = format!("variables.{index}.key");
        if refusals.parse::<EnvKey>(&path, &variable.key).is_none() {
            continue;
        }
        let reserved = RESERVED_KEYS.contains(&variable.key.as_str()) || variable.key.starts_with(RESERVED_PREFIX);
        refusals.check(!reserved, || UserError::invalid(&path, format!("Slipway sets `{}` itself.", variable.key)));
        refusals.check(keys.insert(&variable.key), || UserError::invalid(&path, format!("`{}` is named twice.", variable.key)));
        let path = format!("variables.{index}.value");
        let value = variable.value.expose();
        refusals.check(value.len() <= MAX_VALUE_BYTES, || {
            UserError::too_long(&path, format!("The value of `{}` is longer than {} KiB.", variable.key, MAX_VALUE_BYTES / 1024))
        });
        refusals
            .check(!value.contains('\0'), || UserError::invalid(&path, format!("The value of `{}` holds a NUL character.", variable.key)));
    }
}

/// Sets variables. They take effect with the next deployment (R9.5).
///
/// # Errors
/// Refusals of the input; a stale version.
pub async fn set(platform: &Platform, viewer: &Viewer, change: Change) -> Result<(Application, Vec<Variable>)> {
    let mut refusals = Refusals::new();
    check(&mut refusals, &change.variables);
    refusals.done()?;
    let mut tx = platform.db.begin_as(viewer).await?;
    let mut application = own(&mut tx, viewer, change.application).await?;
    if change.expected_version.is_some_and(|expected| expected != application.version) {
        return Err(UserError::stale(application.version).into());
    }
    let named: HashSet<String> = change.variables.iter().map(|variable| variable.key.clone()).collect();
    put(&mut tx, platform, viewer, &application, change.variables).await?;
    if change.remove_missing {
        let present = variables::of_application(&mut tx, viewer, application.id).await?;
        for variable in present.iter().filter(|variable| !named.contains(variable.key.as_str())) {
            variables::delete(&mut tx, viewer, application.id, &variable.key).await?;
        }
    }
    touch(&mut tx, platform, viewer, &mut application).await?;
    let all = variables::of_application(&mut tx, viewer, application.id).await?;
    check_total(platform, &all)?;
    tx.commit().await?;
    changed(platform, &application);
    Ok((application, all))
}

/// Removes variables. Keys that are not set are passed over.
///
/// # Errors
/// When the application is not the caller's.
pub async fn unset(platform: &Platform, viewer: &Viewer, id: ApplicationId, keys: &[String]) -> Result<Application> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let mut application = own(&mut tx, viewer, id).await?;
    for key in keys.iter().filter_map(|key| key.parse::<EnvKey>().ok()) {
        variables::delete(&mut tx, viewer, id, &key).await?;
    }
    touch(&mut tx, platform, viewer, &mut application).await?;
    tx.commit().await?;
    changed(platform, &application);
    Ok(application)
}

/// Whether a variable is seen in a scope.
#[must_use]
pub fn is_seen_in(variable: &Variable, scope: VariableScope) -> bool {
    variable.scope == scope || variable.scope == VariableScope::Both
}

/// Gives one value to an administrator of its organization, and writes down that it did.
///
/// # Errors
/// When the variable is not the caller's, or their role is less.
pub async fn reveal(platform: &Platform, viewer: &Viewer, id: VariableId) -> Result<(Variable, Secret)> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let missing = || UserError::not_found("id", "environment variable");
    let variable = variables::find(&mut tx, viewer, id).await?.ok_or_else(missing)?;
    require(viewer, variable.organization_id, Role::Admin, "id", "environment variable")?;
    let application = applications::find(&mut tx, viewer, variable.application_id).await?.ok_or_else(missing)?;
    let value = open(platform, &variable)?;
    let message = format!("The value of {} was shown to somebody.", variable.key);
    events::record(&mut tx, platform, &application, "variable.revealed", message).await?;
    tx.commit().await?;
    Ok((variable, value))
}

/// Decrypts a value that was loaded for the caller.
///
/// # Errors
/// When it cannot be decrypted: the row was tampered with, or the key is another.
pub(crate) fn open(platform: &Platform, variable: &Variable) -> Result<Secret> {
    Ok(platform
        .keys
        .open(variables::location(variable.id, variable.organization_id), &variable.value_ciphertext)
        .map_err(StoreError::from)?)
}

/// Writes variables of an application that the caller was allowed to change.
pub(crate) async fn put(tx: &mut Tx, platform: &Platform, viewer: &Viewer, application: &Application, new: Vec<NewVariable>) -> Result<()> {
    let present = variables::of_application(tx, viewer, application.id).await?;
    for variable in new {
        let key: EnvKey = variable.key.parse().map_err(|error| Error::internal(anyhow::anyhow!("a key refused late: {error}")))?;
        let before = present.iter().find(|present| present.key == key);
        let mut row = Variable {
            id: before.map_or_else(|| VariableId::new(&*platform.clock), |before| before.id),
            organization_id: application.organization_id,
            application_id: application.id,
            fingerprint: platform.keys.fingerprint(application.organization_id, &variable.value),
            key,
            value_ciphertext: Vec::new(),
            scope: variable.scope,
            origin: "user".to_owned(),
            sensitive: variable.sensitive,
            version: before.map_or(1, |before| before.version + 1),
            updated_by: viewer.user_id(),
            updated_at: platform.now(),
        };
        row.value_ciphertext = platform.keys.seal(variables::location(row.id, row.organization_id), &variable.value);
        variables::upsert(tx, viewer, &row).await?;
    }
    Ok(())
}

async fn own(tx: &mut Tx, viewer: &Viewer, id: ApplicationId) -> Result<Application> {
    let application = applications::find(tx, viewer, id).await?.ok_or_else(|| UserError::not_found("applicationId", "application"))?;
    require(viewer, application.organization_id, Role::Member, "applicationId", "application")?;
    Ok(application)
}

async fn touch(tx: &mut Tx, platform: &Platform, viewer: &Viewer, application: &mut Application) -> Result<()> {
    let before = application.version;
    application.version += 1;
    application.updated_at = platform.now();
    applications::update(tx, viewer, application, before).await?;
    events::record(tx, platform, application, "variables.changed", "Its variables were changed.".to_owned()).await
}

/// An environment has an end: `execve` refuses what is larger.
fn check_total(platform: &Platform, all: &[Variable]) -> Result<()> {
    if all.len() > MAX_VARIABLES {
        let data = UserErrorData::Quota { limit: count(MAX_VARIABLES), used: count(all.len()) };
        let message = format!("An application has at most {MAX_VARIABLES} variables.");
        return Err(UserError::new(UserErrorCode::QuotaExceeded, "variables", message).with(data).into());
    }
    let mut total = 0;
    for variable in all {
        total += variable.key.as_str().len() + open(platform, variable)?.expose().len();
    }
    if total > MAX_TOTAL_BYTES {
        let data = UserErrorData::Quota { limit: count(MAX_TOTAL_BYTES), used: count(total) };
        let message = format!("All variables together are larger than {} KiB.", MAX_TOTAL_BYTES / 1024);
        return Err(UserError::new(UserErrorCode::QuotaExceeded, "variables", message).with(data).into());
    }
    Ok(())
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
