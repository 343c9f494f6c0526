//! How applications are recognised and started.

mod support;

use slipway_buildpack_sdk::{Detected, ProcessKind};
use support::{app, text};

/// Framework, requirements, files and the command that is expected.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn each_framework_is_served_in_its_own_way() {
    let cases: [Case<'_>; 22] = [
        (
            "flask",
            "flask\ngunicorn",
            &[("app.py", "from flask import Flask\napp = Flask(__name__)")],
            "exec gunicorn --bind 0.0.0.0:$PORT app:app",
        ),
        (
            "flask",
            "flask\nwaitress",
            &[("wsgi.py", "from shop import app as application")],
            "exec waitress-serve --listen=0.0.0.0:$PORT wsgi:application",
        ),
        (
            "flask",
            "flask",
            &[("shop/__init__.py", "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app")],
            "exec gunicorn --bind 0.0.0.0:$PORT 'shop:create_app()'",
        ),
        (
            "flask",
            "flask",
            &[
                (".flaskenv", "FLASK_APP=blog.py\n"),
                ("blog.py", "from app import create_app\napp = create_app()"),
                ("app/__init__.py", "from flask import Flask\ndef create_app(): return Flask('')"),
            ],
            "exec gunicorn --bind 0.0.0.0:$PORT blog:app",
        ),
        (
            "flask",
            "flask",
            &[(
                "app.py",
                "import os\nfrom flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    app.run(port=os.environ['PORT'])",
            )],
            "python app.py",
        ),
        (
            "fastapi",
            "fastapi[standard]",
            &[("main.py", "from fastapi import FastAPI\napp = FastAPI()")],
            "exec uvicorn --host 0.0.0.0 --port $PORT main:app",
        ),
        (
            "fastapi",
            "fastapi\nhypercorn",
            &[("src/shop/main.py", "from fastapi import FastAPI\napi = FastAPI()")],
            "exec hypercorn --bind 0.0.0.0:$PORT shop.main:api",
        ),
        (
            "fastapi",
            "fastapi",
            &[("backend/main.py", "from fastapi import FastAPI\nfrom models import Item\napp = FastAPI()"), ("backend/models.py", "")],
            "cd backend && exec uvicorn --host 0.0.0.0 --port $PORT main:app",
        ),
        (
            "starlette",
            "starlette",
            &[("asgi.py", "from starlette.applications import Starlette\napplication = Starlette()")],
            "exec uvicorn --host 0.0.0.0 --port $PORT asgi:application",
        ),
        (
            "litestar",
            "litestar",
            &[("app.py", "from litestar import Litestar\napp = Litestar([])")],
            "exec uvicorn --host 0.0.0.0 --port $PORT app:app",
        ),
        ("quart", "quart", &[("app.py", "from quart import Quart\napp = Quart(__name__)")], "exec hypercorn --bind 0.0.0.0:$PORT app:app"),
        (
            "sanic",
            "sanic",
            &[("server.py", "from sanic import Sanic\napp = Sanic('x')")],
            "exec sanic server:app --host=0.0.0.0 --port=$PORT",
        ),
        ("falcon", "falcon", &[("app.py", "import falcon\napp = falcon.App()")], "exec gunicorn --bind 0.0.0.0:$PORT app:app"),
        (
            "falcon",
            "falcon",
            &[("app.py", "import falcon.asgi\napp = falcon.asgi.App()")],
            "exec uvicorn --host 0.0.0.0 --port $PORT app:app",
        ),
        ("bottle", "bottle", &[("app.py", "import bottle\napp = bottle.default_app()")], "exec gunicorn --bind 0.0.0.0:$PORT app:app"),
        (
            "dash",
            "dash",
            &[("app.py", "from dash import Dash\napp = Dash(__name__)\nserver = app.server")],
            "exec gunicorn --bind 0.0.0.0:$PORT app:server",
        ),
        (
            "streamlit",
            "streamlit",
            &[("Home.py", "import streamlit as st")],
            "exec streamlit run Home.py --server.port $PORT --server.address 0.0.0.0 --server.headless true",
        ),
        ("gradio", "gradio", &[("app.py", "import gradio as gr")], "GRADIO_SERVER_PORT=$PORT exec python app.py"),
        (
            "chainlit",
            "chainlit",
            &[("chat.py", "import chainlit as cl")],
            "exec chainlit run chat.py --host 0.0.0.0 --port $PORT --headless",
        ),
        (
            "marimo",
            "marimo",
            &[("notebook.py", "import marimo\napp = marimo.App()")],
            "exec marimo run notebook.py --host 0.0.0.0 --port $PORT --headless",
        ),
        ("aiohttp", "aiohttp", &[("main.py", "from aiohttp import web\nweb.run_app(web.Application())")], "python main.py"),
        (
            "mkdocs",
            "mkdocs-material",
            &[("mkdocs.yml", "site_name: x\n"), ("docs/index.md", "# x")],
            "exec python -m http.server --bind 0.0.0.0 --directory site $PORT",
        ),
    ];
    for (framework, requirements, files, expected) in cases {
        let files: Vec<_> = files.iter().copied().chain([("requirements.txt", requirements)]).collect();
        let app = app(&files);
        assert_eq!((app.framework().as_deref(), app.start().as_str()), (Some(framework), expected), "{files:?}");
    }
}

