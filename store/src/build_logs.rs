//! The build log of a deployment: numbered lines, never renumbered, so that a reader resumes where it was.

use std::collections::HashMap;

use slipway_model::{DeploymentId, TaskId, Timestamp, Viewer};

use crate::{StoreError, Tx, page::PARENTS};

row! {
    pub struct BuildLogLine {
        pub deployment_id: DeploymentId,
        /// From 1, without gaps.
        pub line_number: i64,
        /// `None`: the control plane itself says it.
        pub task_id: Option<TaskId>,
        pub at: Timestamp,
        pub message: String,
    }
}

/// Adds lines at the end. Called with the deployment's task or operation locked, so that no two callers take the same numbers.
pub async fn append(
    tx: &mut Tx,
    deployment: DeploymentId,
    task: Option<TaskId>,
    at: Timestamp,
    lines: &[String],
) -> Result<(), StoreError> {
    let last = last_number(tx, deployment).await?;
    for (number, line) in (last + 1..).zip(lines) {
        // PostgreSQL's text holds no NUL.
        let message = if line.contains('\0') { line.replace('\0', "\u{fffd}") } else { line.clone() };
        execute!(
            tx,
            "INSERT INTO build_log_lines (deployment_id, line_number, task_id, at, message) VALUES ($1, $2, $3, $4, $5)",
            deployment,
            number,
            task,
            at,
            message
        )?;
    }
    Ok(())
}

/// 0: there are no lines.
pub async fn last_number(tx: &mut Tx, deployment: DeploymentId) -> Result<i64, StoreError> {
    let (last,): (i64,) = fetch_one!(tx, "SELECT COALESCE(MAX(line_number), 0) FROM build_log_lines WHERE deployment_id = $1", deployment)?;
    Ok(last)
}

/// The lines after number `after`, at most `most`, in order.
pub async fn after(tx: &mut Tx, viewer: &Viewer, deployment: DeploymentId, after: i64, most: i64) -> Result<Vec<BuildLogLine>, StoreError> {
    let sql = sql!(
        "SELECT l.* FROM build_log_lines l JOIN deployments d ON d.id = l.deployment_id
         WHERE l.deployment_id = $1 AND l.line_number > $2 AND l.line_number <= $3",
        deployment,
        after,
        after.saturating_add(most)
    );
    fetch_all!(tx, sql.within_application("d.organization_id", "d.application_id", viewer).push(" ORDER BY l.line_number"))
}

/// The last lines of each log, at most `most`, in order; deployments without any are left out.
pub async fn ends_of(
    tx: &mut Tx,
    viewer: &Viewer,
    deployments: &[DeploymentId],
    most: i64,
) -> Result<HashMap<DeploymentId, Vec<BuildLogLine>>, StoreError> {
    let end = |deployment: DeploymentId| {
        let sql = sql!("SELECT * FROM build_log_lines WHERE deployment_id = $1", deployment);
        sql.push(" ORDER BY line_number DESC").limit(most)
    };
    let mut ends: HashMap<DeploymentId, Vec<BuildLogLine>> = HashMap::new();
    for deployments in deployments.chunks(PARENTS) {
        let seen = tx.for_each(end, deployments).push(" AND EXISTS (SELECT 1 FROM deployments d WHERE d.id = lists.deployment_id");
        let sql = seen.within_application("d.organization_id", "d.application_id", viewer).push(")");
        for line in fetch_all!(tx, sql)? {
            let line: BuildLogLine = line;
            ends.entry(line.deployment_id).or_default().push(line);
        }
    }
    for lines in ends.values_mut() {
        lines.sort_by_key(|line| line.line_number);
    }
    Ok(ends)
}

/// How long each log is, in bytes, with one for the end of each line; deployments without any are left out.
pub async fn sizes_of(tx: &mut Tx, viewer: &Viewer, deployments: &[DeploymentId]) -> Result<HashMap<DeploymentId, i64>, StoreError> {
    let sql = sql!(
        "SELECT l.deployment_id, CAST(SUM(OCTET_LENGTH(l.message) + 1) AS BIGINT) FROM build_log_lines l
         JOIN deployments d ON d.id = l.deployment_id WHERE 1 = 1"
    );
    let sql = sql.any("l.deployment_id", deployments.iter().copied()).within_application("d.organization_id", "d.application_id", viewer);
    let rows: Vec<(DeploymentId, i64)> = fetch_all!(tx, sql.push(" GROUP BY l.deployment_id"))?;
    Ok(rows.into_iter().collect())
}
