//! Which route each node was last seen to serve.

use std::collections::HashMap;

use slipway_model::{ApplicationId, NodeId};

use crate::{StoreError, Tx};

row! {
    pub struct ObservedRoute {
        pub node_id: NodeId,
        pub application_id: ApplicationId,
        pub revision_in_force: Option<String>,
        /// Why the wanted one is not in force yet.
        pub problem: Option<String>,
    }
}

pub async fn find(tx: &mut Tx, node: NodeId, application: ApplicationId) -> Result<Option<ObservedRoute>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM observed_routes WHERE node_id = $1 AND application_id = $2", node, application)
}

/// Replaces what was known of the node's routes. Gives the applications of which something changed.
pub async fn replace(tx: &mut Tx, node: NodeId, routes: &[ObservedRoute]) -> Result<Vec<ApplicationId>, StoreError> {
    let known: Vec<ObservedRoute> = fetch_all!(tx, "SELECT * FROM observed_routes WHERE node_id = $1", node)?;
    let mut known: HashMap<ApplicationId, ObservedRoute> = known.into_iter().map(|route| (route.application_id, route)).collect();
    let mut changed = Vec::new();
    for route in routes {
        if known.remove(&route.application_id).as_ref() == Some(route) {
            continue;
        }
        changed.push(route.application_id);
        execute!(
            tx,
            "INSERT INTO observed_routes (node_id, application_id, revision_in_force, problem) VALUES ($1, $2, $3, $4)
             ON CONFLICT (node_id, application_id) DO UPDATE SET revision_in_force = excluded.revision_in_force, problem = excluded.problem",
            node,
            route.application_id,
            route.revision_in_force.as_ref(),
            route.problem.as_ref()
        )?;
    }
    for application in known.into_keys() {
        changed.push(application);
        execute!(tx, "DELETE FROM observed_routes WHERE node_id = $1 AND application_id = $2", node, application)?;
    }
    Ok(changed)
}
