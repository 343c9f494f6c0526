use slipway_e2e::App;

const APPS: &[App] = &[
    App {
        hidden: &["/.env", "/../etc/passwd"],
        absent: &["/app/.env"],
        pages: &[("/style.css", "font-weight")],
        ..App::new("static/plain", "index.html")
    },
    App {
        hidden: &["/README.md", "/none"],
        pages: &[("/docs/", "Documents"), ("/none", "Nothing here")],
        ..App::new("static/public-directory", "public/index.html")
    },
    App { hidden: &["/Staticfile"], ..App::new("static/static-file", "site/index.html") },
];

#[tokio::test(flavor = "multi_thread")]
async fn static_sites_are_built_answer_and_stop() -> anyhow::Result<()> {
    super::all_work("Static sites", APPS).await
}
