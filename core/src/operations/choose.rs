//! The first step of a change: which node takes it, and which instances go.

use anyhow::Context;
use slipway_buildpack_wit::ProcessKind;
use slipway_model::{NodeId, Resources, Viewer, state::OperationKind};
use slipway_protocol::TaskFailure;
use slipway_store::{
    instances::{self, Instance},
    nodes, plans, releases as stored,
};

use super::{
    payload::Origin,
    work::{Halt, Work},
};
use crate::{
    placement::{self, Candidate, Demand},
    releases, rollout,
};

/// Whether a scaling starts instances or only takes some away, as things stand now.
pub(super) async fn scale_origin(work: &mut Work<'_>) -> anyhow::Result<Origin> {
    if work.application.stopped || work.payload.release.is_none() {
        return Ok(Origin::Nothing);
    }
    let serving = web_instances(work).await?.len();
    Ok(if (serving as i64) < work.application.desired_instances { Origin::Release } else { Origin::Nothing })
}

/// The application's web instances that should run, by index.
pub(super) async fn web_instances(work: &mut Work<'_>) -> anyhow::Result<Vec<Instance>> {
    let release = work.payload.release.context("scaling needs a release")?;
    let release = stored::find(&mut work.tx, &Viewer::Platform, release).await?.context("the release is gone")?;
    let processes = releases::processes(&release)?;
    let is_web = |name: &str| processes.iter().any(|process| process.kind == ProcessKind::Web && process.name == name);
    let rows = instances::desired_of(&mut work.tx, &Viewer::Platform, work.application.id).await?;
    Ok(rows.into_iter().filter(|row| is_web(&row.process)).collect())
}

/// Chooses the node and marks what is to be retired.
pub(super) async fn prepare(work: &mut Work<'_>) -> Result<(), Halt> {
    let running = instances::desired_of(&mut work.tx, &Viewer::Platform, work.application.id).await?;
    let retiring: Vec<Instance> = match work.operation.kind {
        OperationKind::Deploy | OperationKind::Restart | OperationKind::Start | OperationKind::Stop | OperationKind::Delete => {
            running.iter().filter(|row| work.payload.only.is_none_or(|only| only == row.id)).cloned().collect()
        }
        OperationKind::Scale if work.payload.origin == Origin::Release || work.payload.release.is_none() => vec![],
        OperationKind::Scale => {
            let mut web = web_instances(work).await?;
            web.sort_by_key(|row| row.instance_index);
            let keep = usize::try_from(work.application.desired_instances).unwrap_or(0);
            web.into_iter().skip(keep).collect()
        }
    };
    work.payload.retiring = retiring.iter().map(|row| row.id).collect();
    let home = retiring.iter().chain(&running).find(|row| row.routed).or(running.first()).map(|row| row.node_id);
    // Whether it will have a web process is known only of what runs; anything else is taken for having one.
    let has_visitors = running.is_empty() || running.iter().any(|row| row.routed);
    work.payload.node = match work.payload.origin {
        Origin::Nothing => home,
        Origin::Source | Origin::Image => Some(place(work, &retiring, home, None, has_visitors).await?),
        // An image lives on the node that built it.
        Origin::Release => {
            let release = work.payload.release.context("what runs again is a release")?;
            let release = stored::find(&mut work.tx, &Viewer::Platform, release).await?.context("the release is gone")?;
            let node = release.node_id.context("a release has a node")?;
            Some(place(work, &retiring, home, Some(node), has_visitors).await?)
        }
    };
    if let Some(deployment) = &mut work.deployment {
        deployment.node_id = work.payload.node;
    }
    Ok(())
}

/// `only`: the one node that will do.
async fn place(
    work: &mut Work<'_>,
    retiring: &[Instance],
    home: Option<NodeId>,
    only: Option<NodeId>,
    has_visitors: bool,
) -> Result<NodeId, Halt> {
    let plan = plans::find(&mut work.tx, work.application.plan_id).await?.context("the application's plan")?;
    let mut rows = match only {
        Some(id) => nodes::find(&mut work.tx, id).await?.into_iter().collect(),
        None => nodes::in_region(&mut work.tx, work.application.region_id).await?,
    };
    rows.retain(|node| node.revoked_at.is_none());
    let region = only.and_then(|_| rows.first().map(|node| node.region_id)).unwrap_or(work.application.region_id);
    let ids: Vec<NodeId> = rows.iter().map(|node| node.id).collect();
    let allocated = nodes::allocated(&mut work.tx, &ids).await?;
    let candidates: Vec<Candidate> = rows
        .iter()
        .map(|node| {
            let mut promised = allocated.get(&node.id).copied().unwrap_or_default().resources;
            // For the moments in which both releases run, processor time is shared; memory and disk cannot be.
            promised.cpu_millis -= retiring.iter().filter(|row| row.node_id == node.id).map(|row| row.cpu_millis).sum::<i64>();
            Candidate {
                // What runs there already may be started again there.
                cordoned: node.cordoned && only.is_none(),
                is_home: home == Some(node.id),
                ..Candidate::of(node, promised)
            }
        })
        .collect();
    let instances = match work.operation.kind {
        OperationKind::Scale => work.application.desired_instances - web_instances(work).await?.len() as i64,
        _ if work.payload.only.is_some() => 1,
        _ => work.application.desired_instances,
    };
    let demand = Demand {
        region,
        resources: Resources { cpu_millis: plan.cpu_millis, memory_bytes: plan.memory_bytes, storage_bytes: plan.storage_bytes },
        instances: u32::try_from(instances).unwrap_or(0),
        has_visitors,
    };
    placement::place(&candidates, &demand).map_err(|refusal| {
        Halt::Refused(
            TaskFailure::new(rollout::INSUFFICIENT_CAPACITY, refusal.to_string())
                .fix("Choose a smaller plan or fewer instances, or ask the administrator for another node."),
        )
    })
}