#[test]
fn a_framework_that_others_bring_along_does_not_hide_the_one_that_is_used() {
    let frozen = "dash==2\nfastapi==1\nflask==3\ngradio==4\nstarlette==1\nstreamlit==1\ntornado==6\n";
    for (framework, program) in [
        ("gradio", "import gradio as gr\n"),
        ("flask", "from flask import Flask\napp = Flask(__name__)\n"),
        ("fastapi", "import gradio\nfrom fastapi import FastAPI\napp = FastAPI()\n"),
        ("streamlit", "import streamlit as st\n"),
    ] {
        assert_eq!(app(&[("requirements.txt", frozen), ("app.py", program)]).framework().as_deref(), Some(framework));
    }
    let client = app(&[("requirements.txt", "aiohttp\n"), ("main.py", "import aiohttp\n")]);
    assert_eq!(client.framework(), None, "a client is no server");
}

const SETTINGS: &str = "import os\nSECRET_KEY = os.environ['SECRET_KEY']\nINSTALLED_APPS = ['django.contrib.staticfiles']\n\
    WSGI_APPLICATION = 'shop.wsgi.application'\nDATABASES = {\n  'default': {}\n}\nSTATIC_ROOT = BASE_DIR / 'static'\n";

#[test]
fn django_is_served_by_what_its_settings_name() {
    let shop = app(&[
        ("requirements.txt", "Django>=5\n"),
        ("manage.py", "import django"),
        ("shop/settings.py", SETTINGS),
        ("shop/wsgi.py", ""),
        ("other/wsgi.py", ""),
    ]);
    let plan = shop.planned();
    assert_eq!(shop.start(), "exec gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application");
    assert_eq!(
        (text(&plan.processes[1].command).as_str(), plan.processes[1].kind),
        ("python manage.py migrate --noinput", ProcessKind::Release)
    );
    let build = &plan.steps.last().unwrap().run[0];
    assert_eq!(text(&build.command), "python manage.py collectstatic --noinput");
    assert!(build.env.iter().any(|(name, _)| name == "SECRET_KEY"), "the settings can be read without the customer's secrets");
    assert!(shop.diagnostics().contains(&"PYTHON_SERVER_ADDED".into()));
}

#[test]
fn django_below_the_root_is_started_in_its_directory() {
    let shop = app(&[
        ("requirements.txt", "Django\ngunicorn\n"),
        ("backend/manage.py", "import django"),
        ("backend/shop/settings.py", SETTINGS),
        ("backend/shop/wsgi.py", ""),
    ]);
    assert_eq!(shop.start(), "cd backend && exec gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application");
    assert_eq!(text(&shop.planned().processes[1].command), "python backend/manage.py migrate --noinput");
}

#[test]
fn django_with_channels_is_served_by_asgi() {
    let settings = format!("{SETTINGS}ASGI_APPLICATION = \"shop.asgi.application\"\n");
    let chat = |requirements: &str| {
        app(&[
            ("requirements.txt", requirements),
            ("manage.py", "import django"),
            ("shop/settings.py", &settings),
            ("shop/wsgi.py", ""),
            ("shop/asgi.py", ""),
        ])
        .start()
    };
    assert_eq!(chat("django\nchannels\ndaphne\ngunicorn"), "exec daphne -b 0.0.0.0 -p $PORT shop.asgi:application");
    assert_eq!(chat("django\nchannels"), "exec uvicorn --host 0.0.0.0 --port $PORT shop.asgi:application");
    assert_eq!(chat("django"), "exec gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application");
}

#[test]
fn django_without_a_database_has_nothing_to_migrate() {
    let site = app(&[
        ("requirements.txt", "django\n"),
        ("manage.py", "import django"),
        ("site/settings.py", "DATABASES = {}\n"),
        ("site/wsgi.py", ""),
    ]);
    assert_eq!(site.planned().processes.len(), 1);
}

