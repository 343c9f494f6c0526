//! An application that changes hands, with its history. What it cost stays with whoever paid for it, and what was done to it stays
//! in the audit log of where it was done.

use slipway_model::{ApplicationId, OrganizationId, ReleaseId, Timestamp, VariableId, Viewer};

use crate::{StoreError, Tx};

/// Whether anything of it runs, ends, or is being worked on.
pub async fn is_at_work(tx: &mut Tx, application: ApplicationId) -> Result<bool, StoreError> {
    let (count,): (i64,) = fetch_one!(
        tx,
        "SELECT (SELECT COUNT(*) FROM instances
                 WHERE application_id = $1 AND (desired = $2 OR status NOT IN ('stopped', 'exited', 'lost')))
              + (SELECT COUNT(*) FROM operations WHERE application_id = $1 AND status IN ('queued', 'running'))
              + (SELECT COUNT(*) FROM tasks WHERE application_id = $1 AND status IN ('queued', 'running'))
              + (SELECT COUNT(*) FROM usage_records WHERE subject_id = $1 AND ended_at IS NULL)",
        application,
        true
    )?;
    Ok(count > 0)
}

/// Gives it to another organization. `false`: there is none that the viewer may see. Its secrets are sealed for where they stood: see
/// [`put_variable`] and [`put_release`].
pub async fn give(
    tx: &mut Tx,
    viewer: &Viewer,
    application: ApplicationId,
    to: OrganizationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE applications SET organization_id = $2, version = version + 1, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL",
        application,
        to,
        now
    );
    if execute!(tx, sql.within("organization_id", viewer))? == 0 {
        return Ok(false);
    }
    execute!(tx, "UPDATE variables SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE uploads SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE deployments SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE releases SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE instances SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE operations SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE tasks SET organization_id = $2 WHERE application_id = $1", application, to)?;
    execute!(tx, "UPDATE events SET organization_id = $2 WHERE application_id = $1", application, to)?;
    Ok(true)
}

/// The value of a variable, sealed again for where it stands now.
pub async fn put_variable(tx: &mut Tx, id: VariableId, ciphertext: &[u8], fingerprint: &str) -> Result<(), StoreError> {
    execute!(tx, "UPDATE variables SET value_ciphertext = $2, fingerprint = $3 WHERE id = $1", id, ciphertext, fingerprint).map(drop)
}

/// The frozen variables of a release, sealed again for where it stands now.
pub async fn put_release(tx: &mut Tx, id: ReleaseId, ciphertext: &[u8]) -> Result<(), StoreError> {
    execute!(tx, "UPDATE releases SET variables_ciphertext = $2 WHERE id = $1", id, ciphertext).map(drop)
}
