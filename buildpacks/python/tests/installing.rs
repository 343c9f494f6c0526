//! Who installs, from which files, and what the system needs.

mod support;

use support::{App, app, app_of_bytes, text};

fn install(app: &App) -> String {
    let plan = app.planned();
    let step = plan.steps.iter().find(|step| step.id == "install").unwrap();
    text(&step.run[1].command)
}

#[test]
fn the_installer_is_the_one_whose_files_are_there() {
    for (files, name, command) in [
        (vec![("requirements.txt", "six")], "pip", "/opt/venv/bin/pip install -r requirements.txt"),
        (
            vec![("requirements/production.txt", "-r base.txt"), ("requirements/base.txt", "six")],
            "pip",
            "/opt/venv/bin/pip install -r requirements/production.txt",
        ),
        (vec![("requirements/base.txt", "six")], "pip", "/opt/venv/bin/pip install -r requirements/base.txt"),
        (vec![("requirements-prod.txt", "six")], "pip", "/opt/venv/bin/pip install -r requirements-prod.txt"),
        (vec![("setup.py", "setup()")], "pip", "/opt/venv/bin/pip install ."),
        (
            vec![("pyproject.toml", "[project]\nname='x'\ndependencies=['six']")],
            "pip",
            "/opt/venv/bin/pip install -r /opt/slipway/requirements.txt",
        ),
        (vec![("pyproject.toml", "[project]\nname='x'\ndynamic=['dependencies']")], "pip", "/opt/venv/bin/pip install ."),
        (
            vec![("pyproject.toml", "[tool.poetry]\nname='x'"), ("poetry.lock", "")],
            "poetry",
            "/opt/tools/bin/poetry install --only main --no-root --no-interaction",
        ),
        (
            vec![("pyproject.toml", "[build-system]\nbuild-backend='poetry.core.masonry.api'")],
            "poetry",
            "/opt/tools/bin/poetry install --only main --no-root --no-interaction",
        ),
        (vec![("Pipfile", "[packages]"), ("Pipfile.lock", "{}")], "pipenv", "/opt/tools/bin/pipenv sync"),
        (vec![("Pipfile", "[packages]")], "pipenv", "/opt/tools/bin/pipenv install --skip-lock"),
        (vec![("pyproject.toml", "[project]"), ("uv.lock", "")], "uv", "/opt/tools/bin/uv sync --frozen --no-dev --no-install-project"),
        (vec![("pyproject.toml", "[project]"), ("pdm.lock", "")], "pdm", "/opt/tools/bin/pdm sync --prod --no-self"),
        (
            vec![("pyproject.toml", "[project]"), ("uv.lock", ""), ("requirements.txt", "six")],
            "uv",
            "/opt/tools/bin/uv sync --frozen --no-dev --no-install-project",
        ),
        (vec![("requirements.txt", "six"), ("poetry.lock", "")], "pip", "/opt/venv/bin/pip install -r requirements.txt"),
    ] {
        let app = app(&files.iter().copied().chain([("main.py", "")]).collect::<Vec<_>>());
        assert_eq!((app.detection().package_manager.as_deref(), install(&app).as_str()), (Some(name), command), "{files:?}");
    }
}

#[test]
fn an_install_sees_what_its_requirements_include_and_no_more() {
    let included =
        app(&[("requirements.txt", "-r deps/web.txt\n-c pins.txt"), ("deps/web.txt", "flask"), ("pins.txt", "flask<3"), ("app.py", "")]);
    assert_eq!(included.framework().as_deref(), Some("flask"));
    let step = &included.planned().steps[0];
    assert_eq!(step.inputs[0].include, ["requirements*.txt", "constraints*.txt", "pins.txt", "deps/web.txt"]);
    let editable = app(&[("requirements.txt", "-e ."), ("setup.py", "")]);
    assert!(editable.planned().steps[0].inputs[0].include.is_empty(), "the project itself is installed");
    let by_git = app(&[("requirements.txt", "-e git+https://git.example/x#egg=x"), ("main.py", "")]);
    assert!(!by_git.planned().steps[0].inputs[0].include.is_empty());
    assert_eq!(by_git.planned().steps[0].packages, ["ca-certificates", "git"]);
}

