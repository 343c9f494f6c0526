//! What one node should do, made from the database.

use std::collections::HashMap;

use anyhow::Context;
use slipway_model::{ApplicationId, InstanceId, NodeId, ReleaseId, Resources, Viewer, state::RestartPolicy};
use slipway_plugin_host::{Kind, messages::RouteTable};
use slipway_protocol::{DesiredInstance, DesiredProxy, DesiredRoute, DesiredState, Task};
use slipway_store::{applications, instances, nodes, releases as stored, tasks};

use crate::{
    Platform, operations,
    releases::{self, Environment},
    routes::{self, Route},
};

/// Between SIGTERM and SIGKILL.
const STOP_GRACE_SECONDS: u32 = 10;
/// Measured: with one second after the route has left an instance no request is lost. Twice that, for slower ones.
const DRAIN_SECONDS: u32 = 2;

/// The whole desired state of a node at one moment.
///
/// # Errors
/// Anything that would make it incomplete: what is left out of it would be taken away.
pub(super) async fn load(p: &Platform, node: NodeId) -> anyhow::Result<DesiredState> {
    let viewer = &Viewer::Platform;
    let mut tx = p.db.read().await?;
    let generation = nodes::find(&mut tx, node).await?.context("the node is gone")?.generation;
    let rows = instances::desired_on(&mut tx, node).await?;
    let wanted: Vec<ReleaseId> = rows.iter().map(|row| row.release_id).collect();
    let wanted = stored::by_ids(&mut tx, viewer, &wanted).await?;
    let table = routes::of_node(&mut tx, &p.config, node).await?;
    let of: Vec<ApplicationId> = rows.iter().map(|row| row.application_id).collect();
    let of = applications::by_ids(&mut tx, viewer, &of).await?;
    let mut keep_images = stored::images_to_keep(&mut tx, node, releases::KEPT).await?;
    drop(tx);

    let mut desired = Vec::with_capacity(rows.len());
    for row in rows {
        let release = wanted.get(&row.release_id).context("an instance without its release")?;
        let restart = of.get(&row.application_id).map(|application| application.restart_policy).unwrap_or_default();
        desired.push(DesiredInstance { restart, ..instance(p, release, row)? });
    }
    keep_images.extend(desired.iter().map(|instance| instance.image.clone()));
    keep_images.sort();
    keep_images.dedup();
    let routes = render(p, table).await?;
    Ok(DesiredState { generation: generation.unsigned_abs(), instances: desired, routes, keep_images, proxy: proxy(p) })
}

/// The proxy that the ingress plugin asks for, if it is another one than agents know by themselves.
fn proxy(p: &Platform) -> Option<DesiredProxy> {
    let plugin = p.plugins.of_kind(Kind::Ingress).into_iter().next()?;
    let asked = plugin.manifest().proxy.clone()?;
    Some(DesiredProxy {
        program: asked.program,
        route_suffix: asked.route_suffix,
        comment: asked.comment,
        files: asked.files,
        run: asked.run,
        check: asked.check,
        reload: asked.reload,
        confirm_path: asked.confirm_path,
    })
}

fn instance(p: &Platform, release: &stored::Release, row: instances::Instance) -> anyhow::Result<DesiredInstance> {
    let processes = releases::processes(release)?;
    let process =
        processes.iter().find(|process| process.name == row.process).context("an instance of a process that its release has not")?;
    let is_web = process.kind == slipway_buildpack_wit::ProcessKind::Web;
    let frozen = releases::environment(p, release)?;
    Ok(DesiredInstance {
        id: row.id,
        application: row.application_id,
        organization: row.organization_id,
        deployment: row.deployment_id,
        release: row.release_id,
        process: row.process.clone(),
        image: release.image.clone(),
        command: releases::argv(&process.command),
        env: Environment { release, process }.complete(frozen),
        port: release.port.filter(|_| is_web),
        resources: Resources { cpu_millis: row.cpu_millis, memory_bytes: row.memory_bytes, storage_bytes: row.storage_bytes },
        health: release.health.clone(),
        stop_grace_seconds: STOP_GRACE_SECONDS,
        drain_seconds: if is_web { DRAIN_SECONDS } else { 0 },
        restart: RestartPolicy::default(),
    })
}

/// The route table as the ingress plugin renders it.
async fn render(p: &Platform, table: Vec<Route>) -> anyhow::Result<Vec<DesiredRoute>> {
    if table.is_empty() {
        return Ok(vec![]);
    }
    let plugin = p.plugins.of_kind(Kind::Ingress).into_iter().next().context("no ingress plugin is enabled")?;
    let rendering = routes::rendering(&plugin);
    let request = RouteTable { applications: table.iter().map(|route| route.request(&rendering)).collect() };
    let mut files: HashMap<String, _> =
        plugin.ingress_render(request).await?.files.into_iter().map(|file| (file.application.clone(), file)).collect();
    let desired = table.into_iter().map(|route| {
        let file = files.remove(&route.application.to_string()).context("the ingress plugin left an application out")?;
        Ok(DesiredRoute {
            application: route.application,
            revision: file.revision,
            file: file.name,
            content: file.content,
            hostname: route.hostname,
            instances: route.backends.iter().map(|(instance, _)| *instance).collect::<Vec<InstanceId>>(),
        })
    });
    desired.collect()
}

/// A stored task as it goes to its agent.
pub(super) fn task(p: &Platform, task: tasks::Task) -> anyhow::Result<Task> {
    operations::open_task(p, task)
}
