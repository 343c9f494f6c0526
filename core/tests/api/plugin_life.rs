//! The life of a plugin that did not come with the platform, through the API and without a restart; and what is refused of it.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use slipway_core::plugins;
use slipway_model::{Sha256Digest, state::ApplicationStatus};
use slipway_plugin_host::{CallError, messages::ResolveRequest};
use slipway_store::applications;

use crate::{built, world::World};

const CANARY: &str = "canary-5b0e77";

const SCHEMA: &str = "
[settings_schema]
type = \"object\"
additionalProperties = false
[settings_schema.properties.port]
type = \"integer\"
maximum = 65535
[settings_schema.properties.token]
type = \"string\"
writeOnly = true
[settings_schema.properties.mood]
type = \"string\"
";

fn manifest(id: &str, version: &str, kind: &str) -> String {
    format!(
        "id = {id:?}\nname = \"A plugin\"\nversion = {version:?}\nkind = {kind:?}\nmessage_versions = [1, 1]\nlibrary = \"it.so\"\n{SCHEMA}"
    )
}

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// The evil plugin, which is well-behaved unless it is asked to be otherwise.
pub fn evil(id: &str, version: &str) -> Vec<u8> {
    packed(&[("plugin.toml", manifest(id, version, "runtime").as_bytes()), ("it.so", &built::evil())])
}

impl World {
    pub async fn send(&self, archive: Vec<u8>) -> String {
        let sha256 = Sha256Digest::of(&archive).to_string();
        let input = json!({ "sizeBytes": archive.len().to_string(), "sha256": sha256 });
        let made = self.mutate(&self.admin, "pluginArchiveCreate", input, "archive { uploadUrl }").await;
        let address = made["archive"]["uploadUrl"].as_str().unwrap().to_owned();
        let path = &address[address.find("/plugin-archives/").unwrap()..];
        let sent = self.http.put(self.url(path)).body(archive).send().await.unwrap();
        assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
        sha256
    }

    pub async fn install(&self, archive: Vec<u8>) -> Value {
        let sha256 = self.send(archive).await;
        self.mutate(&self.admin, "pluginInstall", json!({ "sha256": sha256, "grants": ["NATIVE_CODE"] }), &format!("plugin {{ {ABOUT} }}"))
            .await
    }

    pub async fn on_plugin(&self, field: &str, input: Value) -> Value {
        self.mutate(&self.admin, field, input, &format!("plugin {{ {ABOUT} }}")).await
    }

    pub async fn plugin(&self, name: &str) -> Value {
        let query = format!("query($name: String!) {{ plugin(name: $name) {{ {ABOUT} }} }}");
        self.data(&self.admin, &query, json!({ "name": name })).await["plugin"].take()
    }

    pub async fn resolve(&self, tool: &str) -> Result<String, CallError> {
        let plugin = self.platform().plugins.get("evil").unwrap();
        let request = ResolveRequest { tool: tool.into(), constraint: String::new() };
        plugin.runtime_resolve(request).await.map(|resolution| resolution.version)
    }
}

const ABOUT: &str = "id name version status statusReason form isolation grants settings settingsSchema calls strikes restarts";

