//! Debian packages that well-known dependencies need beside the base image. Names that are the same in every release of
//! Debian: where a library's name holds its version, the package for development stands in, which asks for the right one.

use slipway_buildpack_sdk::Source;

use crate::{django, project::Project};

const COMPILER: &str = "build-essential";

/// Dependency, what building it needs, what running it needs.
const TABLE: [(&str, &[&str], &[&str]); 53] = [
    ("psycopg2", &[COMPILER, "libpq-dev"], &["libpq5"]),
    ("psycopg2cffi", &[COMPILER, "libpq-dev"], &["libpq5"]),
    ("psycopg", &[], &["libpq5"]),
    ("psycopg[c]", &[COMPILER, "libpq-dev"], &["libpq5"]),
    ("mysqlclient", &[COMPILER, "default-libmysqlclient-dev", "pkg-config"], &["libmariadb3"]),
    ("mariadb", &[COMPILER, "libmariadb-dev"], &["libmariadb3"]),
    ("pyodbc", &[COMPILER, "unixodbc-dev"], &["unixodbc"]),
    ("pycairo", &[COMPILER, "libcairo2-dev", "pkg-config"], &["libcairo2"]),
    ("rlpycairo", &[COMPILER, "libcairo2-dev", "pkg-config"], &["libcairo2"]),
    ("xhtml2pdf", &[COMPILER, "libcairo2-dev", "pkg-config"], &["libcairo2"]),
    ("cairosvg", &[], &["libcairo2"]),
    ("cairocffi", &[], &["libcairo2"]),
    ("weasyprint", &[], &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]),
    (
        "manim",
        &[COMPILER, "libcairo2-dev", "libpango1.0-dev", "pkg-config"],
        &["ffmpeg", "libcairo2", "libpango-1.0-0", "libpangocairo-1.0-0"],
    ),
    ("pdf2image", &[], &["poppler-utils"]),
    ("pydub", &[], &["ffmpeg"]),
    ("moviepy", &[], &["ffmpeg"]),
    ("ffmpeg-python", &[], &["ffmpeg"]),
    ("ffmpy", &[], &["ffmpeg"]),
    ("openai-whisper", &[], &["ffmpeg"]),
    ("yt-dlp", &[], &["ffmpeg"]),
    ("discord-py[voice]", &[], &["ffmpeg", "libopus0"]),
    ("opencv-python", &[], &["libgl1", "libglib2.0-0"]),
    ("opencv-contrib-python", &[], &["libgl1", "libglib2.0-0"]),
    ("opencv-python-headless", &[], &["libglib2.0-0"]),
    ("opencv-contrib-python-headless", &[], &["libglib2.0-0"]),
    ("ultralytics", &[], &["libgl1", "libglib2.0-0"]),
    ("easyocr", &[], &["libgl1", "libglib2.0-0"]),
    ("mediapipe", &[], &["libgl1", "libglib2.0-0"]),
    ("paddleocr", &[], &["libgl1", "libglib2.0-0", "libgomp1"]),
    ("lightgbm", &[], &["libgomp1"]),
    ("soundfile", &[], &["libsndfile1"]),
    ("librosa", &[], &["libsndfile1"]),
    ("pyaudio", &[COMPILER, "portaudio19-dev"], &["libportaudio2"]),
    ("python-magic", &[], &["libmagic1"]),
    ("unstructured", &[], &["libmagic1", "poppler-utils", "tesseract-ocr"]),
    ("pytesseract", &[], &["tesseract-ocr"]),
    ("ocrmypdf", &[], &["ghostscript", "tesseract-ocr"]),
    ("camelot-py", &[], &["ghostscript"]),
    ("pypandoc", &[], &["pandoc"]),
    ("graphviz", &[], &["graphviz"]),
    ("pydot", &[], &["graphviz"]),
    ("pygraphviz", &[COMPILER, "libgraphviz-dev", "pkg-config"], &["graphviz"]),
    ("wand", &[], &["libmagickwand-dev"]),
    ("pyzbar", &[], &["libzbar0"]),
    ("gdal", &[COMPILER, "libgdal-dev"], &["gdal-bin"]),
    ("python-ldap", &[COMPILER, "libldap2-dev", "libsasl2-dev"], &["libldap-dev"]),
    ("django-auth-ldap", &[COMPILER, "libldap2-dev", "libsasl2-dev"], &["libldap-dev"]),
    ("pycurl", &[COMPILER, "libcurl4-openssl-dev", "libssl-dev"], &["libcurl4"]),
    ("dlib", &[COMPILER, "cmake"], &[]),
    ("face-recognition", &[COMPILER, "cmake"], &[]),
    ("uwsgi", &[COMPILER], &[]),
    ("gitpython", &[], &["git"]),
];

/// Packages for building, and for running.
pub fn of(source: &Source, project: &Project) -> (Vec<String>, Vec<String>) {
    let (mut build, mut run): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (_, for_build, for_run) in TABLE.into_iter().filter(|(dependency, ..)| project.uses(dependency)) {
        build.extend(for_build);
        run.extend(for_run);
    }
    if builds_from_source(project, "lxml") {
        build.extend([COMPILER, "libxml2-dev", "libxslt1-dev"]);
        run.extend(["libxml2", "libxslt1.1"]);
    }
    if project.uses("django") && django::find(source).uses_gis() {
        run.push("gdal-bin");
    }
    if fetches_by_git(source, project) {
        build.extend(["git", "ca-certificates"]);
    }
    for list in [&mut build, &mut run] {
        list.sort_unstable();
        list.dedup();
    }
    (build.into_iter().map(str::to_owned).collect(), run.into_iter().map(str::to_owned).collect())
}

/// Whether pip is told not to take the wheel of a package that has one.
fn builds_from_source(project: &Project, package: &str) -> bool {
    let lines = project.requirements.iter().flat_map(|file| file.text.lines());
    project.uses(package)
        && lines.filter_map(|line| line.trim().strip_prefix("--no-binary")).any(|what| what.contains(package) || what.contains(":all:"))
}

fn fetches_by_git(source: &Source, project: &Project) -> bool {
    let of_table = |table: Option<&toml::Table>| {
        table.into_iter().flat_map(|table| table.values()).any(|value| value.as_table().is_some_and(|table| table.contains_key("git")))
    };
    project.requirements.iter().any(|file| file.text.contains("git+"))
        || project.project_dependencies().iter().any(|line| line.contains("git+"))
        || [project.poetry_dependencies(), project.pipfile_packages(), project.table(&["tool", "uv", "sources"])].into_iter().any(of_table)
        || source.peek("setup.py").is_some_and(|text| text.contains("git+"))
}
