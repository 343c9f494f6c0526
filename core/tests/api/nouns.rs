//! What each mutation refuses, and what it says then.

use serde_json::{Value, json};
use slipway_model::Role;

use crate::world::World;

fn with(base: &Value, changes: Value) -> Value {
    let mut input = base.clone();
    for (key, value) in changes.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[tokio::test]
async fn an_application_is_created_with_what_it_was_given() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let input = with(
        &world.new_application(&ada, "My Shop!").await,
        json!({
            "source": {"git": {"repositoryUrl": "https://example.org/shop.git", "branch": "main"}},
            "buildConfig": {"kind": "node", "rootDirectory": "apps/web", "startCommand": "node server.js"},
            "healthCheck": {"path": "/health", "graceSeconds": 30},
            "variables": [{"key": "MODE", "value": "production", "sensitive": false}, {"key": "KEY", "value": "hidden"}],
            "instances": 2,
        }),
    );
    let selection = "application { slug name status url desiredInstances version autoDeploy
        source { __typename ... on GitSource { repositoryUrl branch } }
        buildConfig { kind rootDirectory startCommand buildCommand }
        healthCheck { path graceSeconds retries }
        organization { slug } plan { slug } region { slug } runtime { kind }
        estimatedHourlyCost { amount currency }
        variables { key value sensitive } events { nodes { type } } deployments { nodes { id } } instances { nodes { id } } }";
    let payload = world.mutate(&ada.token, "applicationCreate", input, selection).await;
    assert_eq!(
        payload["application"],
        json!({
            "slug": "my-shop", "name": "My Shop!", "status": "CREATED", "url": "http://my-shop.apps.example:8080",
            "desiredInstances": 2, "version": 1, "autoDeploy": true,
            "source": {"__typename": "GitSource", "repositoryUrl": "https://example.org/shop.git", "branch": "main"},
            "buildConfig": {"kind": "node", "rootDirectory": "apps/web", "startCommand": "node server.js", "buildCommand": null},
            "healthCheck": {"path": "/health", "graceSeconds": 30, "retries": 3},
            "organization": {"slug": "ada"}, "plan": {"slug": "small"}, "region": {"slug": "local"}, "runtime": {"kind": "node"},
            "estimatedHourlyCost": {"amount": "0.016", "currency": "EUR"},
            "variables": [{"key": "KEY", "value": null, "sensitive": true}, {"key": "MODE", "value": "production", "sensitive": false}],
            "events": {"nodes": [{"type": "application.created"}]}, "deployments": {"nodes": []}, "instances": {"nodes": []},
        }),
        "{payload}"
    );
}