#[test]
fn the_installer_s_own_version_is_kept() {
    let poetry = app(&[
        (".tool-versions", "poetry 1.8.2\npython 3.12.3\n"),
        ("pyproject.toml", "[tool.poetry]\nname='x'"),
        ("poetry.lock", ""),
        ("main.py", ""),
    ]);
    assert_eq!(text(&poetry.planned().steps[0].run[1].command), "/opt/tools/bin/pip install poetry==1.8.2");
    let uv = app(&[("pyproject.toml", "[tool.uv]\nrequired-version = '>=0.8,<0.9'"), ("uv.lock", ""), ("main.py", "")]);
    assert_eq!(text(&uv.planned().steps[0].run[1].command), "/opt/tools/bin/pip install uv>=0.8,<0.9");
}

#[test]
fn well_known_dependencies_bring_their_system_packages() {
    for (requirement, build, run) in [
        ("psycopg2", vec!["build-essential", "libpq-dev"], vec!["libpq5"]),
        ("psycopg2-binary", vec![], vec![]),
        ("psycopg[c]", vec!["build-essential", "libpq-dev"], vec!["libpq5"]),
        ("opencv_python", vec![], vec!["libgl1", "libglib2.0-0"]),
        ("pdf2image", vec![], vec!["poppler-utils"]),
        ("lxml", vec![], vec![]),
        ("lxml\n--no-binary lxml", vec!["build-essential", "libxml2-dev", "libxslt1-dev"], vec!["libxml2", "libxslt1.1"]),
    ] {
        let plan = app(&[("requirements.txt", requirement), ("main.py", "")]).planned();
        assert_eq!((plan.steps[0].packages.clone(), plan.image.unwrap().packages), (owned(&build), owned(&run)), "{requirement}");
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_virtual_environment_is_made_for_an_added_server_alone() {
    let plain = app(&[("wsgi.py", "def application(environ, start_response):\n    return []\n")]);
    let plan = plain.planned();
    assert_eq!(plain.start(), "exec gunicorn --bind 0.0.0.0:$PORT wsgi:application");
    assert_eq!(text(&plan.steps[0].run.last().unwrap().command), "python -m pip --python /opt/venv/bin/python install gunicorn>=23,<24");
}

#[test]
fn python_2_has_its_own_virtual_environments() {
    let old = app(&[("runtime.txt", "python-2.7.18"), ("requirements.txt", "six"), ("main.py", "")]);
    assert_eq!(text(&old.planned().steps[0].run[1].command), "python -m virtualenv /opt/venv");
    assert_eq!(old.diagnostics(), ["PYTHON_VERSION_EOL"]);
}

#[test]
fn manifests_are_read_as_windows_writes_them() {
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("Flask==3.0\r\ngunicorn==23.0\r\n".bytes().flat_map(|byte| [byte, 0])).collect();
    let program = b"from flask import Flask\r\napp = Flask(__name__)\r\n";
    let app = app_of_bytes(&[("requirements.txt", &utf16), ("app.py", program), (".python-version", b"\xef\xbb\xbf3.12\r\n")]);
    assert_eq!(app.start(), "exec gunicorn --bind 0.0.0.0:$PORT app:app");
    assert_eq!(app.planned().tools[0].constraint, "3.12");
    let latin = app_of_bytes(&[("requirements.txt", b"# d\xe9pendances\nflask\n"), ("app.py", program)]);
    assert_eq!(latin.framework().as_deref(), Some("flask"));
}

#[test]
fn settings_of_a_linter_are_nothing_to_install() {
    let linted = app(&[("setup.cfg", "[flake8]\nmax-line-length = 100\n"), ("main.py", "")]);
    assert!(linted.planned().steps.is_empty());
}
