use slipway_e2e::App;

const APPS: &[App] = &[
    App { installs: &["npm ci"], ..App::new("dockerfile/node-multistage", "server.js") },
    App { installs: &["pip install"], honours_port: false, ..App::new("dockerfile/python-no-expose", "app.py") },
    App::new("dockerfile/several-ports", "serve.py"),
    App { pages: &[("/", "run by 10001")], honours_port: false, ..App::new("dockerfile/healthcheck-user", "server.js") },
    App::new("dockerfile/target-and-context", "deploy/Dockerfile"),
    App {
        absent: &["/app/left-out/secret.txt", "/app/kept/NOTES.md"],
        pages: &[("/", "with Dockerfile kept/data.txt left-out/except-this.txt serve.py")],
        ..App::new("dockerfile/ignore-file", "serve.py")
    },
    App { installs: &["npm ci"], ..App::new("dockerfile/syntax-line", "server.js") },
    App { installs: &["apt-get"], ..App::new("dockerfile/entrypoint-and-command", "site/index.html") },
    App { installs: &["apt-get"], honours_port: false, ..App::new("dockerfile/nginx-static", "site/index.html") },
    App { installs: &["apt-get"], ..App::new("dockerfile/c-from-scratch", "server.c") },
    App { honours_port: false, ..App::new("dockerfile/php-apache", "src/index.php") },
    App::new("dockerfile/shell-form", "server.js"),
];

#[tokio::test(flavor = "multi_thread")]
async fn apps_with_a_dockerfile_are_built_answer_and_stop() -> anyhow::Result<()> {
    super::all_work("Dockerfile", APPS).await
}