#[test]
fn programs_are_found_by_name_by_entry_point_and_by_being_the_only_one() {
    for (files, expected) in [
        (vec![("bot.py", ""), ("lib.py", "")], "python bot.py"),
        (vec![("run.py", ""), ("setup.py", "")], "python run.py"),
        (vec![("tool.py", ""), ("conftest.py", "")], "python tool.py"),
        (vec![("a.py", ""), ("b.py", "if __name__ == '__main__':\n  pass")], "python b.py"),
        (vec![("requirements.txt", "six"), ("src/main.py", "")], "python src/main.py"),
        (vec![("pyproject.toml", "[project]\nname = 'my-shop'"), ("my_shop/__main__.py", "")], "python -m my_shop"),
        (vec![("pyproject.toml", "[project]\nname = 'my-shop'"), ("my-shop/__main__.py", "")], "python -m my-shop"),
        (vec![("setup.py", ""), ("src/tool/__main__.py", "")], "python -m tool"),
        (vec![("requirements.txt", "six"), ("start.sh", ""), ("a.py", ""), ("b.py", "")], "bash start.sh"),
        (
            vec![
                ("pyproject.toml", "[project]\nname = 'shop'\n[project.scripts]\nshop = 'shop.cli:main'\nother = 'x:y'"),
                ("src/shop/cli.py", ""),
            ],
            "python -c import sys; from shop.cli import main; sys.exit(main())",
        ),
        (
            vec![("pyproject.toml", "[tool.poetry]\nname = 'shop'\n[tool.poetry.scripts]\nstart = 'shop:run'"), ("shop/__init__.py", "")],
            "python -c import sys; from shop import run; sys.exit(run())",
        ),
    ] {
        assert_eq!(app(&files).start(), expected, "{files:?}");
    }
}

#[test]
fn a_bot_listens_to_nobody() {
    let plan = app(&[("requirements.txt", "discord.py\n"), ("bot.py", "import discord\n")]).planned();
    assert_eq!((plan.processes[0].kind, plan.processes[0].is_default), (ProcessKind::Worker, true));
    assert!(plan.ports.is_empty() && plan.health.is_none());
    let hook = app(&[("requirements.txt", "aiogram\naiohttp\n"), ("bot.py", "from aiohttp import web\nweb.run_app(app)")]).planned();
    assert_eq!((hook.processes[0].kind, hook.ports.len()), (ProcessKind::Web, 1));
}

#[test]
fn what_the_customer_says_goes_first() {
    let stated = app(&[
        ("Procfile", "web: gunicorn other:app\n"),
        ("requirements.txt", "flask\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)"),
    ]);
    assert_eq!(stated.start(), "gunicorn other:app");
    assert_eq!(stated.diagnostics(), ["PYTHON_SERVER_MISSING"]);
    let only_workers = app(&[("Procfile", "worker: python jobs.py\n"), ("requirements.txt", "six\n"), ("main.py", "")]);
    assert!(only_workers.planned().processes.is_empty(), "a Procfile without `web` asks for none");
}

#[test]
fn what_nothing_starts_is_planned_and_says_what_to_do() {
    let library = app(&[("requirements.txt", "six\n"), ("lib/__init__.py", "")]);
    let plan = library.planned();
    assert!(plan.processes.is_empty() && plan.image.is_some() && !plan.steps.is_empty());
    assert_eq!(library.diagnostics(), ["PYTHON_NO_START"]);
    let below = app(&[("services/shop/pyproject.toml", ""), ("services/stock/requirements.txt", ""), ("README.md", "")]);
    let said = &below.planned().diagnostics[0];
    assert!(said.code == "PYTHON_NO_START" && said.message.contains("Did you mean `services/shop` or `services/stock`?"), "{said:?}");
    assert!(matches!(app(&[("services/shop/pyproject.toml", "")]).detect(), Detected::No(_)), "the platform takes the only one");
    let workspace =
        app(&[("pyproject.toml", "[tool.uv.workspace]\nmembers = ['packages/*']"), ("uv.lock", ""), ("packages/web/pyproject.toml", "")]);
    assert!(workspace.planned().diagnostics[0].message.contains("Did you mean `packages/web`?"));
    assert!(matches!(app(&[("backend/pyproject.toml", ""), ("frontend/package.json", "{}")]).detect(), Detected::No(_)));
}

#[test]
fn functions_of_a_serverless_layout_are_an_application() {
    let flask = app(&[("requirements.txt", "flask\n"), ("api/index.py", "from flask import Flask\napp = Flask(__name__)")]);
    assert_eq!(flask.start(), "exec gunicorn --bind 0.0.0.0:$PORT api.index:app");
    assert_eq!(app(&[("api/index.py", "class handler: pass")]).diagnostics(), ["PYTHON_NO_START"]);
}

#[test]
fn a_framework_that_nothing_installs_is_pointed_out() {
    let bare = app(&[("app.py", "from flask import Flask\napp = Flask(__name__)")]);
    assert_eq!((bare.start().as_str(), bare.diagnostics()), ("python app.py", vec!["PYTHON_NO_DEPENDENCIES".to_owned()]));
}

#[test]
fn a_package_that_imports_itself_is_started_from_outside() {
    let app = app(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("app/main.py", "import logging\nfrom fastapi import FastAPI\nfrom app.routes import r\napp = FastAPI()"),
        ("app/logging.py", ""),
        ("app/routes.py", ""),
    ]);
    assert_eq!(app.start(), "exec uvicorn --host 0.0.0.0 --port $PORT app.main:app");
}
