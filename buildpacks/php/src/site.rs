//! What kind of site it is, and which of its directories visitors see.

use slipway_buildpack_sdk::{Refusal, Source, refuse};

use crate::composer::Composer;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Below the application's root, `.` for all of it.
    pub root: String,
    /// Whether paths without a file are for `index.php`.
    pub has_front_controller: bool,
}

/// The framework, by a package or by files that only it has.
pub fn framework(source: &Source, composer: Option<&Composer>) -> Option<&'static str> {
    let packages = [
        ("laravel/framework", "laravel"),
        ("laravel/lumen-framework", "lumen"),
        ("symfony/framework-bundle", "symfony"),
        ("symfony/symfony", "symfony"),
        ("cakephp/cakephp", "cakephp"),
        ("codeigniter4/framework", "codeigniter"),
        ("yiisoft/yii2", "yii"),
        ("drupal/core", "drupal"),
        ("drupal/core-recommended", "drupal"),
        ("slim/slim", "slim"),
        ("roots/wordpress", "wordpress"),
        ("johnpbloch/wordpress", "wordpress"),
    ];
    let by_package = composer.and_then(|composer| packages.into_iter().find(|(package, _)| composer.uses(package)).map(|(_, name)| name));
    by_package.or_else(|| {
        let files =
            [("artisan", "laravel"), ("bin/console", "symfony"), ("wp-login.php", "wordpress"), ("wp-config-sample.php", "wordpress")];
        files.into_iter().find(|(file, _)| source.is_file(file)).map(|(_, name)| name)
    })
}

/// The document root, or `None` when nothing in the tree is a page.
pub fn find(source: &Source, framework: Option<&str>) -> Option<Site> {
    let front = |dir: &str| source.is_file(&format!("{dir}/index.php"));
    if let Some(root) = ["public", "web", "webroot", "public_html", "htdocs", "www", "docroot"].into_iter().find(|dir| front(dir)) {
        return Some(Site { root: root.into(), has_front_controller: true });
    }
    if source.is_file("index.php") {
        // A page of many, unless a framework says otherwise.
        return Some(Site { root: ".".into(), has_front_controller: framework.is_some() });
    }
    let pages = source.list(".").iter().any(|entry| !entry.is_dir && entry.name.ends_with(".php"));
    let index = source.is_file("index.html");
    (pages && index).then(|| Site { root: ".".into(), has_front_controller: false })
}

pub fn nothing_to_serve() -> Refusal {
    refuse("PHP_NO_INDEX", "There is neither an `index.php` nor a `public/index.php`, so there is nothing to answer requests.")
        .fix("Add an `index.php`, or a line `web: <command>` to a Procfile, or set the start command in the application's settings.")
}
