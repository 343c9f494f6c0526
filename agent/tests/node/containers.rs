//! R14, as the engine and the process itself see it.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::query_parameters::InspectContainerOptions;
use slipway_agent::engine::{ContainerSpec, Engine, Owner};

use crate::engine_rig::{Rig, output, raw};

#[tokio::test]
async fn a_container_has_every_mark_of_isolation() {
    let rig = Rig::new().await;
    let instance = rig.instance(&["sleep", "600"], Some(8000));
    let (spec, owner) = (ContainerSpec::of_instance(&instance), Owner::Instance(instance.id));
    rig.docker.create(&spec).await.unwrap();
    rig.docker.create(&spec).await.expect("made twice is made once");
    rig.docker.start(owner).await.unwrap();

    let found = raw().inspect_container(&owner.container_name(), None::<InspectContainerOptions>).await.unwrap();
    let host = serde_json::to_value(found.host_config.unwrap()).unwrap();
    let is = |key: &str, expected: serde_json::Value| assert_eq!(host[key], expected, "{key}");
    is("Privileged", false.into());
    is("CapDrop", serde_json::json!(["ALL"]));
    is("CapAdd", serde_json::Value::Null);
    is("SecurityOpt", serde_json::json!(["no-new-privileges:true"]));
    is("Memory", (128 << 20).into());
    is("MemorySwap", (128 << 20).into());
    is("NanoCpus", 500_000_000.into());
    is("PidsLimit", 512.into());
    is("Init", true.into());
    is("NetworkMode", format!("slipway-{}", rig.organization).into());
    is("PidMode", "".into());
    is("UTSMode", "".into());
    is("IpcMode", "private".into());
    is("UsernsMode", "".into());
    is("PublishAllPorts", false.into());
    is("RestartPolicy", serde_json::json!({ "Name": "no", "MaximumRetryCount": 0 }));
    is("LogConfig", serde_json::json!({ "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } }));
    is("Tmpfs", serde_json::json!({ "/tmp": format!("rw,nosuid,nodev,mode=1777,size={}", 64 << 20) }));
    is("OomScoreAdj", 500.into());
    is("Ulimits", serde_json::json!([{ "Name": "core", "Soft": 0, "Hard": 0 }]));
    for nothing in ["Binds", "Mounts", "VolumesFrom", "Devices", "DeviceRequests", "PortBindings", "ExtraHosts", "GroupAdd", "Links"] {
        let value = &host[nothing];
        let empty =
            value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
        assert!(empty, "{nothing}: {value}");
    }
    let config = found.config.unwrap();
    assert_eq!(config.user.as_deref(), Some("1000:1000"), "the image would run as root");
    let labels = config.labels.unwrap();
    for (key, value) in [
        ("slipway.managed", "true".to_owned()),
        ("slipway.node", rig.node.to_string()),
        ("slipway.instance", instance.id.to_string()),
        ("slipway.application", instance.application.to_string()),
        ("slipway.release", instance.release.to_string()),
        ("slipway.deployment", instance.deployment.to_string()),
        ("slipway.organization", rig.organization.to_string()),
    ] {
        assert_eq!(labels.get(key), Some(&value), "{key}");
    }
    assert!(!labels.values().any(|value| value.contains("hello")), "variables are no labels");
    let seen = rig.docker.list().await.unwrap();
    assert!(seen[0].note.as_deref().unwrap().contains("1000:1000"), "it is said that the user was replaced");
}

#[tokio::test]
async fn a_process_has_no_rights_that_it_could_use_or_gain() {
    let rig = Rig::new().await;
    let script = "id -u; id -g; grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; \
                  echo greeting=$GREETING port=$PORT; touch /tmp/x && echo tmp; ls /var/run/docker.sock 2>&1; touch /etc/x 2>&1; sleep 600";
    let instance = rig.instance(&["bash", "-c", script], Some(8000));
    rig.docker.create(&ContainerSpec::of_instance(&instance)).await.unwrap();
    rig.docker.start(Owner::Instance(instance.id)).await.unwrap();
    let waiting = async {
        loop {
            let lines = output(&*rig.docker, instance.id).await;
            if lines.iter().any(|line| line.contains("/etc/x")) {
                return lines.join("\n").replace('\t', " ");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    for expected in [
        "1000\n1000\n",
        "CapInh: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 1",
        "greeting=hello port=8000",
        "tmp",
        "No such file or directory",
        "Permission denied",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
}

#[tokio::test]
async fn an_organization_reaches_its_own_applications_and_no_other_does() {
    let rig = Rig::new().await;
    let stranger = Rig::new().await;
    let server = rig.server("mine");
    rig.docker.create(&ContainerSpec::of_instance(&server)).await.unwrap();
    rig.docker.start(Owner::Instance(server.id)).await.unwrap();
    let address = rig.docker.list().await.unwrap()[0].address.unwrap();
    let connect = format!(
        "import socket, time\nfor i in range(50):\n  try:\n    socket.create_connection(('{address}', 8000), 2); print('reached', flush=True); break\n  \
         except ConnectionRefusedError: time.sleep(.2)\n  except Exception as e: print('unreachable', e, flush=True); break\ntime.sleep(600)"
    );
    for (rig, expected) in [(&rig, "reached"), (&stranger, "unreachable")] {
        let client = rig.instance(&["python3", "-c", &connect], None);
        rig.docker.create(&ContainerSpec::of_instance(&client)).await.unwrap();
        rig.docker.start(Owner::Instance(client.id)).await.unwrap();
        let waiting = async {
            loop {
                if let Some(line) = output(&*rig.docker, client.id).await.first() {
                    return line.clone();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let line = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
        assert!(line.starts_with(expected), "{line}");
    }
}

#[tokio::test]
async fn what_another_made_is_neither_seen_nor_touched() {
    let rig = Rig::new().await;
    let other = Rig::new().await;
    let instance = other.instance(&["sleep", "600"], None);
    let (spec, owner) = (ContainerSpec::of_instance(&instance), Owner::Instance(instance.id));
    other.docker.create(&spec).await.unwrap();
    other.docker.start(owner).await.unwrap();

    assert_eq!(rig.docker.list().await.unwrap(), []);
    assert!(rig.docker.stop(owner, Duration::from_secs(1)).await.is_err());
    assert!(rig.docker.remove(owner).await.is_err());
    assert!(rig.docker.create(&spec).await.is_err(), "a name that is taken is not taken over");
    rig.docker.sweep_networks(&BTreeSet::new()).await.unwrap();
    assert!(other.docker.list().await.unwrap()[0].is_running());
}

#[tokio::test]
async fn an_unused_network_goes_and_a_used_one_stays() {
    let rig = Rig::new().await;
    let instance = rig.instance(&["sleep", "600"], None);
    rig.docker.create(&ContainerSpec::of_instance(&instance)).await.unwrap();
    let name = format!("slipway-{}", rig.organization);
    let exists = async || raw().inspect_network(&name, None::<bollard::query_parameters::InspectNetworkOptions>).await.is_ok();
    rig.docker.sweep_networks(&BTreeSet::from([rig.organization])).await.unwrap();
    assert!(exists().await);
    rig.docker.remove(Owner::Instance(instance.id)).await.unwrap();
    rig.docker.sweep_networks(&BTreeSet::new()).await.unwrap();
    assert!(!exists().await);
}
