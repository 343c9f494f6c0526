use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_model::{
    ApplicationId, DeploymentId, EnvKey, HealthCheck, Hostname, InstanceId, OrganizationId, ReleaseId, Resources, Secret,
    state::RestartPolicy,
};

/// Everything that should be on one node. Whatever Slipway made there and is not named here goes away.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DesiredState {
    /// Grows with every change; a lower one than the agent has is ignored.
    pub generation: u64,
    pub instances: Vec<DesiredInstance>,
    pub routes: Vec<DesiredRoute>,
    /// Images that must stay: those of the instances, and of releases that can be returned to.
    pub keep_images: Vec<String>,
    /// The proxy that the routes are written for; `None`: Traefik, which agents know by themselves.
    #[serde(default)]
    pub proxy: Option<DesiredProxy>,
}

/// How to run another proxy than Traefik, in the words of the ingress plugin's manifest. In every text, and in what the plugin
/// renders, `@root@` stands for the folder of the proxy's files, `@routes@` for that of the routes, `@web@` for the address for
/// visitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredProxy {
    /// Such as `nginx`. Which file that is, the node's administrator says.
    pub program: String,
    /// What the name of every route file ends in.
    pub route_suffix: String,
    /// What a line of comment begins with in a route file.
    pub comment: String,
    /// The proxy's own files, by name.
    pub files: BTreeMap<String, String>,
    /// Arguments with which it runs in the foreground.
    pub run: Vec<String>,
    /// Arguments with which it reads its files, says what is wrong with them, and ends with 0 if nothing is.
    pub check: Vec<String>,
    /// The signal at which it reads its files again: `HUP`, `USR1` or `USR2`.
    pub reload: String,
    /// A path at which every route answers by itself, for applications that are slow to answer.
    pub confirm_path: Option<String>,
}

/// One container that should run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DesiredInstance {
    pub id: InstanceId,
    pub application: ApplicationId,
    pub organization: OrganizationId,
    pub deployment: DeploymentId,
    pub release: ReleaseId,
    /// `web`, `worker`, ... as the build plan names it.
    pub process: String,
    /// Image reference on the node, as the build task reported it.
    pub image: String,
    /// `None`: the image's own command.
    pub command: Option<Vec<String>>,
    #[serde(serialize_with = "crate::expose_values")]
    pub env: BTreeMap<EnvKey, Secret>,
    /// Port that the process listens on; `None` for a process that serves nothing and is healthy once it has run for a while.
    pub port: Option<u16>,
    pub resources: Resources,
    pub health: HealthCheck,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_grace_seconds: u32,
    /// Seconds to go on serving after the route has left it.
    pub drain_seconds: u32,
    /// Whether it is started again when it ends by itself.
    #[serde(default)]
    pub restart: RestartPolicy,
}

/// One file of the ingress, as its plugin rendered it, with `@ins_…@` in the place of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredRoute {
    pub application: ApplicationId,
    /// Equal revisions are equal files.
    pub revision: String,
    /// File name without directories.
    pub file: String,
    pub content: String,
    /// A name that the route answers to, for the request that confirms it.
    pub hostname: Hostname,
    /// Those that must have an address before the file is written.
    pub instances: Vec<InstanceId>,
}