fn refusal(payload: &Value) -> (&str, &str) {
    (payload["errors"][0]["code"].as_str().unwrap_or_default(), payload["errors"][0]["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn it_is_installed_configured_enabled_upgraded_disabled_and_removed() {
    let world = World::new().await;
    let made = world.install(evil("evil", "1.0.0")).await;
    let plugin = &made["plugin"];
    assert_eq!(
        (&plugin["status"], &plugin["isolation"], &plugin["version"]),
        (&json!("DISABLED"), &json!("PROCESS"), &json!("1.0.0")),
        "{made}"
    );
    assert_eq!(plugin["grants"], json!(["NATIVE_CODE"]));
    let id = plugin["id"].clone();

    let bad = world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "port": "eighty", "token": [CANARY] } })).await;
    let places: Vec<&Value> = bad["errors"].as_array().unwrap().iter().map(|error| &error["path"]).collect();
    assert!(places.contains(&&json!(["settings", "port"])) && places.contains(&&json!(["settings", "token"])), "{bad}");
    assert!(!bad.to_string().contains(CANARY), "{bad}");
    let stubborn = world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "mood": "stubborn" } })).await;
    assert!(refusal(&stubborn).1.contains("not to my liking"), "the plugin's own reason: {stubborn}");
    let set = world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "port": 80, "token": CANARY } })).await;
    assert_eq!(set["plugin"]["settings"], json!({ "port": 80, "token": "…" }), "{set}");
    let kept = world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "port": 81 } })).await;
    assert_eq!(kept["plugin"]["settings"], json!({ "port": 81, "token": "…" }), "a secret that is left out stays");

    let on = world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    assert_eq!(on["plugin"]["status"], "ENABLED");
    assert_eq!(world.resolve("good").await.unwrap(), "1");
    let Err(CallError::Refused(told)) = world.resolve("token").await else { panic!("it tells its token") };
    assert_eq!(told.message, "my token is …");

    let sha256 = world.send(evil("evil", "2.0.0")).await;
    let up = world.on_plugin("pluginUpgrade", json!({ "id": id, "sha256": sha256, "grants": ["NATIVE_CODE"] })).await;
    assert_eq!((&up["plugin"]["version"], &up["plugin"]["status"]), (&json!("2.0.0"), &json!("ENABLED")), "{up}");
    assert_eq!(up["plugin"]["settings"], json!({ "port": 81, "token": "…" }));
    assert_eq!(world.resolve("good").await.unwrap(), "1");

    let metrics = world.http.get(world.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("slipway_plugin_calls_total{plugin=\"evil\"}"), "{metrics}");
    assert!(metrics.contains("slipway_plugin_call_p99_seconds{plugin=\"evil\"} 0."), "{metrics}");

    let early = world.mutate(&world.admin, "pluginRemove", json!({ "id": id }), "removedId").await;
    assert!(refusal(&early).1.contains("Disable"), "{early}");
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": false })).await;
    assert!(matches!(world.resolve("good").await, Err(CallError::Disabled { .. })));
    let gone = world.mutate(&world.admin, "pluginRemove", json!({ "id": id }), "removedId").await;
    assert_eq!(gone["removedId"], id, "{gone}");
    assert_eq!(world.plugin("evil").await, Value::Null);
    assert!(!world.config.data_dir.join("plugins/evil").exists());
    // And nothing of it is left over: it can be installed again.
    assert_eq!(world.install(evil("evil", "1.0.0")).await["errors"], json!([]));

    let bytes = world.stored_bytes().await;
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "the secret is sealed");
    let audit = world.data(&world.admin, "{ auditEvents(first: 100) { nodes { action data } } }", json!({})).await;
    assert!(!audit.to_string().contains(CANARY));
    let actions: Vec<&str> = audit["auditEvents"]["nodes"].as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
    for action in ["pluginInstall", "pluginConfigure", "pluginSetEnabled", "pluginUpgrade", "pluginRemove"] {
        assert!(actions.contains(&action), "{action} is written down: {actions:?}");
    }
}

#[tokio::test]
async fn what_is_no_plugin_or_not_what_it_says_is_refused() {
    let world = World::new().await;
    let mut foreign = built::evil();
    foreign[18] = 8;
    let plain = manifest("evil", "1.0.0", "runtime");
    let with = |change: &dyn Fn(String) -> String| packed(&[("plugin.toml", change(plain.clone()).as_bytes()), ("it.so", &built::evil())]);
    for (archive, code, says) in [
        (b"no archive".to_vec(), "ARCHIVE_REJECTED", "cannot be unpacked"),
        (packed(&[("README", b"nothing")]), "ARCHIVE_REJECTED", "no `plugin.toml`"),
        (packed(&[("plugin.toml", b"id = ")]), "ARCHIVE_REJECTED", "not a manifest"),
        (packed(&[("plugin.toml", plain.as_bytes())]), "ARCHIVE_REJECTED", "it.so cannot be read"),
        (packed(&[("plugin.toml", plain.as_bytes()), ("it.so", &foreign)]), "ARCHIVE_REJECTED", "another processor"),
        (packed(&[("plugin.toml", plain.as_bytes()), ("it.so", b"#!/bin/sh")]), "ARCHIVE_REJECTED", "no ELF"),
        (with(&|text| text.replace("\"it.so\"", "\"../it.so\"")), "ARCHIVE_REJECTED", "not the name of a file"),
        (with(&|text| text.replace("[1, 1]", "[7, 9]")), "ARCHIVE_REJECTED", "message versions 7 to 9"),
        (with(&|text| text.replace("type = \"object\"", "type = 7")), "ARCHIVE_REJECTED", "settings_schema"),
        (with(&|text| text.replace("\"runtime\"", "\"billing\"")), "PLUGIN_FAILED", "kind runtime"),
        (with(&|text| text.replace("kind =", "form = \"wasm\"\nkind =")), "ARCHIVE_REJECTED", "not a WebAssembly component"),
        (with(&|text| text.replace("\"evil\"", "\"runtime-node\"")), "ALREADY_EXISTS", "There is a plugin `runtime-node`"),
    ] {
        let refused = world.install(archive).await;
        let (found, message) = refusal(&refused);
        assert!(found == code && message.contains(says), "{says}: {refused}");
    }
    let missing = world.mutate(&world.admin, "pluginInstall", json!({ "sha256": "0".repeat(64), "grants": [] }), "plugin { id }").await;
    assert_eq!(refusal(&missing).0, "NOT_FOUND");
    let sha256 = world.send(evil("evil", "1.0.0")).await;
    let ungranted = world.mutate(&world.admin, "pluginInstall", json!({ "sha256": sha256, "grants": [] }), "plugin { id }").await;
    assert!(refusal(&ungranted).1.contains("NATIVE_CODE"), "{ungranted}");
    let left: Vec<_> = fs::read_dir(world.config.data_dir.join("plugins")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| name.as_encoded_bytes().starts_with(b".") && !name.as_encoded_bytes().starts_with(b".new-")),
        "{left:?}"
    );
}

