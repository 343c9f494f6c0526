//! What was done to the platform, by whom: rows that are added and never changed, each chained to the one before it by a hash.
//!
//! A transaction that is committed under [`record`] writes its row itself: see [`recording`].

mod recording;

use std::collections::HashMap;

use slipway_model::{
    ApiTokenId, ApplicationId, AuditEventId, DeploymentId, InstanceId, InvitationId, MembershipId, OperationId, OrganizationId,
    Sha256Digest, Timestamp, UploadId, UserId, VariableId, Viewer, state::AuditOutcome,
};
use uuid::Uuid;

pub use self::recording::{Recorded, note_actor, note_organization, note_outcome, note_refusals, note_subject, record};
pub(crate) use self::recording::{pending, written};
use crate::{Cursor, Listed, Order, Page, Slice, Sql, StoreError, Tx};

row! {
    pub struct AuditEvent {
        /// Its place in the chain, from 1 without gaps.
        pub sequence: i64,
        pub id: AuditEventId,
        /// Whose it was, if the one who acted belonged there.
        pub organization_id: Option<OrganizationId>,
        /// `None`: nobody was signed in.
        pub actor_id: Option<UserId>,
        /// The id of the session or API token that it came with.
        pub credential: Option<String>,
        pub ip: Option<String>,
        pub user_agent: Option<String>,
        /// The mutation.
        pub action: String,
        /// The id of what it was done to.
        pub subject: Option<String>,
        pub outcome: AuditOutcome,
        /// What was asked, without any text of the caller's: JSON, as it was hashed.
        pub data: Option<String>,
        pub previous_hash: Sha256Digest,
        pub hash: Sha256Digest,
        pub created_at: Timestamp,
    }
}

impl Listed for AuditEvent {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// An event that has no place in the chain yet.
#[derive(Debug, Clone)]
pub struct NewAuditEvent {
    pub id: AuditEventId,
    pub organization_id: Option<OrganizationId>,
    pub actor_id: Option<UserId>,
    pub credential: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub action: String,
    pub subject: Option<String>,
    pub outcome: AuditOutcome,
    pub data: Option<serde_json::Value>,
    pub created_at: Timestamp,
}

impl AuditEvent {
    /// Over everything it says and the hash before it. The leading number is the version of this form.
    fn expected_hash(&self) -> Sha256Digest {
        let content = serde_json::json!([
            1,
            self.previous_hash.to_string(),
            self.sequence,
            self.id.to_string(),
            self.organization_id.map(|id| id.to_string()),
            self.actor_id.map(|id| id.to_string()),
            self.credential,
            self.ip,
            self.user_agent,
            self.action,
            self.subject,
            self.outcome.as_str(),
            self.data,
            self.created_at.timestamp_micros(),
        ]);
        Sha256Digest::of(content.to_string().as_bytes())
    }
}

/// Adds an event to the chain. Best as a transaction's last write: until its end others wait to write theirs.
pub async fn append(tx: &mut Tx, new: &NewAuditEvent) -> Result<AuditEvent, StoreError> {
    let (sequence, previous_hash) = fetch_one!(tx, "UPDATE audit_head SET sequence = sequence + 1 RETURNING sequence, hash")?;
    // A NUL would be replaced on its way into the database, and hash otherwise.
    let clean = |text: &Option<String>| text.as_ref().map(|text| text.replace('\0', "\u{fffd}"));
    let mut event = AuditEvent {
        sequence,
        id: new.id,
        organization_id: new.organization_id,
        actor_id: new.actor_id,
        credential: clean(&new.credential),
        ip: clean(&new.ip),
        user_agent: clean(&new.user_agent),
        action: new.action.replace('\0', "\u{fffd}"),
        subject: clean(&new.subject),
        outcome: new.outcome,
        data: new.data.as_ref().map(ToString::to_string),
        previous_hash,
        hash: previous_hash,
        created_at: new.created_at,
    };
    event.hash = event.expected_hash();
    execute!(
        tx,
        "INSERT INTO audit_events (sequence, id, organization_id, actor_id, credential, ip, user_agent, action, subject, outcome, data,
            previous_hash, hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        event.sequence,
        event.id,
        event.organization_id,
        event.actor_id,
        event.credential.as_ref(),
        event.ip.as_ref(),
        event.user_agent.as_ref(),
        &event.action,
        event.subject.as_ref(),
        event.outcome,
        event.data.as_ref(),
        event.previous_hash,
        event.hash,
        event.created_at
    )?;
    execute!(tx, "UPDATE audit_head SET hash = $1", event.hash)?;
    Ok(event)
}

/// What came of looking at the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Nothing was changed, removed or moved.
    Whole { events: i64, head: Sha256Digest },
    /// The first place where what is written is not what was written.
    Broken { sequence: i64 },
}