#[tokio::test]
async fn each_wrong_value_of_an_application_is_named() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let good = world.new_application(&ada, "Shop").await;
    let cases = [
        (json!({"name": ""}), vec!["INVALID name", "INVALID slug"]),
        (json!({"name": "x".repeat(101), "slug": "x"}), vec!["INVALID name"]),
        (json!({"slug": "Not A Slug"}), vec!["INVALID slug"]),
        (json!({"slug": "x".repeat(41)}), vec!["INVALID slug"]),
        (json!({"slug": "$(id)"}), vec!["INVALID slug"]),
        (json!({"slug": "www"}), vec!["ALREADY_EXISTS slug"]),
        (json!({"planId": "nonsense"}), vec!["NOT_FOUND planId"]),
        (json!({"planId": "pln_00000000000000000000000000"}), vec!["NOT_FOUND planId"]),
        (json!({"regionId": "reg_00000000000000000000000000"}), vec!["NOT_FOUND regionId"]),
        (json!({"runtimeId": "rtm_00000000000000000000000000"}), vec!["NOT_FOUND runtimeId"]),
        (json!({"instances": 0}), vec!["INVALID instances"]),
        (json!({"instances": 6}), vec!["QUOTA_EXCEEDED instances"]),
        (json!({"source": {"git": {"repositoryUrl": "ext::sh -c id", "branch": "main"}}}), vec!["INVALID source.git.repositoryUrl"]),
        (json!({"source": {"git": {"repositoryUrl": "https://e.org/a", "branch": "--upload-pack=x"}}}), vec!["INVALID source.git.branch"]),
        (json!({"source": {"image": {"image": "a b"}}}), vec!["INVALID source.image.image"]),
        (json!({"source": {"upload": false}}), vec!["INVALID source.upload"]),
        (json!({"buildConfig": {"rootDirectory": "../x"}}), vec!["INVALID buildConfig.rootDirectory"]),
        (json!({"buildConfig": {"dockerfilePath": "/etc/passwd"}}), vec!["INVALID buildConfig.dockerfilePath"]),
        (json!({"buildConfig": {"buildCommand": "x".repeat(5_000)}}), vec!["TOO_LONG buildConfig.buildCommand"]),
        (json!({"healthCheck": {"path": "no-slash"}}), vec!["INVALID healthCheck.path"]),
        (
            json!({"healthCheck": {"intervalSeconds": 0, "retries": 1000}}),
            vec!["INVALID healthCheck.intervalSeconds", "INVALID healthCheck.retries"],
        ),
        (json!({"healthCheck": {"port": 70000}}), vec!["INVALID healthCheck.port"]),
        (
            json!({"variables": [{"key": "1A", "value": "x"}, {"key": "B", "value": "x"}, {"key": "B", "value": "y"}, {"key": "PORT", "value": "1"}]}),
            vec!["INVALID variables.0.key", "INVALID variables.2.key", "INVALID variables.3.key"],
        ),
        (json!({"variables": [{"key": "A", "value": "x".repeat(101 << 10)}]}), vec!["TOO_LONG variables.0.value"]),
        (json!({"variables": [{"key": "A", "value": "a\u{0}b"}]}), vec!["INVALID variables.0.value"]),
    ];
    for (changes, expected) in cases {
        let shown: String = changes.to_string().chars().take(80).collect();
        assert_eq!(world.refusals(&ada.token, "applicationCreate", with(&good, changes)).await, expected, "{shown}");
    }
    // None of them left anything behind.
    assert_eq!(world.data(&ada.token, "{ applications { nodes { slug } } }", json!({})).await["applications"]["nodes"], json!([]));
    assert_eq!(world.refusals(&ada.token, "applicationCreate", good.clone()).await, Vec::<String>::new());
    assert_eq!(world.refusals(&ada.token, "applicationCreate", good).await, ["ALREADY_EXISTS slug"]);
}

#[tokio::test]
async fn a_change_of_an_old_version_is_refused_with_the_new_one() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let update = |input: Value| world.mutate(&ada.token, "applicationUpdate", input, "application { name version slug }");
    let first = update(json!({"id": id, "expectedVersion": 1, "name": "Store", "slug": "store"})).await;
    assert_eq!(first["application"], json!({"name": "Store", "version": 2, "slug": "store"}));
    let query = "mutation($id: ID!) { applicationUpdate(input: {id: $id, expectedVersion: 1, name: \"Late\"}) {
        application { id } errors { code ... on ConflictError { currentVersion } } } }";
    let stale = world.data(&ada.token, query, json!({"id": id})).await;
    assert_eq!(stale["applicationUpdate"], json!({"application": null, "errors": [{"code": "STALE_VERSION", "currentVersion": 2}]}));
}

