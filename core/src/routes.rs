//! Which host names lead to which instances, and the name of that fact.

use slipway_model::{ApplicationId, Hostname, InstanceId, NodeId, Sha256Digest, Slug};
use slipway_plugin_host::messages::{ApplicationRoute, Backend};
use slipway_store::{
    Tx,
    instances::{self, Routed},
    nodes,
};

use crate::{Config, error::Result};

/// The route of one application on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub application: ApplicationId,
    pub hostname: Hostname,
    pub backends: Vec<(InstanceId, u16)>,
}

impl Route {
    /// Equal revisions lead the same names to the same instances.
    pub(crate) fn revision(&self) -> String {
        let mut text = format!("v1\n{}\n", self.hostname);
        for (instance, port) in &self.backends {
            text.push_str(&format!("{instance}:{port}\n"));
        }
        Sha256Digest::of(text.as_bytes()).to_string()[..16].to_owned()
    }

    /// As the ingress plugin is asked for it.
    pub(crate) fn request(&self) -> ApplicationRoute {
        ApplicationRoute {
            application: self.application.to_string(),
            revision: self.revision(),
            hostnames: vec![self.hostname.to_string()],
            backends: self.backends.iter().map(|(instance, port)| Backend { instance: instance.to_string(), port: *port }).collect(),
            tls: false,
        }
    }
}

/// The system domain of an application (R13.1).
pub(crate) fn hostname(config: &Config, slug: &Slug) -> anyhow::Result<Hostname> {
    Ok(format!("{slug}.{}", config.platform_domain).parse()?)
}

/// Every route of a node, by application. Instances that serve nothing are in none.
pub(crate) async fn of_node(tx: &mut Tx, config: &Config, node: NodeId) -> Result<Vec<Route>> {
    let rows = instances::routed_on(tx, node).await?;
    let mut routes: Vec<Route> = Vec::new();
    for Routed { id, application_id, slug, port } in rows {
        let Some(port) = port else { continue };
        match routes.last_mut().filter(|route| route.application == application_id) {
            Some(route) => route.backends.push((id, port)),
            None => routes.push(Route { application: application_id, hostname: hostname(config, &slug)?, backends: vec![(id, port)] }),
        }
    }
    Ok(routes)
}

/// The application's names have changed: every node that routes to it gets a new route table.
pub(crate) async fn rename(tx: &mut Tx, application: ApplicationId) -> Result<Vec<NodeId>> {
    let rows = instances::desired_of(tx, &slipway_model::Viewer::Platform, application).await?;
    let mut touched: Vec<NodeId> = rows.iter().filter(|row| row.routed).map(|row| row.node_id).collect();
    touched.sort();
    touched.dedup();
    for node in &touched {
        nodes::bump_generation(tx, *node).await?;
    }
    Ok(touched)
}
