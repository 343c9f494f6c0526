//! A new node makes itself known, with a token that works once.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use http::StatusCode;
use slipway_model::{DisplayName, NodeId, state::NodeStatus};
use slipway_protocol::{EnrollRefusal, EnrollRequest, EnrollResponse, EnrollmentToken};
use slipway_store::{
    enrollment_tokens,
    nodes::{self, Node},
};

use crate::{Error, Platform, changes::Changed, events};

pub(super) async fn enroll(State(p): State<Platform>, body: Result<Json<EnrollRequest>, JsonRejection>) -> Response {
    let request = match body {
        Ok(Json(request)) => request,
        Err(rejection) => return refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", rejection.body_text()),
    };
    match admit(&p, request).await {
        Ok(Ok(node_id)) => (StatusCode::OK, Json(EnrollResponse { node_id })).into_response(),
        Ok(Err(refusal)) => {
            let status = if refusal.code == "TOKEN_INVALID" { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
            (status, Json(refusal)).into_response()
        }
        Err(error) => {
            tracing::error!(error = format!("{error:?}"), "a node could not be enrolled");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The control plane cannot enroll a node at the moment. Try again.")
        }
    }
}

fn refuse(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    (status, Json(EnrollRefusal { code: code.into(), message: message.into() })).into_response()
}

/// Spends the token and records the node, both or neither.
async fn admit(p: &Platform, request: EnrollRequest) -> Result<Result<NodeId, EnrollRefusal>, Error> {
    let refusal = |code: &str, message: &str| Ok(Err(EnrollRefusal { code: code.into(), message: message.into() }));
    // Unknown, used, expired and revoked are one answer: whoever guesses learns nothing.
    let invalid =
        || refusal("TOKEN_INVALID", "The enrollment token is unknown, used, expired or revoked. Ask an administrator for a new one.");
    let Ok(token) = request.token.expose().parse::<EnrollmentToken>() else { return invalid() };
    let public_key: Option<[u8; 32]> = HEXLOWER_PERMISSIVE.decode(request.public_key.as_bytes()).ok().and_then(|key| key.try_into().ok());
    let Some(public_key) = public_key.filter(|key| ed25519_dalek::VerifyingKey::from_bytes(key).is_ok()) else {
        return refusal("BAD_REQUEST", "The public key is not an Ed25519 key of 32 bytes in hexadecimal.");
    };
    let now = p.now();
    let id = NodeId::new(&*p.clock);
    let mut tx = p.db.begin().await?;
    if nodes::with_public_key(&mut tx, &public_key).await?.is_some() {
        return refusal("BAD_REQUEST", "A node with this key is enrolled already.");
    }
    let Some(invitation) = enrollment_tokens::valid(&mut tx, token.digest().as_bytes(), now).await? else { return invalid() };
    let told: Option<DisplayName> = request.name.parse().ok();
    let name =
        invitation.node_name.clone().or(told.map(String::from)).unwrap_or_else(|| format!("node-{}", HEXLOWER.encode(&public_key[..4])));
    let facts = request.facts;
    let node = Node {
        id,
        region_id: invitation.region_id,
        name,
        public_key: public_key.to_vec(),
        status: NodeStatus::Pending,
        public_address: facts.public_address,
        agent_version: Some(facts.agent_version),
        docker_version: facts.docker_version,
        kernel_version: facts.kernel_version,
        cpu_millis: facts.cpu_millis,
        memory_bytes: facts.memory_bytes,
        storage_bytes: facts.storage_bytes,
        ..Node::blank(id, invitation.region_id, now)
    };
    nodes::insert(&mut tx, &node).await?;
    // The condition is checked again here: of a hundred that come with one token, one gets it.
    if !enrollment_tokens::spend(&mut tx, invitation.id, id, now).await? {
        return invalid();
    }
    let message = format!("Node {} joined.", node.name);
    events::record_platform(&mut tx, p, id.to_string(), "node.enrolled", message).await?;
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(id));
    Ok(Ok(id))
}
