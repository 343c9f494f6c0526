//! Releases: an image and the configuration it runs with. Never changed once written.

use std::collections::HashMap;

use serde_json::Value;
use slipway_model::{ApplicationId, DeploymentId, HealthCheck, NodeId, OrganizationId, ReleaseId, Timestamp, Viewer};

use crate::{StoreError, Tx};

row! {
    pub struct Release {
        pub id: ReleaseId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        /// From 1, within the application.
        pub number: i64,
        pub deployment_id: DeploymentId,
        /// The node that has the image.
        pub node_id: Option<NodeId>,
        pub image: String,
        pub image_digest: String,
        pub image_bytes: i64,
        /// The build plan's processes.
        pub processes: Value,
        pub port: Option<u16>,
        pub health: HealthCheck,
        /// The environment as it was then, sealed.
        pub variables_ciphertext: Vec<u8>,
        pub created_at: Timestamp,
    }
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: ReleaseId) -> Result<Option<Release>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM releases WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[ReleaseId]) -> Result<HashMap<ReleaseId, Release>, StoreError> {
    let sql = sql!("SELECT * FROM releases WHERE 1 = 1").any("id", ids.iter().copied()).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    let rows: Vec<Release> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|release| (release.id, release)).collect())
}

/// The application's newest releases, newest first.
pub async fn newest(tx: &mut Tx, application: ApplicationId, most: i64) -> Result<Vec<Release>, StoreError> {
    fetch_all!(tx, "SELECT * FROM releases WHERE application_id = $1 ORDER BY number DESC LIMIT $2", application, most)
}

/// Image references that a node has to keep: of each living application the `most` newest releases, and the current one.
pub async fn images_to_keep(tx: &mut Tx, node: NodeId, most: i64) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        "SELECT DISTINCT r.image FROM releases r JOIN applications a ON a.id = r.application_id
         WHERE r.node_id = $1 AND a.deleted_at IS NULL AND a.status <> 'deleting'
           AND (r.id = a.current_release_id
                OR (SELECT COUNT(*) FROM releases n WHERE n.application_id = r.application_id AND n.number > r.number) < $2)
         ORDER BY r.image",
        node,
        most
    )?;
    Ok(rows.into_iter().map(|(image,)| image).collect())
}

/// To be asked in the transaction that inserts it.
pub async fn next_number(tx: &mut Tx, application: ApplicationId) -> Result<i64, StoreError> {
    let (number,): (i64,) = fetch_one!(tx, "SELECT COALESCE(MAX(number), 0) + 1 FROM releases WHERE application_id = $1", application)?;
    Ok(number)
}

pub async fn insert(tx: &mut Tx, release: &Release) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO releases (id, organization_id, application_id, number, deployment_id, node_id, image, image_digest, image_bytes,
             processes, port, health, variables_ciphertext, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        release.id,
        release.organization_id,
        release.application_id,
        release.number,
        release.deployment_id,
        release.node_id,
        &release.image,
        &release.image_digest,
        release.image_bytes,
        &release.processes,
        release.port,
        &release.health,
        &release.variables_ciphertext,
        release.created_at
    )?;
    Ok(())
}