#[tokio::test]
async fn an_archive_with_links_or_of_other_bytes_is_refused() {
    let world = World::new().await;
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let plain = manifest("evil", "1.0.0", "runtime");
    let mut header = tar::Header::new_gnu();
    header.set_size(plain.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "plugin.toml", plain.as_bytes()).unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "it.so", "plugin.toml").unwrap();
    let refused = world.install(archive.into_inner().unwrap().finish().unwrap()).await;
    assert!(refusal(&refused).1.contains("a link, `it.so`"), "{refused}");

    let input = json!({ "sizeBytes": "5", "sha256": Sha256Digest::of(b"hello").to_string() });
    let made = world.mutate(&world.admin, "pluginArchiveCreate", input, "archive { uploadUrl }").await;
    let address = made["archive"]["uploadUrl"].as_str().unwrap().to_owned();
    let url = world.url(&address[address.find("/plugin-archives/").unwrap()..]);
    for (body, status) in [("hallo", 422), ("hello, world", 413), ("hey", 422), ("hello", 200)] {
        assert_eq!(world.http.put(&url).body(body).send().await.unwrap().status(), status, "{body}");
    }
    assert_eq!(world.http.put(world.url("/plugin-archives/AAAA")).body("hello").send().await.unwrap().status(), 404);
    let large = json!({ "sizeBytes": "999999999", "sha256": "0".repeat(64) });
    assert_eq!(world.refusals(&world.admin, "pluginArchiveCreate", large).await, ["TOO_LONG sizeBytes"]);
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_old_version_at_work() {
    let world = World::new().await;
    let id = world.install(evil("evil", "1.0.0")).await["plugin"]["id"].clone();
    world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "token": "t" } })).await;
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    let library = built::evil();
    let version_two = manifest("evil", "2.0.0", "runtime");
    let without_token = version_two.replace("[settings_schema.properties.token]", "[settings_schema.properties.pin]");
    for (archive, says) in [
        (packed(&[("plugin.toml", version_two.as_bytes()), ("it.so", b"nonsense")]), "no ELF"),
        (packed(&[("plugin.toml", version_two.replace("\"runtime\"", "\"ingress\"").as_bytes()), ("it.so", &library)]), "kind runtime"),
        (packed(&[("plugin.toml", without_token.as_bytes()), ("it.so", &library)]), "does not take the present settings"),
        (evil("good", "2.0.0"), "holds the plugin `good`"),
    ] {
        let sha256 = world.send(archive).await;
        let refused = world.on_plugin("pluginUpgrade", json!({ "id": id, "sha256": sha256, "grants": ["NATIVE_CODE"] })).await;
        assert!(refusal(&refused).1.contains(says), "{says}: {refused}");
        assert_eq!(world.plugin("evil").await["version"], "1.0.0");
        assert_eq!(world.resolve("good").await.unwrap(), "1");
    }
}

