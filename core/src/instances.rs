//! Instances: what their nodes say of them, and what that makes of their application.

use std::collections::BTreeSet;

use slipway_model::{
    ApplicationId, NodeId, Timestamp, Viewer,
    state::{ApplicationStatus, InstanceStatus},
};
use slipway_protocol::ObservedInstance;
use slipway_store::{
    Tx, applications,
    instances::{self, Instance},
    nodes, operations, releases as stored,
};

use crate::{Platform, error::Result, events, metering, operations::Payload, releases};
use slipway_buildpack_wit::ProcessKind;

/// A node's clock that is further off than this says nothing about when something happened (F7).
const TRUSTED_SKEW_MS: i64 = 30_000;
/// Of an instance's last output.
const LAST_LINES: usize = 200;

/// Takes in what a node says of an instance. `None`: nothing new.
pub(crate) fn observe(row: &Instance, seen: &ObservedInstance, skew_ms: Option<i64>, now: Timestamp) -> Option<Instance> {
    // What has ended does not come back: what runs again is another instance. One that was lost may be found.
    if matches!(row.status, InstanceStatus::Stopped | InstanceStatus::Exited) {
        return None;
    }
    let mut new = row.clone();
    // However it ended, it was to end.
    new.status = if !row.desired && seen.status == InstanceStatus::Exited { InstanceStatus::Stopped } else { seen.status };
    new.status_reason = seen.reason.clone().or_else(|| seen.oom_killed.then(|| "It used more memory than its plan grants.".to_owned()));
    new.container_id = seen.container_id.clone().or(new.container_id);
    new.address = seen.address.clone();
    new.exit_code = seen.exit_code;
    new.restart_count = seen.restart_count.into();
    if !seen.last_lines.is_empty() {
        let skipped = seen.last_lines.len().saturating_sub(LAST_LINES);
        new.last_lines = Some(seen.last_lines.iter().skip(skipped).map(|line| line.replace('\0', "\u{fffd}")).collect());
    }
    // A node calls an instance starting before there is a container, and that costs nothing yet.
    let has_started = seen.started_at.is_some() || matches!(seen.status, InstanceStatus::Healthy | InstanceStatus::Unhealthy);
    if has_started && new.started_at.is_none() {
        new.started_at = Some(by_our_clock(seen.started_at, skew_ms, row.created_at, now));
    }
    if new.status.is_terminal() && new.stopped_at.is_none() {
        new.stopped_at = Some(by_our_clock(seen.finished_at, skew_ms, new.started_at.unwrap_or(row.created_at), now));
    }
    (new != *row).then_some(new)
}

/// When a node says that something happened, unless that cannot be.
fn by_our_clock(told: Option<Timestamp>, skew_ms: Option<i64>, earliest: Timestamp, now: Timestamp) -> Timestamp {
    let is_trusted = skew_ms.is_none_or(|skew| skew.abs() <= TRUSTED_SKEW_MS);
    told.filter(|_| is_trusted).unwrap_or(now).clamp(earliest.min(now), now)
}

/// Writes what is new of an instance, and meters it.
pub(crate) async fn record(tx: &mut Tx, p: &Platform, old: &Instance, new: &Instance) -> Result<()> {
    instances::observe(tx, new).await?;
    if let (None, Some(at)) = (old.started_at, new.started_at) {
        metering::begin(tx, p, new, at).await?;
    }
    if new.status.is_terminal() && !old.status.is_terminal() {
        metering::end(tx, new.id, new.stopped_at.unwrap_or_else(|| p.now())).await?;
    }
    Ok(())
}

