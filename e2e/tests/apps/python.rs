use slipway_e2e::App;

/// What pytest reads its settings with; here it stands for all that only developing needs.
const INICONFIG: &[&str] = &["/opt/venv/lib/python3*/site-packages/iniconfig"];

const APPS: &[App] = &[
    App { absent: INICONFIG, ..App::new("python/flask-pip", "app.py") },
    App { pages: &[("/static/catalog/site.css", "sans-serif")], ..App::new("python/django-pip", "catalog/views.py") },
    App { absent: INICONFIG, ..App::new("python/fastapi-uv", "main.py") },
    App { absent: INICONFIG, ..App::new("python/starlette-poetry", "service/main.py") },
    App { absent: INICONFIG, ..App::new("python/bottle-pipenv", "app.py") },
    App { absent: INICONFIG, ..App::new("python/litestar-pdm", "app.py") },
    App::new("python/fasthtml-pip", "main.py"),
    App::new("python/http-server", "main.py"),
    App { others: 1, ..App::new("python/procfile-worker", "web.py") },
    App { absent: INICONFIG, ..App::new("python/aiohttp-pyproject", "server.py") },
];

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_python_are_built_answer_and_stop() -> anyhow::Result<()> {
    super::all_work("Python", APPS).await
}
