//! Debian packages that well-known dependencies need beside the base image.

use crate::project::Project;

const COMPILER: &[&str] = &["build-essential"];

/// Dependency, what building it needs beside a compiler, what running it needs.
const TABLE: [(&str, &[&str], &[&str]); 14] = [
    ("psycopg2", &["libpq-dev"], &["libpq5"]),
    ("psycopg", &[], &["libpq5"]),
    ("mysqlclient", &["default-libmysqlclient-dev", "pkg-config"], &["libmariadb3"]),
    ("pycairo", &["libcairo2-dev", "pkg-config"], &["libcairo2"]),
    ("cairosvg", &[], &["libcairo2"]),
    ("weasyprint", &[], &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]),
    ("pdf2image", &[], &["poppler-utils"]),
    ("pydub", &[], &["ffmpeg"]),
    ("ffmpeg-python", &[], &["ffmpeg"]),
    ("python-magic", &[], &["libmagic1"]),
    ("pytesseract", &[], &["tesseract-ocr"]),
    ("python-ldap", &["libldap2-dev", "libsasl2-dev"], &["libldap-2.5-0"]),
    ("pycurl", &["libcurl4-openssl-dev", "libssl-dev"], &["libcurl4"]),
    ("uwsgi", &[], &[]),
];

/// Packages for building, and for running.
pub fn of(project: &Project) -> (Vec<String>, Vec<String>) {
    let (mut build, mut run): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (dependency, for_build, for_run) in TABLE {
        if project.uses(dependency) {
            if !for_build.is_empty() || dependency == "uwsgi" {
                build.extend(COMPILER);
            }
            build.extend(for_build);
            run.extend(for_run);
        }
    }
    if project.requirements.as_deref().is_some_and(|text| text.contains("git+")) {
        build.extend(["git", "ca-certificates"]);
    }
    for list in [&mut build, &mut run] {
        list.sort_unstable();
        list.dedup();
    }
    (build.into_iter().map(str::to_owned).collect(), run.into_iter().map(str::to_owned).collect())
}
