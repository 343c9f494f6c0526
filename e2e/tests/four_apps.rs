//! The four example apps, from a folder to an answer through the ingress.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use slipway_e2e::{Platform, containers, example, visit, visit_until};

const EXAMPLES: &[(&str, &str, &str)] = &[
    ("node-express", "node", "server.js"),
    ("python-flask", "python", "app.py"),
    ("php-plain", "php", "public/index.php"),
    ("dockerfile-app", "docker", "content/index.txt"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_example_is_built_runs_and_answers_and_an_edit_changes_the_answer() -> Result<()> {
    let platform = Platform::start().await?;
    for (name, runtime, main_file) in EXAMPLES {
        let source = example(name)?;
        let deployment = platform.deploy(source.path(), name).await?.expect_live();
        assert_eq!(deployment["build"]["runtime"]["slug"].as_str().unwrap_or(runtime).split('-').next(), Some(*runtime), "{deployment:#}");
        let host = platform.host(name);
        let before = visit(platform.ingress, &host, "/").await?;
        assert_eq!(before.status, 200, "{name}: {before:?}");
        assert!(before.body.starts_with("Hello from "), "{name}: {before:?}");

        let file = source.path().join(main_file);
        let text = fs::read_to_string(&file)?;
        assert!(text.contains("Hello from "), "{name}: {main_file} says hello");
        fs::write(&file, text.replace("Hello from ", "Greetings from "))?;
        platform.deploy(source.path(), name).await?.expect_live();
        let after =
            visit_until(platform.ingress, &host, Duration::from_secs(5), |answer| answer.body.starts_with("Greetings from ")).await?;
        assert_eq!(after.status, 200);
    }
    platform.settle(Duration::from_secs(30)).await?;

    // R14, as the engine itself tells it.
    let running = containers(&platform.node().await?)?;
    assert_eq!(running.len(), EXAMPLES.len());
    for container in &running {
        let host = &container.inspect["HostConfig"];
        assert_eq!(host["Privileged"], false);
        assert_eq!(host["CapDrop"][0], "ALL", "{host:#}");
        assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{host:#}");
        assert!(host["PidsLimit"].as_i64().unwrap_or_default() > 0);
        assert!(host["Memory"].as_i64().unwrap_or_default() > 0);
        assert_eq!(host["Memory"], host["MemorySwap"], "no swap beyond the plan's memory");
        assert!(host["NanoCpus"].as_i64().unwrap_or_default() > 0);
        assert!(!host["Binds"].to_string().contains("docker.sock"));
        let user = container.inspect["Config"]["User"].as_str().unwrap_or_default();
        assert!(!matches!(user.split(':').next(), None | Some("" | "0" | "root")), "runs as {user:?}");
    }

    let unknown = visit(platform.ingress, "nobody.localhost", "/").await?;
    assert_eq!(unknown.status, 404, "an unknown host is nobody's");
    Ok(())
}
