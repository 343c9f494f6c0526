//! Worker nodes: how they join, what an administrator may change, and how they leave.

mod drain;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use slipway_model::{ApplicationId, DisplayName, EnrollmentTokenId, NodeId, RegionId, Secret, Sha256Digest, Viewer, state::NodeStatus};
use slipway_protocol::EnrollmentToken as Token;
use slipway_store::{
    Page, Slice, StoreError, applications,
    enrollment_tokens::{self, EnrollmentToken},
    instances,
    nodes::{self, Node},
    operations, regions,
};

use crate::{
    Platform,
    changes::Changed,
    error::{Error, Refusals, Result, UserError, UserErrorCode},
    events, instances as rules,
    plans::require_admin,
};

pub use drain::{Drained, Stays, drain};

const SHORTEST_TTL_SECONDS: i64 = 60;
const LONGEST_TTL_SECONDS: i64 = 24 * 60 * 60;
/// Of the token's text: enough to tell tokens apart, too little to guess one.
const PREFIX_CHARACTERS: usize = 20;
const MAX_LABEL_BYTES: usize = 16 * 1024;

/// A token just made. Its text is not kept.
#[derive(Debug)]
pub struct NewToken {
    pub row: EnrollmentToken,
    pub token: Secret,
    /// SHA-256 of the certificate of the authority that the agent will trust.
    pub ca_fingerprint: Sha256Digest,
}

/// What an administrator may change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct NodeChange {
    pub name: Option<String>,
    pub labels: Option<serde_json::Value>,
    pub cordoned: Option<bool>,
}

/// Invites one node into a region (R3.1).
///
/// # Errors
/// Refusals of the input.
pub async fn enrollment_token_create(
    p: &Platform,
    viewer: &Viewer,
    region: RegionId,
    node_name: Option<String>,
    ttl_seconds: i64,
) -> Result<NewToken> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let node_name = node_name.and_then(|name| refusals.parse::<DisplayName>("nodeName", &name));
    refusals.check((SHORTEST_TTL_SECONDS..=LONGEST_TTL_SECONDS).contains(&ttl_seconds), || {
        UserError::invalid("ttlSeconds", format!("Use {SHORTEST_TTL_SECONDS} to {LONGEST_TTL_SECONDS} seconds."))
    });
    refusals.done()?;
    let mut secret = [0; 32];
    p.clock.fill(&mut secret);
    let token = Token { ca: p.fleet.authority_digest(), secret };
    let text = token.to_secret();
    // Every token of one platform begins with the same digest: its own part is at the end.
    let tail = text.expose().len().saturating_sub(8);
    let prefix = format!("{}…{}", &text.expose()[..PREFIX_CHARACTERS.min(tail)], &text.expose()[tail..]);
    let now = p.now();
    let row = EnrollmentToken {
        id: EnrollmentTokenId::new(&*p.clock),
        region_id: region,
        token_digest: token.digest().as_bytes().to_vec(),
        prefix,
        node_name: node_name.map(String::from),
        expires_at: now + TimeDelta::seconds(ttl_seconds),
        used_at: None,
        used_by: None,
        revoked_at: None,
        created_by: viewer.user_id(),
        created_at: now,
    };
    let mut tx = p.db.begin().await?;
    if regions::find(&mut tx, region).await?.is_none() {
        return Err(UserError::not_found("regionId", "region").into());
    }
    enrollment_tokens::insert(&mut tx, &row).await?;
    slipway_store::audit::note_subject(row.id);
    tx.commit().await?;
    Ok(NewToken { row, token: text, ca_fingerprint: token.ca })
}

/// # Errors
/// There is none, or it was used or revoked before.
pub async fn enrollment_token_revoke(p: &Platform, viewer: &Viewer, id: EnrollmentTokenId) -> Result<()> {
    require_admin(viewer)?;
    let mut tx = p.db.begin().await?;
    if enrollment_tokens::find(&mut tx, id).await?.is_none() {
        return Err(UserError::not_found("id", "enrollment token").into());
    }
    if !enrollment_tokens::revoke(&mut tx, id, p.now()).await? {
        return Err(UserError::invalid_state("The token was used or revoked before.").into());
    }
    tx.commit().await?;
    Ok(())
}

/// Newest first.
///
/// # Errors
/// Those of the database.
pub async fn enrollment_tokens(p: &Platform, viewer: &Viewer, page: &Page) -> Result<Slice<EnrollmentToken>> {
    require_admin(viewer)?;
    Ok(enrollment_tokens::list(&mut p.db.read_once().await?, page).await?)
}

/// # Errors
/// Those of the database.
pub async fn find(p: &Platform, viewer: &Viewer, id: NodeId) -> Result<Option<Node>> {
    require_admin(viewer)?;
    Ok(nodes::find(&mut p.db.read_once().await?, id).await?)
}

/// Newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(
    p: &Platform,
    viewer: &Viewer,
    region: Option<RegionId>,
    statuses: Option<Vec<NodeStatus>>,
    page: &Page,
) -> Result<Slice<Node>> {
    require_admin(viewer)?;
    Ok(nodes::list(&mut p.db.read_once().await?, region, statuses.as_deref(), page).await?)
}

