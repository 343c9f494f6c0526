//! What every container of an application is: isolated (R14). A pure function from what is wanted to what the engine is asked,
//! so that a test sees all of it.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use slipway_model::NodeId;

use super::{labels, networks};
use crate::engine::ContainerSpec;

/// Who runs what an image leaves to root.
pub const FALLBACK_USER: &str = "1000:1000";
/// Processes and threads of one container.
const PIDS: i64 = 512;
/// Three files of this size: 30 MB of output per container stay on the disk.
const LOG_FILE_SIZE: &str = "10m";
const LOG_FILES: &str = "3";
/// Of `/tmp` and `/dev/shm`, which count as memory.
const MAX_TMPFS_BYTES: i64 = 256 << 20;

/// The user that the container runs as, and what to say if that is not what its image asks.
pub fn user(of_image: Option<&str>) -> (String, Option<String>) {
    let asked = of_image.unwrap_or_default().trim();
    let name = asked.split(':').next().unwrap_or_default();
    let is_root = name.is_empty() || name == "root" || name.bytes().all(|digit| digit == b'0');
    if is_root {
        let note = format!("its image runs as root, which is not allowed here: it runs as user {FALLBACK_USER}");
        (FALLBACK_USER.to_owned(), Some(note))
    } else {
        (asked.to_owned(), None)
    }
}

/// The body of the request that creates the container.
pub fn create_body(spec: &ContainerSpec, node: NodeId, image_user: Option<&str>) -> ContainerCreateBody {
    let (user, note) = user(image_user);
    let network = networks::name(spec.organization);
    // The first word as entrypoint, so that an image's own entrypoint cannot come before it.
    let (entrypoint, cmd) = match spec.command.as_deref() {
        Some([program, arguments @ ..]) => (Some(vec![program.clone()]), Some(arguments.to_vec())),
        Some([]) | None => (None, None),
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        user: Some(user),
        entrypoint,
        cmd,
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={}", value.expose())).collect()),
        labels: Some(labels::of(spec, node, note)),
        stop_timeout: Some(i64::from(spec.stop_grace_seconds)),
        tty: Some(false),
        open_stdin: Some(false),
        host_config: Some(host_config(spec, &network)),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(network, EndpointSettings::default())])) }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, network: &str) -> HostConfig {
    let memory = spec.resources.memory_bytes.max(16 << 20);
    let tmpfs = (memory / 2).min(MAX_TMPFS_BYTES);
    HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        network_mode: Some(network.to_owned()),
        ipc_mode: Some("private".to_owned()),
        publish_all_ports: Some(false),
        memory: Some(memory),
        // Equal to memory: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(spec.resources.cpu_millis.max(10) * 1_000_000),
        pids_limit: Some(PIDS),
        // Open files are left as the engine has them: more than its own limit could make no container start.
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }]),
        shm_size: Some(tmpfs.min(64 << 20)),
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), format!("rw,nosuid,nodev,mode=1777,size={tmpfs}"))])),
        init: Some(true),
        // Of all that runs on the machine, an application goes first.
        oom_score_adj: Some(500),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([("max-size".to_owned(), LOG_FILE_SIZE.to_owned()), ("max-file".to_owned(), LOG_FILES.to_owned())])),
        }),
        // The agent restarts, because it counts.
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        auto_remove: Some(false),
        ..HostConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_runs_as_root() {
        for root in [None, Some(""), Some("root"), Some("0"), Some("0:0"), Some("00"), Some("root:root"), Some(":0")] {
            let (user, note) = user(root);
            assert_eq!(user, FALLBACK_USER, "{root:?}");
            assert!(note.is_some());
        }
        assert_eq!(user(Some("node")), ("node".to_owned(), None));
        assert_eq!(user(Some("33:33")), ("33:33".to_owned(), None));
    }
}
