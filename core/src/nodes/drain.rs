//! Emptying a node: it takes nothing new, and what runs on it is brought up elsewhere before it goes there.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use slipway_model::{ApplicationId, NodeId, Viewer};
use slipway_store::{
    applications, instances,
    nodes::{self, Node},
    operations::Operation,
};

use crate::{
    Platform,
    changes::Changed,
    deployments,
    error::{Error, Result, UserError},
    events,
    plans::require_admin,
};

const SHORTEST_SECONDS: i64 = 60;
const LONGEST_SECONDS: i64 = 24 * 60 * 60;

/// What becomes of a node's applications.
#[derive(Debug)]
pub struct Drained {
    pub node: Node,
    /// One for each application that moves.
    pub moves: Vec<Operation>,
    /// What stays, and why.
    pub stays: Vec<Stays>,
}

/// An application that cannot be moved.
#[derive(Debug)]
pub struct Stays {
    pub application: ApplicationId,
    pub reason: String,
}

/// Cordons a node, and deploys everything that runs on it once more, on others of its region. Each application serves where it is until it
/// serves elsewhere; what has not moved by the deadline stays.
///
/// # Errors
/// There is no such node; a deadline out of range.
pub async fn drain(p: &Platform, viewer: &Viewer, id: NodeId, deadline_seconds: i64) -> Result<Drained> {
    require_admin(viewer)?;
    if !(SHORTEST_SECONDS..=LONGEST_SECONDS).contains(&deadline_seconds) {
        return Err(UserError::invalid("deadlineSeconds", format!("Use {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.")).into());
    }
    let mut tx = p.db.begin().await?;
    let mut node = nodes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "worker node"))?;
    if node.revoked_at.is_some() {
        return Err(UserError::invalid_state("The node's identity is revoked: nothing runs on it any more.").into());
    }
    node.cordoned = true;
    node.updated_at = p.now();
    nodes::update(&mut tx, &node).await?;
    let running: BTreeSet<ApplicationId> = instances::desired_on(&mut tx, id).await?.into_iter().map(|row| row.application_id).collect();
    let message = format!("Node {} takes nothing new, and its {} applications move elsewhere.", node.name, running.len());
    events::record_platform(&mut tx, p, id.to_string(), "node.draining", message).await?;
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(id));

    let until = p.now() + TimeDelta::seconds(deadline_seconds);
    let (mut moves, mut stays) = (Vec::new(), Vec::new());
    for application in running {
        let Some(row) = applications::find(&mut p.db.read_once().await?, &Viewer::Platform, application).await? else { continue };
        match deployments::move_away(p, &row, until).await {
            Ok((_, operation)) => moves.push(operation),
            Err(Error::User(reasons)) => {
                let reason = reasons.into_iter().map(|reason| reason.message).collect::<Vec<_>>().join(" ");
                stays.push(Stays { application, reason });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Drained { node, moves, stays })
}