#[tokio::test]
async fn a_restart_finds_it_as_it_was_left_and_a_changed_library_is_found_out() {
    let mut world = World::new().await;
    let id = world.install(evil("evil", "1.0.0")).await["plugin"]["id"].clone();
    world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "token": "secret" } })).await;
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    // Of an installation that did not come to its end.
    let orphan = world.config.data_dir.join("plugins/orphan/abc");
    fs::create_dir_all(&orphan).unwrap();
    world.restart().await;
    assert!(!orphan.exists());
    let Err(CallError::Refused(told)) = world.resolve("token").await else { panic!("it has its token") };
    assert_eq!(told.message, "my token is …");

    for _ in 0..3 {
        assert!(world.resolve("panic").await.is_err());
    }
    assert_eq!(world.plugin("evil").await["status"], "QUARANTINED");
    // Written down by a task of its own.
    let written = async {
        while world.data(&world.admin, "{ plugin(name: \"evil\") { quarantinedAt } }", json!({})).await["plugin"]["quarantinedAt"].is_null()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written).await.unwrap();
    world.restart().await;
    let plugin = world.plugin("evil").await;
    assert_eq!(plugin["status"], "QUARANTINED", "a restart is no release");
    assert!(plugin["statusReason"].as_str().unwrap().contains("panicked"), "{plugin}");
    let released = world.on_plugin("pluginRelease", json!({ "id": id })).await;
    assert_eq!(released["plugin"]["status"], "ENABLED", "{released}");
    assert_eq!(world.resolve("good").await.unwrap(), "1");
    assert_eq!(world.refusals(&world.admin, "pluginRelease", json!({ "id": id })).await, ["INVALID_STATE"]);

    let directory = world.platform().plugins.get("evil").unwrap().directory().to_owned();
    let mut library = fs::read(directory.join("it.so")).unwrap();
    library.push(0);
    fs::write(directory.join("it.so"), library).unwrap();
    world.restart().await;
    let plugin = world.plugin("evil").await;
    assert_eq!(plugin["status"], "INCOMPATIBLE");
    assert!(plugin["statusReason"].as_str().unwrap().contains("was approved"), "{plugin}");
}

#[tokio::test]
async fn one_that_is_in_use_is_not_switched_off_unless_it_is_drained() {
    let world = World::new().await;
    let ada = world.customer("ada", slipway_model::Role::Owner).await;
    let shared = world.shared().await;
    let mut row = world.new_row("shop", ada.organization, &shared);
    row.runtime_kind = Some("node".into());
    row.status = ApplicationStatus::Created;
    let mut tx = world.platform().db.begin().await.unwrap();
    applications::insert(&mut tx, &slipway_model::Viewer::Platform, &row).await.unwrap();
    tx.commit().await.unwrap();
    for (name, says) in [
        ("runtime-node", "in use by applications of organizations that your token does not open"),
        ("billing-hourly", "only billing"),
        ("ingress-traefik", "only ingress"),
    ] {
        let id = world.plugin(name).await["id"].clone();
        let refused = world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": false })).await;
        let (code, message) = refusal(&refused);
        assert!(code == "IN_USE" && message.contains(says), "{name}: {refused}");
        assert_eq!(world.plugin(name).await["status"], "ENABLED");
        let drained = world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": false, "drain": true })).await;
        assert_eq!(drained["plugin"]["status"], "DISABLED", "{drained}");
        let removed = world.mutate(&world.admin, "pluginRemove", json!({ "id": id }), "removedId").await;
        assert!(refusal(&removed).1.contains("came with the platform"), "{removed}");
    }
    // Whoever may see the application is told its name.
    let (_, boss) = world.person("boss", true).await;
    let id = world.plugin("runtime-node").await["id"].clone();
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    let refused = world.mutate(&boss, "pluginSetEnabled", json!({ "id": id, "enabled": false }), "plugin { id }").await;
    assert!(refusal(&refused).1.contains("in use by shop."), "{refused}");
    let unused = world.plugin("runtime-docker").await["id"].clone();
    assert_eq!(world.on_plugin("pluginSetEnabled", json!({ "id": unused, "enabled": false })).await["plugin"]["status"], "DISABLED");
}

#[tokio::test]
async fn nobody_but_an_administrator_has_anything_to_do_with_it() {
    let world = World::new().await;
    let ada = world.customer("ada", slipway_model::Role::Owner).await;
    let (platform, viewer) = (world.platform(), &slipway_model::Viewer::Platform);
    assert!(plugins::list(platform, viewer, &slipway_store::Page::default()).await.is_ok());
    let query = "mutation { pluginInstall(input: { sha256: \"\", grants: [] }) { plugin { id } } }";
    let answer = world.ask(Some(&ada.token), query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}
