//! Languages that Slipway does not ship: the buildpacks and plugins of `examples/`, built as a stranger builds them and put into a
//! platform's folder of plugins.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use slipway_e2e::{Platform, base_image, binary, containers, fresh_copy, plugins_with, run, visit, visit_until, write_app};

const GO_SERVER: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := time.LoadLocation("Europe/Vienna"); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		text, err := os.ReadFile("greeting.txt")
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		fmt.Fprintf(w, "%s from Go, memory limit %s\n", text, os.Getenv("GOMEMLIMIT"))
	})
	if err := http.ListenAndServe(":"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}
"#;

const DENO_SERVER: &str = r#"interface Greeting { from: string }
const greeting: Greeting = { from: "Deno" };
Deno.serve(() => new Response(`Hello from ${greeting.from}\n`));
"#;

fn examples() -> PathBuf {
    // Of the checkout that cargo runs this for: checkouts may share a target directory, and with it this program.
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from).join("../examples")
}

/// Kept between runs, so that nothing is compiled twice.
fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_module_becomes_a_small_image_that_answers() -> Result<()> {
    base_image("golang:1.27-bookworm")?;
    base_image("busybox:1.37")?;
    let target = target("buildpacks");
    run(Command::new(binary()?).args(["buildpack", "test"]).arg(examples().join("buildpack-go")).env("CARGO_TARGET_DIR", &target))?;
    let plugins = plugins_with("runtime-go", Some(&target.join("wasm32-wasip2/release/go_buildpack.wasm")), &self::target("plugins"))?;
    let platform = Platform::start_with(&[], Some(plugins.path().to_owned())).await?;
    let listed = platform.slipway_json(&["plugin", "list"])?;
    assert!(
        listed.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "runtime-go" && one["status"] == "ENABLED")),
        "{listed:#}"
    );

    let app = write_app(&[
        ("go.mod", "module example.org/hello\n\ngo 1.24\n"),
        ("cmd/web/main.go", GO_SERVER),
        ("cmd/once/main.go", "package main\n\nfunc main() {}\n"),
        ("greeting.txt", "Hello"),
    ])?;
    let deployment = platform.deploy(app.path(), "hello").await?.expect_live();
    assert!(deployment["build"]["runtime"]["slug"].as_str().is_none_or(|slug| slug.starts_with("go")), "{deployment:#}");
    let host = platform.host("hello");
    let answer = visit(platform.ingress, &host, "/").await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.starts_with("Hello from Go, memory limit ") && answer.body.contains("MiB"), "{answer:?}");

    fs::write(app.path().join("greeting.txt"), "Greetings")?;
    platform.deploy(app.path(), "hello").await?.expect_live();
    visit_until(platform.ingress, &host, Duration::from_secs(5), |answer| answer.body.starts_with("Greetings from Go")).await?;

    platform.settle(Duration::from_secs(30)).await?;
    let running = containers(&platform.node().await?)?;
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].inspect["Config"]["User"], "1000:1000");
    let image = running[0].inspect["Image"].as_str().context("an image")?;
    let size = Command::new("docker").args(["image", "inspect", "--format", "{{.Size}}", image]).output()?;
    let bytes: u64 = String::from_utf8(size.stdout)?.trim().parse()?;
    assert!(bytes < 30_000_000, "an image of {bytes} bytes is not small");

    // A module that needs others, and does not say what they contain, is refused before anything is built.
    let broken = write_app(&[("go.mod", "module a.b/c\n\ngo 1.24\n\nrequire golang.org/x/text v0.21.0\n"), ("main.go", GO_SERVER)])?;
    let report = platform.deploy(broken.path(), "broken").await?.expect_failure();
    assert!(report.to_string().contains("GO_SUM_MISSING"), "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buildpack_written_in_python_deploys_a_deno_program() -> Result<()> {
    base_image("denoland/deno:debian-2.9.8")?;
    let project = fresh_copy(&examples().join("buildpack-deno"))?;
    let wit = examples().join("../buildpacks/wit/since_v0_1_0").canonicalize()?;
    let manifest = fs::read_to_string(project.path().join("buildpack.toml"))?;
    let manifest = manifest.replace("../../buildpacks/wit/since_v0_1_0", &wit.display().to_string());
    fs::write(project.path().join("buildpack.toml"), manifest)?;
    let path = env::join_paths([componentize_py()?].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())))?;
    run(Command::new(binary()?).args(["buildpack", "test"]).arg(project.path()).env("PATH", path))?;
    let plugins = plugins_with("runtime-deno", Some(&project.path().join("deno.wasm")), &target("plugins"))?;
    let platform = Platform::start_with(&[], Some(plugins.path().to_owned())).await?;

    let app = write_app(&[("main.ts", DENO_SERVER), ("deno.json", "{\n  // Nothing to say yet.\n}\n")])?;
    platform.deploy(app.path(), "greeter").await?.expect_live();
    let answer = visit(platform.ingress, &platform.host("greeter"), "/").await?;
    assert_eq!((answer.status, answer.body.as_str()), (200, "Hello from Deno\n"));
    Ok(())
}

