//! Which host names lead to which instances, and the name of that fact.

use slipway_model::{ApplicationId, Hostname, InstanceId, NodeId, Sha256Digest, Slug};
use slipway_plugin_host::{
    Plugin,
    messages::{ApplicationRoute, Backend},
};
use slipway_store::{
    Tx,
    instances::{self, Routed},
    nodes,
};

use crate::{Config, error::Result};

/// Characters of a route's own revision, and of what is behind it.
const REVISION: usize = 16;
const RENDERING: usize = 8;

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
        name(&text, REVISION)
    }

    /// As the ingress plugin is asked for it.
    pub(crate) fn request(&self, rendering: &str) -> ApplicationRoute {
        ApplicationRoute {
            application: self.application.to_string(),
            revision: self.revision() + rendering,
            hostnames: vec![self.hostname.to_string()],
            backends: self.backends.iter().map(|(instance, port)| Backend { instance: instance.to_string(), port: *port }).collect(),
            tls: false,
        }
    }
}

/// By whom routes are rendered, and how they are set: behind a route's own revision, so that files are written anew, and seen in force
/// anew, where that changed and the route did not. To be read before the plugin is asked: then it is never ahead of what comes back.
pub(crate) fn rendering(plugin: &Plugin) -> String {
    let settings = plugin.settings_name().unwrap_or_default();
    name(&format!("v1\n{}\n{}\n{settings}\n", plugin.id(), plugin.library_sha256()), RENDERING)
}

/// The route's own revision, out of what a node has seen in force.
pub(crate) fn own_revision(seen: &str) -> &str {
    seen.get(..REVISION).unwrap_or(seen)
}

fn name(text: &str, characters: usize) -> String {
    Sha256Digest::of(text.as_bytes()).to_string()[..characters].to_owned()
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