#[tokio::test]
async fn variables_are_set_all_or_none_and_go_when_asked() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let set = |variables: Value, remove: bool| {
        let input = json!({"applicationId": id, "variables": variables, "removeMissing": remove});
        world.mutate(&ada.token, "variablesSet", input, "variables { key value fingerprint version } deployment { id }")
    };
    let keys = |payload: &Value| -> Vec<String> {
        payload["variables"].as_array().unwrap().iter().map(|variable| variable["key"].as_str().unwrap().to_owned()).collect()
    };
    let first = set(json!([{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]), false).await;
    assert_eq!(keys(&first), ["A", "B"]);
    let refused = set(json!([{"key": "C", "value": "3"}, {"key": "bad key", "value": "4"}]), false).await;
    assert_eq!((&refused["errors"][0]["path"], &refused["variables"]), (&json!(["variables", "1", "key"]), &Value::Null));
    let second = set(json!([{"key": "A", "value": "changed"}]), true).await;
    assert_eq!(keys(&second), ["A"], "C was not set, B went");
    assert_ne!(first["variables"][0]["fingerprint"], second["variables"][0]["fingerprint"]);
    assert_eq!(second["variables"][0]["version"], 2);
    let too_many: Vec<Value> = (0..501).map(|i| json!({"key": format!("K{i}"), "value": ""})).collect();
    assert_eq!(set(json!(too_many), false).await["errors"][0]["code"], "QUOTA_EXCEEDED");
    world.mutate(&ada.token, "variablesUnset", json!({"applicationId": id, "keys": ["A", "MISSING"]}), "application { id }").await;
    let left = world.data(&ada.token, "query($id: ID!) { application(id: $id) { variables { key } } }", json!({"id": id})).await;
    assert_eq!(left["application"]["variables"], json!([]));
}

#[tokio::test]
async fn a_plan_is_checked_versioned_and_kept_while_in_use() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let good = json!({"slug": "tiny", "name": "Tiny", "cpuMillis": 100, "memoryBytes": "134217728", "storageBytes": "1073741824",
        "priceHourly": "0.001", "priceMonthly": "0.70", "runtimes": ["node"]});
    for (changes, expected) in [
        (json!({"slug": "x y"}), vec!["INVALID slug"]),
        (json!({"name": ""}), vec!["INVALID name"]),
        (json!({"cpuMillis": 0}), vec!["INVALID cpuMillis"]),
        (json!({"memoryBytes": "1"}), vec!["INVALID memoryBytes"]),
        (json!({"maxInstances": 0}), vec!["INVALID maxInstances"]),
        (json!({"priceHourly": "-1"}), vec!["INVALID priceHourly"]),
        (json!({"runtimes": ["No Slug"]}), vec!["INVALID runtimes.0"]),
        (json!({"description": "x".repeat(501)}), vec!["TOO_LONG description"]),
        (json!({"slug": "small"}), vec!["ALREADY_EXISTS slug"]),
    ] {
        assert_eq!(world.refusals(&world.admin, "planCreate", with(&good, changes.clone())).await, expected, "{changes}");
    }
    let made = world.mutate(&world.admin, "planCreate", good, "plan { id version active priceHourly { amount } }").await;
    let id = made["plan"]["id"].clone();
    assert_eq!((&made["plan"]["version"], &made["plan"]["priceHourly"]["amount"]), (&json!(1), &json!("0.001")));

    let base = with(&world.new_application(&ada, "Shop").await, json!({"planId": id}));
    let python = with(&base, json!({"buildConfig": {"kind": "python"}}));
    assert_eq!(world.refusals(&ada.token, "applicationCreate", python).await, ["UNSUPPORTED planId"]);
    assert_eq!(world.refusals(&ada.token, "applicationCreate", base).await, Vec::<String>::new());
    assert_eq!(world.refusals(&world.admin, "planDelete", json!({"id": id})).await, ["IN_USE"]);

    let update = json!({"id": id, "expectedVersion": 1, "active": false, "runtimes": null});
    let updated = world.mutate(&world.admin, "planUpdate", update, "plan { version active inUse runtimes }").await;
    assert_eq!(updated["plan"], json!({"version": 2, "active": false, "inUse": true, "runtimes": null}));
    assert_eq!(
        world.refusals(&world.admin, "planUpdate", json!({"id": id, "expectedVersion": 1, "name": "x"})).await,
        ["STALE_VERSION expectedVersion"]
    );
    let withdrawn = with(&world.new_application(&ada, "Other").await, json!({"planId": id}));
    assert_eq!(world.refusals(&ada.token, "applicationCreate", withdrawn).await, ["NOT_FOUND planId"]);
    let unused = world.plan("large").await;
    assert_eq!(world.mutate(&world.admin, "planDelete", json!({"id": unused}), "deletedId").await["deletedId"], unused);
}