/// Ruby and its gems from Debian's packages: as `bundle lock --local` writes a lockfile on that Debian.
fn lock(app: &Path) -> Result<()> {
    let script = "apt-get update -qq && apt-get install -y -qq --no-install-recommends bundler $(grep -v '^#' Aptfile) >/dev/null && \
                  bundle lock --local && chown --reference=Gemfile Gemfile.lock";
    let mount = format!("{}:/app", app.display());
    run(Command::new("docker").args(["run", "--rm", "--workdir", "/app", "--volume", &mount, "debian:bookworm-slim", "sh", "-ec", script]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sinatra_application_runs_on_the_ruby_of_debian() -> Result<()> {
    base_image("debian:bookworm-slim")?;
    let target = target("buildpacks");
    run(Command::new(binary()?).args(["buildpack", "test"]).arg(examples().join("buildpack-ruby")).env("CARGO_TARGET_DIR", &target))?;
    let component = target.join("wasm32-wasip2/release/ruby_buildpack.wasm");
    let plugins = plugins_with("runtime-ruby", Some(&component), &self::target("plugins"))?;
    run(Command::new(binary()?)
        .args(["plugin", "test"])
        .arg(examples().join("plugin-runtime-ruby"))
        .env("CARGO_TARGET_DIR", self::target("plugins")))?;

    let platform = Platform::start_with(&[], Some(plugins.path().to_owned())).await?;
    let app = fresh_copy(&examples().join("ruby-sinatra"))?;
    lock(app.path())?;
    platform.deploy(app.path(), "ruby-sinatra").await?.expect_live();
    let host = platform.host("ruby-sinatra");
    let answer = visit(platform.ingress, &host, "/").await?;
    assert_eq!((answer.status, answer.body.as_str()), (200, "Hello from ruby-sinatra\n"));
    assert_eq!(visit(platform.ingress, &host, "/healthz").await?.body, "ok\n");

    let program = app.path().join("app.rb");
    let text = fs::read_to_string(&program)?;
    fs::write(&program, text.replace("Hello from", "Greetings from"))?;
    platform.deploy(app.path(), "ruby-sinatra").await?.expect_live();
    visit_until(platform.ingress, &host, Duration::from_secs(5), |answer| answer.body.starts_with("Greetings from")).await?;

    platform.settle(Duration::from_secs(30)).await?;
    let running = containers(&platform.node().await?)?;
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].inspect["Config"]["User"], "1000:1000");
    let environment = running[0].inspect["Config"]["Env"].to_string();
    assert!(environment.contains("MALLOC_ARENA_MAX=2"), "what the plugin says of an instance's size: {environment}");

    // No Debian has the Ruby that is asked for: that is said before anything is built.
    fs::write(app.path().join(".ruby-version"), "2.7.8\n")?;
    let report = platform.deploy(app.path(), "ruby-sinatra").await?.expect_failure();
    assert!(report.to_string().contains("2.7.8"), "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_in_python_passes_its_own_trial() -> Result<()> {
    let place = tempfile::tempdir()?;
    let project = place.path().join("my-lang");
    run(Command::new(binary()?).args(["buildpack", "new", "my-lang", "--lang", "python", "--path"]).arg(&project))?;
    let path = env::join_paths([componentize_py()?].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())))?;
    run(Command::new(binary()?).args(["buildpack", "test"]).arg(&project).env("PATH", path))
}

/// The directory of componentize-py, which is installed as its README says.
fn componentize_py() -> Result<PathBuf> {
    let environment = target("componentize-py");
    let programs = environment.join("bin");
    if !programs.join("componentize-py").is_file() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(programs.join("pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(examples().join("buildpack-deno/requirements.txt")))?;
    }
    Ok(programs)
}