/// Rows that are looked at together.
const BATCH: i64 = 500;

/// Follows the whole chain from its beginning.
pub async fn verify(tx: &mut Tx) -> Result<Chain, StoreError> {
    let (mut sequence, mut hash) = (0, Sha256Digest::from_bytes([0; 32]));
    loop {
        let events: Vec<AuditEvent> =
            fetch_all!(tx, "SELECT * FROM audit_events WHERE sequence > $1 ORDER BY sequence LIMIT $2", sequence, BATCH)?;
        if events.is_empty() {
            break;
        }
        for event in events {
            let follows = event.sequence == sequence + 1 && event.previous_hash == hash;
            if !follows || event.hash != event.expected_hash() {
                return Ok(Chain::Broken { sequence: sequence + 1 });
            }
            (sequence, hash) = (event.sequence, event.hash);
        }
    }
    let head: Option<(i64, Sha256Digest)> = fetch_optional!(tx, "SELECT sequence, hash FROM audit_head")?;
    Ok(if head == Some((sequence, hash)) {
        Chain::Whole { events: sequence, head: hash }
    } else {
        // The last ones were cut off.
        Chain::Broken { sequence: sequence + 1 }
    })
}

/// Which events are listed.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub organization: Option<OrganizationId>,
    pub action: Option<String>,
    pub since: Option<Timestamp>,
}

/// Newest first. Those of no organization are for administrators of the platform.
pub async fn list(tx: &mut Tx, viewer: &Viewer, filter: &AuditFilter, page: &Page) -> Result<Slice<AuditEvent>, StoreError> {
    let mut sql = sql!("SELECT * FROM audit_events WHERE 1 = 1").within("organization_id", viewer);
    if let Some(organization) = filter.organization {
        sql = sql.and("organization_id = ?", [organization]);
    }
    if let Some(action) = &filter.action {
        sql = sql.and("action = ?", [action]);
    }
    if let Some(since) = filter.since {
        sql = sql.and("created_at >= ?", [since]);
    }
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Of each organization, newest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<AuditEvent>>, StoreError> {
    let list = |organization| sql!("SELECT * FROM audit_events WHERE organization_id = $1", organization);
    let within = |sql: Sql| sql.within("organization_id", viewer);
    tx.fetch_slices(organizations, list, within, |row: &AuditEvent| row.organization_id, page, Order::NewestFirst).await
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: AuditEventId) -> Result<Option<AuditEvent>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM audit_events WHERE id = $1", id).within("organization_id", viewer))
}

/// Whose a thing is, by its id. Takes no viewer: whoever writes down what was asked, says nothing of it to the one who asked.
pub async fn organization_of(tx: &mut Tx, subject: &str) -> Result<Option<OrganizationId>, StoreError> {
    macro_rules! id {
        ($id:ty) => {
            match subject.parse::<$id>() {
                Ok(id) => id.uuid(),
                Err(_) => return Ok(None),
            }
        };
    }
    let (sql, id): (&'static str, Uuid) = match subject.split('_').next().unwrap_or_default() {
        OrganizationId::PREFIX => ("SELECT id FROM organizations WHERE id = $1", id!(OrganizationId)),
        ApplicationId::PREFIX => ("SELECT organization_id FROM applications WHERE id = $1", id!(ApplicationId)),
        DeploymentId::PREFIX => ("SELECT organization_id FROM deployments WHERE id = $1", id!(DeploymentId)),
        InstanceId::PREFIX => ("SELECT organization_id FROM instances WHERE id = $1", id!(InstanceId)),
        VariableId::PREFIX => ("SELECT organization_id FROM variables WHERE id = $1", id!(VariableId)),
        UploadId::PREFIX => ("SELECT organization_id FROM uploads WHERE id = $1", id!(UploadId)),
        OperationId::PREFIX => ("SELECT organization_id FROM operations WHERE id = $1", id!(OperationId)),
        MembershipId::PREFIX => ("SELECT organization_id FROM memberships WHERE id = $1", id!(MembershipId)),
        InvitationId::PREFIX => ("SELECT organization_id FROM invitations WHERE id = $1", id!(InvitationId)),
        ApiTokenId::PREFIX => ("SELECT organization_id FROM api_tokens WHERE id = $1", id!(ApiTokenId)),
        _ => return Ok(None),
    };
    let row: Option<(Option<OrganizationId>,)> = tx.fetch_optional(crate::Sql::new(sql).bind(id)).await?;
    Ok(row.and_then(|(organization,)| organization))
}
