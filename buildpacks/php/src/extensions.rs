//! PHP extensions that the image does not bring.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::{Base, Run, Step, argv};

use crate::{
    composer::{self, Composer},
    lock::Lock,
};

/// Those that the image's own `docker-php-ext-install` can add, and the Debian packages that compiling each needs.
const BUNDLED: [(&str, &[&str]); 27] = [
    ("bcmath", &[]),
    ("bz2", &["libbz2-dev"]),
    ("calendar", &[]),
    ("dba", &[]),
    ("exif", &[]),
    ("ffi", &["libffi-dev"]),
    ("gd", &["libfreetype6-dev", "libjpeg-dev", "libpng-dev", "libwebp-dev", "zlib1g-dev"]),
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
    ("snmp", &["libsnmp-dev"]),
    ("soap", &["libxml2-dev"]),
    ("sockets", &[]),
    ("sysvmsg", &[]),
    ("sysvsem", &[]),
    ("sysvshm", &[]),
    ("tidy", &["libtidy-dev"]),
    ("xsl", &["libxslt1-dev"]),
    ("zip", &["libzip-dev", "zlib1g-dev"]),
    ("opcache", &[]),
];

/// Those that `pecl install` compiles, and what each needs.
const FROM_PECL: [(&str, &[&str]); 19] = [
    ("amqp", &["librabbitmq-dev"]),
    ("apcu", &[]),
    ("ast", &[]),
    ("ds", &[]),
    ("grpc", &["zlib1g-dev"]),
    ("igbinary", &[]),
    ("imagick", &["libmagickwand-dev"]),
    ("mailparse", &[]),
    ("maxminddb", &["libmaxminddb-dev"]),
    ("memcached", &["libmemcached-dev", "libssl-dev", "zlib1g-dev"]),
    ("mongodb", &["libssl-dev"]),
    ("msgpack", &[]),
    ("pcov", &[]),
    ("protobuf", &[]),
    ("rdkafka", &["librdkafka-dev"]),
    ("redis", &[]),
    ("swoole", &["libssl-dev"]),
    ("uuid", &["uuid-dev"]),
    ("yaml", &["libyaml-dev"]),
];

/// Compiled into the image or enabled there.
const BROUGHT: [&str; 34] = [
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
    "random",
    "readline",
    "reflection",
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
    "zlib",
];

/// What an application asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    bundled: Vec<&'static str>,
    from_pecl: Vec<&'static str>,
    /// Neither in the image nor known here.
    pub unknown: Vec<String>,
}

/// What composer.json, composer.lock and the locked packages require, and the databases of frameworks that always have one.
pub fn wanted(composer: Option<&Composer>, lock: Option<&Lock>, framework: Option<&str>) -> Extensions {
    let stated = composer.into_iter().flat_map(Composer::requires).filter_map(|(name, _)| composer::extension(name));
    let mut names: BTreeSet<String> = stated.chain(lock.into_iter().flat_map(Lock::extensions)).collect();
    let has_doctrine = ["doctrine/doctrine-bundle", "doctrine/orm", "doctrine/dbal"]
        .iter()
        .any(|package| composer.is_some_and(|composer| composer.uses(package)) || lock.is_some_and(|lock| lock.has(package)));
    let usual: &[&str] = match framework {
        Some("wordpress") => &["exif", "gd", "intl", "mysqli", "zip"],
        Some("laravel" | "lumen") => &["bcmath", "pdo_mysql", "pdo_pgsql"],
        Some("drupal") => &["gd", "pdo_mysql", "pdo_pgsql"],
        Some("cakephp") => &["intl", "pdo_mysql", "pdo_pgsql"],
        Some("codeigniter") => &["intl", "mysqli"],
        Some("yii" | "craft" | "typo3" | "shopware" | "magento") => &["intl", "pdo_mysql"],
        _ if has_doctrine => &["pdo_mysql", "pdo_pgsql"],
        _ => &[],
    };
    names.extend(usual.iter().map(|name| (*name).to_owned()));
    let of = |list: &[(&'static str, &[&str])]| list.iter().map(|(name, _)| *name).filter(|name| names.contains(*name)).collect();
    let (bundled, from_pecl) = (of(&BUNDLED), of(&FROM_PECL));
    let is_known = |name: &String| BROUGHT.contains(&name.as_str()) || BUNDLED.iter().chain(&FROM_PECL).any(|(known, _)| known == name);
    let unknown = names.iter().filter(|name| !is_known(name)).cloned().collect();
    Extensions { bundled, from_pecl, unknown }
}

impl Extensions {
    /// The step that adds them, on which everything else is built; `None` where the image brings all.
    pub fn step(&self, base: Base) -> Option<Step> {
        let mut run = Vec::new();
        let mut add =
            |words: &[&str]| run.push(Run { command: argv(words.iter().copied()), cwd: "/tmp".into(), env: vec![], network: true });
        if self.bundled.contains(&"gd") {
            add(&["docker-php-ext-configure", "gd", "--with-freetype", "--with-jpeg", "--with-webp"]);
        }
        if !self.bundled.is_empty() {
            add(&[&["docker-php-ext-install"], &self.bundled[..]].concat());
        }
        if !self.from_pecl.is_empty() {
            add(&[&["pecl", "install"], &self.from_pecl[..]].concat());
            add(&[&["docker-php-ext-enable"], &self.from_pecl[..]].concat());
        }
        let added = |name: &&str| self.bundled.contains(name) || self.from_pecl.contains(name);
        let packages: BTreeSet<&str> =
            BUNDLED.iter().chain(&FROM_PECL).filter(|(name, _)| added(name)).flat_map(|(_, packages)| packages.iter().copied()).collect();
        (!run.is_empty()).then(|| Step {
            id: "php".into(),
            base,
            inputs: vec![],
            files: vec![],
            run,
            caches: vec![],
            secrets: vec![],
            packages: packages.into_iter().map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_gathered_from_the_manifest_and_from_locked_packages() {
        let composer = Composer::from_text(r#"{"require": {"ext-GD": "*", "ext-json": "*", "ext-ionCube Loader": "*"}}"#).unwrap();
        let lock: Lock = serde_json::from_str(
            r#"{"packages": [
                {"name": "a/queue", "require": {"ext-pcntl": "*", "ext-redis": "*"}},
                {"name": "a/bcmath", "require": [], "provide": {"ext-bcmath": "*"}},
                {"name": "a/sum", "require": {"ext-bcmath": "*"}}
            ], "platform": {"ext-intl": "*"}}"#,
        )
        .unwrap();
        let wanted = wanted(Some(&composer), Some(&lock), None);
        assert_eq!(wanted.bundled, ["gd", "intl", "pcntl"]);
        assert_eq!((wanted.from_pecl.clone(), wanted.unknown.clone()), (vec!["redis"], vec!["ioncube loader".to_owned()]));
        let commands: Vec<_> = wanted.step(Base::Tool("php".into())).unwrap().run.into_iter().map(|run| run.command).collect();
        assert_eq!(
            commands,
            [
                argv(["docker-php-ext-configure", "gd", "--with-freetype", "--with-jpeg", "--with-webp"]),
                argv(["docker-php-ext-install", "gd", "intl", "pcntl"]),
                argv(["pecl", "install", "redis"]),
                argv(["docker-php-ext-enable", "redis"]),
            ]
        );
    }
}
