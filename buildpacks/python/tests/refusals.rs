//! What cannot work is refused before anything is built: where, why, and what to do.

mod support;

use support::app;

const UV: &str = "[[package]]\nname = \"flask\"\nversion = \"3.0.0\"\n";

#[test]
fn each_refusal_names_the_place_and_the_way_out() {
    for (files, code, file, line) in [
        (
            vec![("pyproject.toml", "[project]\nname = 'x'\n"), ("uv.lock", ""), ("poetry.lock", "")],
            "PYTHON_LOCKFILES_CONFLICT",
            "poetry.lock",
            None,
        ),
        (
            vec![("pyproject.toml", "[tool.poetry]\n"), ("poetry.lock", ""), ("Pipfile", ""), ("Pipfile.lock", "{}")],
            "PYTHON_LOCKFILES_CONFLICT",
            "Pipfile.lock",
            None,
        ),
        (vec![("poetry.lock", "")], "PYTHON_LOCKFILE_ALONE", "poetry.lock", None),
        (
            vec![("pyproject.toml", "[project]\ndependencies = [\n  'flask',\n  'redis>=5',\n]\n"), ("uv.lock", UV)],
            "PYTHON_LOCKFILE_OUTDATED",
            "pyproject.toml",
            Some(4),
        ),
        (
            vec![("pyproject.toml", "[project]\ndependencies = [\n  'flask>=3.1',\n]\n"), ("uv.lock", UV)],
            "PYTHON_LOCKFILE_OUTDATED",
            "pyproject.toml",
            Some(3),
        ),
        (
            vec![("pyproject.toml", "[tool.poetry.dependencies]\nflask = '^2.0'\n"), ("poetry.lock", UV)],
            "PYTHON_LOCKFILE_OUTDATED",
            "pyproject.toml",
            Some(2),
        ),
        (
            vec![
                ("Pipfile", "[packages]\nflask = '*'\nredis = '*'\n"),
                ("Pipfile.lock", "{\"default\": {\"flask\": {\"version\": \"==3.0.0\"}}}"),
            ],
            "PYTHON_LOCKFILE_OUTDATED",
            "Pipfile",
            Some(3),
        ),
        (vec![("Pipfile", "[packages]\n"), ("Pipfile.lock", "{\n  broken\n}")], "PYTHON_LOCKFILE_INVALID", "Pipfile.lock", Some(2)),
        (
            vec![("pyproject.toml", "[project]\n"), ("uv.lock", "version = 1\n<<<<<<< HEAD\n")],
            "PYTHON_LOCKFILE_INVALID",
            "uv.lock",
            Some(2),
        ),
        (vec![("requirements.txt", "six\nflask = 3\n")], "PYTHON_REQUIREMENTS_INVALID", "requirements.txt", Some(2)),
        (vec![("requirements.txt", "six\npywin32==306\n")], "PYTHON_REQUIREMENT_NOT_FOR_LINUX", "requirements.txt", Some(2)),
        (vec![("pyproject.toml", "[project\n")], "PYTHON_PYPROJECT_INVALID", "pyproject.toml", Some(1)),
        (vec![("Pipfile", "[packages]\nflask =\n")], "PYTHON_PIPFILE_INVALID", "Pipfile", Some(2)),
        (vec![("environment.yml", "name: x\ndependencies:\n  - python=3.11\n")], "PYTHON_CONDA_UNSUPPORTED", "environment.yml", None),
    ] {
        let refusal = app(&files.iter().copied().chain([("main.py", "")]).collect::<Vec<_>>()).refusal();
        assert_eq!((refusal.code.as_str(), refusal.file.as_deref(), refusal.line), (code, Some(file), line), "{}", refusal.message);
        assert!(!refusal.fix.is_empty() && refusal.message.ends_with('.'), "{refusal:?}");
    }
}

#[test]
fn a_lockfile_that_fits_is_let_through() {
    for files in [
        vec![
            ("pyproject.toml", "[project]\nname='own'\ndependencies = ['Flask~=3.0', 'tomli; python_version<\"3.11\"', 'x @ https://x']\n"),
            ("uv.lock", UV),
        ],
        vec![
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython='^3.11'\nflask='^3.0'\ntomli={version='2',python='<3.11'}\nz={version='1',optional=true}\n",
            ),
            ("poetry.lock", UV),
        ],
        vec![
            ("Pipfile", "[packages]\nFlask='*'\nown={path='.', editable=true}\n"),
            ("Pipfile.lock", "{\"default\":{\"flask\":{\"version\":\"==3.0.0\"}}}"),
        ],
    ] {
        app(&files.iter().copied().chain([("main.py", "")]).collect::<Vec<_>>()).planned();
    }
}

#[test]
fn what_the_project_is_written_for_decides_between_lockfiles() {
    let poetry = app(&[("pyproject.toml", "[tool.poetry]\nname='x'"), ("uv.lock", ""), ("poetry.lock", ""), ("main.py", "")]);
    assert_eq!(poetry.detection().package_manager.as_deref(), Some("poetry"));
    assert_eq!(poetry.diagnostics(), ["PYTHON_LOCKFILE_UNUSED"]);
    let by_manager =
        app(&[("mise.toml", "[tools]\nuv = '0.8.1'"), ("pyproject.toml", "[project]"), ("uv.lock", ""), ("pdm.lock", ""), ("main.py", "")]);
    assert_eq!(by_manager.detection().package_manager.as_deref(), Some("uv"));
}

#[test]
fn conda_beside_requirements_is_only_mentioned() {
    let app = app(&[("environment.yml", "dependencies:\n  - numpy\n"), ("requirements.txt", "numpy\n"), ("main.py", "")]);
    assert_eq!(app.diagnostics(), ["PYTHON_CONDA_UNUSED"]);
}