#[tokio::test]
async fn regions_runtimes_and_plugins_are_switched() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    for (input, expected) in [
        (json!({"slug": "X", "name": "x"}), "INVALID slug"),
        (json!({"slug": "x", "name": ""}), "INVALID name"),
        (json!({"slug": "x", "name": "x", "country": "Germany"}), "INVALID country"),
        (json!({"slug": "local", "name": "x"}), "ALREADY_EXISTS slug"),
    ] {
        assert_eq!(world.refusals(&world.admin, "regionCreate", input).await, [expected]);
    }
    let region = world.region().await;
    world.mutate(&world.admin, "regionUpdate", json!({"id": region, "active": false}), "region { active }").await;
    let input = world.new_application(&ada, "Shop").await;
    assert_eq!(world.refusals(&ada.token, "applicationCreate", input.clone()).await, ["NOT_FOUND regionId"]);
    world.mutate(&world.admin, "regionUpdate", json!({"id": region, "active": true}), "region { active }").await;

    let runtimes = async || {
        world.data(&ada.token, "{ runtimes(kind: \"node\") { nodes { id slug kind } } }", json!({})).await["runtimes"]["nodes"].take()
    };
    let node = runtimes().await;
    assert!(node.as_array().is_some_and(|nodes| !nodes.is_empty()), "the plugin brings runtimes");
    let id = &node[0]["id"];
    world.mutate(&world.admin, "runtimeUpdate", json!({"id": id, "active": false}), "runtime { active }").await;
    assert_eq!(runtimes().await.as_array().unwrap().len(), node.as_array().unwrap().len() - 1);
    assert_eq!(world.refusals(&ada.token, "applicationCreate", with(&input, json!({"runtimeId": id}))).await, ["NOT_FOUND runtimeId"]);

    let plugins = world.data(&world.admin, "{ plugins(first: 100) { nodes { id name status capabilities } } }", json!({})).await;
    let plugin = plugins["plugins"]["nodes"].as_array().unwrap().iter().find(|plugin| plugin["name"] == "runtime-node").unwrap().clone();
    assert_eq!((&plugin["status"], &plugin["capabilities"]), (&json!("ENABLED"), &json!(["RUNTIME"])));
    let off = world.mutate(&world.admin, "pluginSetEnabled", json!({"id": plugin["id"], "enabled": false}), "plugin { status }").await;
    assert_eq!(off["plugin"]["status"], "DISABLED");
    assert_eq!(runtimes().await, json!([]), "only enabled runtimes are offered");
    world.mutate(&world.admin, "pluginSetEnabled", json!({"id": plugin["id"], "enabled": true}), "plugin { status }").await;
    assert!(!runtimes().await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn nodes_are_invited() {
    let world = World::new().await;
    let region = world.region().await;
    let input = json!({"regionId": region, "nodeName": "worker-1"});
    let selection =
        "enrollmentToken { id prefix nodeName usedAt region { slug } createdBy { email } } install { token command caFingerprint }";
    let made = world.mutate(&world.admin, "nodeEnrollmentTokenCreate", input, selection).await;
    let token = made["install"]["token"].as_str().unwrap();
    assert!(token.starts_with("slipway_join_") && made["install"]["command"].as_str().unwrap().contains(token));
    assert_eq!(made["enrollmentToken"]["createdBy"]["email"], "admin@localhost");
    let listed = world.data(&world.admin, "{ nodeEnrollmentTokens { nodes { id prefix } } }", json!({})).await;
    assert_eq!(listed["nodeEnrollmentTokens"]["nodes"][0]["id"], made["enrollmentToken"]["id"]);
    assert!(!listed.to_string().contains(token));
    let revoke = json!({"id": made["enrollmentToken"]["id"]});
    assert_eq!(world.refusals(&world.admin, "nodeEnrollmentTokenRevoke", revoke).await, Vec::<String>::new());
    assert_eq!(world.refusals(&world.admin, "nodeEnrollmentTokenCreate", json!({"regionId": "reg_x"})).await, ["NOT_FOUND regionId"]);
    assert_eq!(
        world.refusals(&world.admin, "nodeEnrollmentTokenCreate", json!({"regionId": region, "ttlSeconds": 1})).await,
        ["INVALID ttlSeconds"]
    );
    for (field, extra) in [("nodeUpdate", json!({"cordoned": true})), ("nodeIdentityRevoke", json!({})), ("nodeDelete", json!({}))] {
        let input = with(&json!({"id": "nod_00000000000000000000000000"}), extra);
        assert_eq!(world.refusals(&world.admin, field, input).await, ["NOT_FOUND id"], "{field}");
    }
}

#[tokio::test]
async fn a_deployment_is_promised_repeated_by_its_key_and_called_off() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let input = with(
        &world.new_application(&ada, "Shop").await,
        json!({"source": {"git": {"repositoryUrl": "https://example.org/a.git", "branch": "main"}}}),
    );
    let made = world.mutate(&ada.token, "applicationCreate", input, "application { id }").await;
    let id = made["application"]["id"].clone();
    let deploy = |input: Value| {
        world.mutate(
            &ada.token,
            "applicationDeploy",
            input,
            "deployment { id number status trigger canCancel steps { kind status } } operation { id kind status }",
        )
    };
    let first = deploy(json!({"id": id, "idempotencyKey": "k1"})).await;
    assert_eq!(
        (&first["deployment"]["number"], &first["deployment"]["trigger"], &first["operation"]["kind"]),
        (&json!(1), &json!("API"), &json!("DEPLOY"))
    );
    assert_eq!(first["deployment"]["steps"][0]["kind"], "SCHEDULE");
    assert_eq!(deploy(json!({"id": id, "idempotencyKey": "k1"})).await["deployment"]["id"], first["deployment"]["id"]);
    let conflict = deploy(json!({"id": id, "idempotencyKey": "k1", "source": {"commitSha": "0123456"}})).await;
    assert_eq!(conflict["errors"][0]["code"], "CONFLICT");
    for (source, path) in [
        (json!({"commitSha": "HEAD; id"}), "INVALID source.commitSha"),
        (json!({"image": "a b"}), "INVALID source.image"),
        (json!({"uploadId": "upl_00000000000000000000000000"}), "NOT_FOUND source.uploadId"),
    ] {
        assert_eq!(world.refusals(&ada.token, "applicationDeploy", json!({"id": id, "source": source})).await, [path]);
    }
    assert_eq!(
        world.refusals(&ada.token, "applicationDeploy", json!({"id": id, "idempotencyKey": "x".repeat(201)})).await,
        ["INVALID idempotencyKey"]
    );
    let mut tx = world.platform().db.begin().await.unwrap();
    let deployment = first["deployment"]["id"].as_str().unwrap().parse().unwrap();
    let lines = ["it is being fetched".to_owned(), "npm ERR! missing script: build".to_owned()];
    slipway_store::build_logs::append(&mut tx, deployment, None, world.platform().now(), &lines).await.unwrap();
    tx.commit().await.unwrap();
    let build = world
        .data(
            &ada.token,
            "query($id: ID!) { deployment(id: $id) { build { id status logs { lines { message severity } endCursor } } } }",
            json!({"id": first["deployment"]["id"]}),
        )
        .await;
    let logged = build["deployment"]["build"]["logs"]["lines"].as_array().unwrap();
    let severity = |text: &str| logged.iter().find(|line| line["message"] == text).unwrap()["severity"].clone();
    assert_eq!([severity(&lines[0]), severity(&lines[1])], [Value::Null, json!("ERROR")]);
    let build_id = &build["deployment"]["build"]["id"];
    let again = world
        .data(
            &ada.token,
            "query($id: ID!) { build(id: $id) { id deployment { number } } node(id: $id) { id __typename } }",
            json!({"id": build_id}),
        )
        .await;
    assert_eq!((&again["build"]["deployment"]["number"], &again["node"]["__typename"]), (&json!(1), &json!("Build")));
}
