//! PHP extensions that the image does not bring.

use slipway_buildpack_sdk::{Run, Step, argv};

use crate::composer::Composer;

/// Those that the image's own `docker-php-ext-install` can add, and the Debian packages that compiling each needs.
const INSTALLABLE: [(&str, &[&str]); 19] = [
    ("bcmath", &[]),
    ("calendar", &[]),
    ("exif", &[]),
    ("gd", &["libpng-dev", "libjpeg-dev", "libfreetype-dev", "zlib1g-dev"]),
    ("gettext", &[]),
    ("gmp", &["libgmp-dev"]),
    ("intl", &["libicu-dev"]),
    ("ldap", &["libldap2-dev"]),
    ("mysqli", &[]),
    ("pcntl", &[]),
    ("pdo_mysql", &[]),
    ("pdo_pgsql", &["libpq-dev"]),
    ("pgsql", &["libpq-dev"]),
    ("shmop", &[]),
    ("soap", &["libxml2-dev"]),
    ("sockets", &[]),
    ("sysvsem", &[]),
    ("xsl", &["libxslt1-dev"]),
    ("zip", &["libzip-dev", "zlib1g-dev"]),
];

/// The extensions to add: what composer.json requires, and the database of frameworks that always have one.
pub fn wanted(composer: Option<&Composer>, framework: Option<&str>) -> Vec<&'static str> {
    let by_framework = |name: &str| match framework {
        Some("wordpress") => name == "mysqli",
        Some("laravel") => matches!(name, "pdo_mysql" | "bcmath"),
        _ => false,
    };
    INSTALLABLE
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| by_framework(name) || composer.is_some_and(|composer| composer.uses(&format!("ext-{name}"))))
        .collect()
}

/// Names after `ext-` that neither the image brings nor this buildpack can add.
pub fn unknown(composer: &Composer) -> Vec<String> {
    const BROUGHT: [&str; 31] = [
        "core",
        "ctype",
        "curl",
        "date",
        "dom",
        "fileinfo",
        "filter",
        "ftp",
        "hash",
        "iconv",
        "json",
        "libxml",
        "mbstring",
        "mysqlnd",
        "openssl",
        "pcre",
        "pdo",
        "pdo_sqlite",
        "phar",
        "posix",
        "readline",
        "session",
        "simplexml",
        "sodium",
        "spl",
        "sqlite3",
        "standard",
        "tokenizer",
        "xml",
        "xmlreader",
        "xmlwriter",
    ];
    let known = |name: &str| {
        BROUGHT.contains(&name)
            || matches!(name, "zlib" | "opcache" | "zend-opcache" | "reflection")
            || INSTALLABLE.iter().any(|(own, _)| *own == name)
    };
    composer.requires().filter_map(|(name, _)| name.strip_prefix("ext-")).map(str::to_ascii_lowercase).filter(|name| !known(name)).collect()
}

/// The step that adds them, on which everything else is built.
pub fn step(base: slipway_buildpack_sdk::Base, wanted: &[&str]) -> Step {
    let mut packages: Vec<String> = INSTALLABLE
        .into_iter()
        .filter(|(name, _)| wanted.contains(name))
        .flat_map(|(_, packages)| packages.iter().map(|package| (*package).to_owned()))
        .collect();
    packages.sort();
    packages.dedup();
    let command = argv(["docker-php-ext-install"].into_iter().chain(wanted.iter().copied()));
    Step {
        id: "php".into(),
        base,
        inputs: vec![],
        files: vec![],
        run: vec![Run { command, cwd: "/tmp".into(), env: vec![], network: true }],
        caches: vec![],
        secrets: vec![],
        packages,
    }
}