/// A cordoned node keeps what runs on it and takes no new deployments (R4.5).
///
/// # Errors
/// Refusals of the input.
pub async fn update(p: &Platform, viewer: &Viewer, id: NodeId, change: NodeChange) -> Result<Node> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let name = change.name.and_then(|name| refusals.parse::<DisplayName>("name", &name));
    let is_labels = |labels: &serde_json::Value| {
        labels.as_object().is_some_and(|labels| labels.values().all(serde_json::Value::is_string))
            && labels.to_string().len() <= MAX_LABEL_BYTES
    };
    refusals.check(change.labels.as_ref().is_none_or(is_labels), || {
        UserError::invalid("labels", "Use an object of names and texts, of at most 16 KiB.")
    });
    refusals.done()?;
    let mut tx = p.db.begin().await?;
    let mut node = nodes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "worker node"))?;
    if let Some(name) = name {
        node.name = name.into();
    }
    if let Some(labels) = change.labels {
        node.labels = labels;
    }
    if let Some(cordoned) = change.cordoned {
        if cordoned != node.cordoned {
            let what = if cordoned { "takes no new deployments" } else { "takes deployments again" };
            events::record_platform(&mut tx, p, id.to_string(), "node.cordoned", format!("Node {} {what}.", node.name)).await?;
        }
        node.cordoned = cordoned;
    }
    node.updated_at = p.now();
    nodes::update(&mut tx, &node).await?;
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(id));
    Ok(node)
}

/// Makes the node's key worthless at once. What runs on it is given up: nobody can say any more how it is.
///
/// # Errors
/// There is none, or it is revoked already.
pub async fn revoke(p: &Platform, viewer: &Viewer, id: NodeId) -> Result<Node> {
    require_admin(viewer)?;
    let open = instances::open_on(&mut p.db.read_once().await?, id).await?;
    let applications: BTreeSet<ApplicationId> = open.iter().map(|row| row.application_id).collect();
    let mut tx = p.db.begin().await?;
    for application in &applications {
        applications::lock(&mut tx, &Viewer::Platform, *application).await?;
    }
    let node = nodes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "worker node"))?;
    if !nodes::revoke(&mut tx, id, p.now()).await? {
        return Err(UserError::invalid_state("The node's identity is revoked already.").into());
    }
    let mut open = instances::open_on(&mut tx, id).await?;
    // One that came in between is lost by its own change: it waits for a node that never speaks again.
    open.retain(|row| applications.contains(&row.application_id));
    rules::lose(&mut tx, p, &open).await?;
    let affected: Vec<ApplicationId> = applications.iter().copied().collect();
    operations::nudge(&mut tx, &affected, p.now()).await?;
    for application in &affected {
        rules::refresh_status(&mut tx, p, *application).await?;
    }
    events::record_platform(&mut tx, p, id.to_string(), "node.revoked", format!("The identity of node {} was revoked.", node.name)).await?;
    let node = nodes::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    p.fleet.disconnect(id);
    p.changes.publish(None, Changed::Node(id));
    for row in &open {
        p.changes.publish(Some(row.organization_id), Changed::Application(row.application_id));
    }
    p.wake.wake();
    Ok(node)
}

/// Has a node make another key. The one that it has holds until it comes with the new one, and is worth nothing from then on.
///
/// # Errors
/// There is none, it is not connected here, or its agent is too old.
pub async fn renew_key(p: &Platform, viewer: &Viewer, id: NodeId) -> Result<Node> {
    require_admin(viewer)?;
    let mut tx = p.db.begin().await?;
    let node = nodes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "worker node"))?;
    if node.revoked_at.is_some() {
        return Err(UserError::invalid_state("The node's identity is revoked. Enroll the machine again.").into());
    }
    match p.fleet.renew_key(id) {
        Some(true) => {}
        Some(false) => {
            return Err(UserError::new(UserErrorCode::Unsupported, "id", "The node's agent is too old for that. Upgrade it first.").into());
        }
        None => return Err(UserError::new(UserErrorCode::NodeOffline, "id", "The node is not connected. Try again when it is.").into()),
    }
    let message = format!("Node {} was told to make another key.", node.name);
    events::record_platform(&mut tx, p, id.to_string(), "node.key_renewal", message).await?;
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(id));
    Ok(node)
}

/// Forgets a node that nothing ever ran on.
///
/// # Errors
/// There is none, or something ran on it.
pub async fn delete(p: &Platform, viewer: &Viewer, id: NodeId) -> Result<NodeId> {
    require_admin(viewer)?;
    let mut tx = p.db.begin().await?;
    let node = nodes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "worker node"))?;
    match nodes::delete(&mut tx, id).await {
        Err(StoreError::Reference) => {
            return Err(
                UserError::in_use("Applications have run on this node, and its history is kept. Revoke its identity instead.").into()
            );
        }
        outcome => outcome?,
    };
    let mut tx = tx;
    events::record_platform(&mut tx, p, id.to_string(), "node.deleted", format!("Node {} was deleted.", node.name)).await?;
    tx.commit().await?;
    p.fleet.disconnect(id);
    p.changes.publish(None, Changed::Node(id));
    Ok(id)
}