/// The node of these instances is gone for good: they are given up. The rows of their applications are held.
pub(crate) async fn lose(tx: &mut Tx, p: &Platform, rows: &[Instance]) -> Result<()> {
    let now = p.now();
    for old in rows {
        let reason = Some("The identity of its node was revoked.".to_owned());
        let lost = Instance { status: InstanceStatus::Lost, status_reason: reason, stopped_at: Some(now), ..old.clone() };
        if !old.status.is_terminal() {
            record(tx, p, old, &lost).await?;
        }
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    instances::retire(tx, &ids).await?;
    Ok(())
}

/// The nodes of an application's instances are to hear anew how these should run. Gives the nodes, to be nudged after the commit.
pub(crate) async fn renew(tx: &mut Tx, application: ApplicationId) -> Result<Vec<NodeId>> {
    let rows = instances::desired_of(tx, &Viewer::Platform, application).await?;
    let of: BTreeSet<NodeId> = rows.into_iter().map(|row| row.node_id).collect();
    for node in &of {
        nodes::bump_generation(tx, *node).await?;
    }
    Ok(of.into_iter().collect())
}

/// How an application is by its instances. `expected`: of its web instances. `others`: its workers that should run.
pub(crate) fn application_status(
    web: &[InstanceStatus],
    expected: usize,
    others: &[InstanceStatus],
) -> (ApplicationStatus, Option<String>) {
    let healthy = web.iter().filter(|status| **status == InstanceStatus::Healthy).count();
    let ill = others.iter().filter(|status| **status != InstanceStatus::Healthy).count();
    if web.is_empty() && others.is_empty() && expected > 0 {
        return (ApplicationStatus::Crashed, Some("It ended, and is not restarted any more.".to_owned()));
    }
    if healthy < expected {
        return (ApplicationStatus::Degraded, Some(format!("{healthy} of {expected} web instances are healthy.")));
    }
    if ill > 0 {
        return (ApplicationStatus::Degraded, Some(format!("{ill} of {} worker instances are not healthy.", others.len())));
    }
    (ApplicationStatus::Running, None)
}

/// Brings the application's status to what its instances say, where that is theirs to say. The application's row is held.
pub(crate) async fn refresh_status(tx: &mut Tx, p: &Platform, id: ApplicationId) -> Result<()> {
    let viewer = &Viewer::Platform;
    let Some(application) = applications::find(tx, viewer, id).await? else { return Ok(()) };
    // What is being stopped ends because that was wanted.
    let speaks = !application.stopped
        && matches!(application.status, ApplicationStatus::Running | ApplicationStatus::Degraded | ApplicationStatus::Crashed);
    let (true, Some(release)) = (speaks, application.current_release_id) else { return Ok(()) };
    let Some(release) = stored::find(tx, viewer, release).await? else { return Ok(()) };
    let coming = coming(tx, id).await?;
    let rows: Vec<Instance> = instances::desired_of(tx, viewer, id).await?.into_iter().filter(|row| !coming.contains(&row.id)).collect();
    let processes = releases::processes(&release)?;
    let is_web = |name: &str| processes.iter().any(|process| process.kind == ProcessKind::Web && process.name == name);
    let (web, others): (Vec<&Instance>, Vec<&Instance>) = rows.iter().partition(|row| is_web(&row.process));
    let has_web = processes.iter().any(|process| process.kind == ProcessKind::Web);
    let expected = if has_web { usize::try_from(application.desired_instances).unwrap_or(0) } else { 0 };
    let statuses = |rows: &[&Instance]| rows.iter().map(|row| row.status).collect::<Vec<_>>();
    let (status, reason) = application_status(&statuses(&web), expected, &statuses(&others));
    if status == application.status && reason == application.status_reason {
        return Ok(());
    }
    applications::set_status(tx, viewer, id, status, reason.as_deref()).await?;
    if status != application.status {
        let message = match &reason {
            Some(reason) => format!("{} is {status}: {reason}", application.name),
            None => format!("{} is {status}.", application.name),
        };
        events::record(tx, p, &application, &format!("application.{status}"), message).await?;
    }
    Ok(())
}

/// Instances that a change under way has brought: until it is done they are its own concern.
pub(crate) async fn coming(tx: &mut Tx, application: ApplicationId) -> Result<Vec<slipway_model::InstanceId>> {
    let mut coming = Vec::new();
    for operation in operations::unfinished_of(tx, application).await? {
        // Past the switch they are what serves.
        if operation.step.as_deref() != Some("drain") {
            coming.extend(Payload::from_json(&operation.payload)?.new);
        }
    }
    Ok(coming)
}

#[cfg(test)]
mod tests {
    use super::*;

    use InstanceStatus::{Healthy, Restarting};

    #[test]
    fn an_application_is_as_its_instances_are() {
        let status = |web: &[InstanceStatus], expected, others: &[InstanceStatus]| application_status(web, expected, others).0;
        assert_eq!(status(&[Healthy, Healthy], 2, &[]), ApplicationStatus::Running);
        assert_eq!(status(&[Healthy, Restarting], 2, &[]), ApplicationStatus::Degraded);
        assert_eq!(status(&[Healthy], 2, &[]), ApplicationStatus::Degraded);
        assert_eq!(status(&[Healthy], 1, &[Restarting]), ApplicationStatus::Degraded);
        assert_eq!(status(&[Restarting], 1, &[]), ApplicationStatus::Degraded);
        assert_eq!(status(&[], 1, &[]), ApplicationStatus::Crashed);
    }

    #[test]
    fn a_wrong_clock_does_not_move_a_moment_out_of_its_place() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let (earliest, now) = (at(100), at(200));
        assert_eq!(by_our_clock(Some(at(150)), Some(0), earliest, now), at(150));
        assert_eq!(by_our_clock(Some(at(3800)), Some(5000), earliest, now), now);
        assert_eq!(by_our_clock(Some(at(50)), None, earliest, now), earliest);
        assert_eq!(by_our_clock(Some(at(150)), Some(3_600_000), earliest, now), now);
        assert_eq!(by_our_clock(None, None, earliest, now), now);
    }
}
