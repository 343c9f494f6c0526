//! Which Python is wanted, and which wishes cannot be met.

mod support;

use support::app;

#[test]
fn every_place_that_states_a_version_is_read() {
    for (file, content, constraint, origin) in [
        (".python-version", "# ours\n3.12.4\n", "3.12.4", ".python-version"),
        (".python-version", "3.14-dev\n", "3.14", ".python-version"),
        (".python-version", "cpython-3.11\n", "3.11", ".python-version"),
        ("runtime.txt", "python-3.12.1\r\n", "3.12.1", "runtime.txt"),
        (".tool-versions", "nodejs 22\npython 3.12.3 3.11.1\n", "3.12.3", ".tool-versions"),
        ("mise.toml", "[tools]\npython = \"3.11\"\n", "3.11", "mise.toml"),
        (".mise.toml", "[tools]\npython = { version = \"3.11\", virtualenv = \".venv\" }\n", "3.11", ".mise.toml"),
        (
            "Pipfile",
            "[requires]\npython_version = \"3.11\"\npython_full_version = \"3.11.9\"\n",
            "3.11.9",
            "Pipfile#requires.python_full_version",
        ),
        ("pyproject.toml", "[project]\nrequires-python = \">=3.11,<3.14\"\n", ">=3.11,<3.14", "pyproject.toml#project.requires-python"),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.11\"\n", "^3.11", "pyproject.toml#tool.poetry.dependencies.python"),
        ("setup.cfg", "[options]\npython_requires = >=3.10\n", ">=3.10", "setup.cfg#python_requires"),
        ("setup.py", "setup(\n    python_requires='>=3.10',\n)\n", ">=3.10", "setup.py#python_requires"),
        (".python-version", "system\n", "3.13", ""),
    ] {
        let tool = app(&[(file, content), ("main.py", "")]).planned().tools.remove(0);
        assert_eq!((tool.constraint.as_str(), tool.source.as_str()), (constraint, origin), "{file} {content:?}");
    }
}

#[test]
fn a_choice_goes_before_a_range_that_allows_it() {
    let app = app(&[(".python-version", "3.12"), ("pyproject.toml", "[project]\nrequires-python = '>=3.12.4'"), ("main.py", "")]);
    assert_eq!(app.planned().tools[0].constraint, "3.12");
}

#[test]
fn what_is_no_version_is_refused_where_it_stands() {
    for (file, content, line) in [
        (".python-version", "# ours\nmyproject-env\n", 2),
        (".python-version", "3.12.0invalid\n", 1),
        ("runtime.txt", "pypy3.9-7.3\n", 1),
        (".tool-versions", "nodejs 22\npython three\n", 2),
        ("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '3.11 or so'\n", 3),
        ("pyproject.toml", "[project]\npython = 1\n[tool.poetry.dependencies]\npython = 'latest'\n", 4),
        ("Pipfile", "[requires]\npython_version = 'new'\n", 2),
    ] {
        let refusal = app(&[(file, content), ("main.py", "")]).refusal();
        let place = (refusal.code.as_str(), refusal.file.as_deref(), refusal.line);
        assert_eq!(place, ("PYTHON_VERSION_INVALID", Some(file), Some(line)), "{content:?}");
        assert!(!refusal.fix.is_empty());
    }
}

#[test]
fn wishes_that_contradict_each_other_are_refused() {
    for files in [
        vec![(".python-version", "3.9.6"), ("pyproject.toml", "[project]\nrequires-python = '>=3.10'")],
        vec![("runtime.txt", "python-3.13.1"), ("pyproject.toml", "[tool.poetry.dependencies]\npython = '~3.11'")],
        vec![("pyproject.toml", "[project]\nrequires-python = '>=3.12'\n[tool.poetry.dependencies]\npython = '<3.11'")],
        vec![("pyproject.toml", "[project]\nrequires-python = '>=3.14,<3.10'")],
        vec![("Pipfile", "[requires]\npython_version = '3.12'\npython_full_version = '3.11.9'")],
    ] {
        let refusal = app(&files.iter().copied().chain([("main.py", "")]).collect::<Vec<_>>()).refusal();
        assert_eq!(
            (refusal.code.as_str(), refusal.file.as_deref(), refusal.line.is_some()),
            ("PYTHON_VERSION_CONFLICT", Some(files[0].0), true),
            "{files:?}"
        );
    }
}

#[test]
fn a_second_choice_that_is_not_used_is_pointed_out() {
    let app = app(&[(".python-version", "3.12"), ("runtime.txt", "python-3.11.4"), ("main.py", "")]);
    let said = &app.planned().diagnostics[0];
    assert_eq!((said.code.as_str(), said.file.as_deref(), said.line), ("PYTHON_VERSION_TWICE", Some("runtime.txt"), Some(1)));
}
