//! What kind of site it is, and which of its directories visitors see.

use slipway_buildpack_sdk::Source;

use crate::{composer::Composer, launcher::Launcher};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Below the application's root, `.` for all of it.
    pub root: String,
    /// Whether paths without a file are for `index.php`.
    pub has_front_controller: bool,
    /// The file that says so.
    pub evidence: String,
}

/// Before `.`, because several frameworks keep an `index.php` in their root that only leads here.
const USUAL_ROOTS: [&str; 12] =
    ["public", "web", "webroot", "public_html", "html", "htdocs", "www", "docroot", "pub", "wwwroot", "httpdocs", "frontend/web"];

/// By package; what is built on another framework comes before it.
const PACKAGES: [(&str, &str); 30] = [
    ("laravel/framework", "laravel"),
    ("laravel/lumen-framework", "lumen"),
    ("drupal/core", "drupal"),
    ("drupal/core-recommended", "drupal"),
    ("drupal/recommended-project", "drupal"),
    ("roots/wordpress", "wordpress"),
    ("roots/wordpress-no-content", "wordpress"),
    ("johnpbloch/wordpress", "wordpress"),
    ("johnpbloch/wordpress-core", "wordpress"),
    ("craftcms/cms", "craft"),
    ("typo3/cms-core", "typo3"),
    ("magento/product-community-edition", "magento"),
    ("shopware/core", "shopware"),
    ("symfony/framework-bundle", "symfony"),
    ("symfony/symfony", "symfony"),
    ("cakephp/cakephp", "cakephp"),
    ("codeigniter4/framework", "codeigniter"),
    ("codeigniter4/codeigniter4", "codeigniter"),
    ("codeigniter/framework", "codeigniter"),
    ("yiisoft/yii2", "yii"),
    ("yiisoft/yii", "yii"),
    ("yiisoft/yii-http", "yii"),
    ("hyperf/framework", "hyperf"),
    ("topthink/framework", "thinkphp"),
    ("laminas/laminas-mvc", "laminas"),
    ("mezzio/mezzio", "mezzio"),
    ("slim/slim", "slim"),
    ("flightphp/core", "flight"),
    ("mikecao/flight", "flight"),
    ("leafs/leaf", "leaf"),
];

/// By files that only one framework has.
const FILES: [(&str, &str); 13] = [
    ("artisan", "laravel"),
    ("symfony.lock", "symfony"),
    ("bin/console", "symfony"),
    ("bin/cake", "cakephp"),
    ("bin/cake.php", "cakephp"),
    ("spark", "codeigniter"),
    ("system/core/CodeIgniter.php", "codeigniter"),
    ("yii", "yii"),
    ("wp-login.php", "wordpress"),
    ("wp-settings.php", "wordpress"),
    ("wp-config-sample.php", "wordpress"),
    ("core/lib/Drupal.php", "drupal"),
    ("web/core/lib/Drupal.php", "drupal"),
];

pub fn framework(source: &Source, composer: Option<&Composer>) -> Option<&'static str> {
    let by_package = composer.and_then(|composer| PACKAGES.into_iter().find(|(package, _)| composer.uses(package)));
    by_package.or_else(|| FILES.into_iter().find(|(file, _)| source.is_file(file))).map(|(_, name)| name)
}

/// The document root, or `None` when nothing in the tree is a page. In order: the one that the Procfile names, the one that
/// the framework's settings in composer.json name, the usual ones, the application's root.
pub fn find(source: &Source, composer: Option<&Composer>, framework: Option<&str>, launcher: Option<&Launcher>) -> Option<Site> {
    let site = |root: &str, has_front_controller, evidence: String| Some(Site { root: root.to_owned(), has_front_controller, evidence });
    let has_page = |dir: &str| ["index.php", "index.html"].into_iter().find(|page| source.is_file(&below(dir, page)));
    if let Some(launcher) = launcher {
        let root = launcher.root.as_deref().unwrap_or(".");
        let is_front = root != "." || framework.is_some();
        if source.is_dir(root) && (launcher.root.is_some() || has_page(".").is_some()) {
            return site(root, is_front && source.is_file(&below(root, "index.php")), "Procfile".into());
        }
    }
    if let Some(root) = composer.and_then(|composer| stated(composer, framework)) {
        return site(&root, true, "composer.json".into());
    }
    let front = |dir: &&str| source.is_file(&below(dir, "index.php"));
    if let Some(root) = USUAL_ROOTS.into_iter().find(front) {
        return site(root, true, below(root, "index.php"));
    }
    if source.is_file("index.php") {
        // One page of many, unless packages or a framework say that it routes.
        let routes = framework.is_some() || composer.is_some_and(Composer::has_packages);
        return site(".", routes, "index.php".into());
    }
    let page = source.list(".").into_iter().find(|entry| !entry.is_dir && entry.name.ends_with(".php"))?;
    source.is_file("index.html").then(|| Site { root: ".".into(), has_front_controller: false, evidence: page.name })
}

/// Where a framework's installer puts its front controller, which is then often not committed.
fn stated(composer: &Composer, framework: Option<&str>) -> Option<String> {
    let path: &[&str] = match framework? {
        "drupal" => &["extra", "drupal-scaffold", "locations", "web-root"],
        "typo3" => &["extra", "typo3/cms", "web-dir"],
        "symfony" | "shopware" => &["extra", "public-dir"],
        _ => return None,
    };
    let root = composer.text(path)?.trim_start_matches("./").trim_end_matches('/');
    let is_below = !root.starts_with('/') && root.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    match root {
        "" | "." => Some(".".into()),
        root => is_below.then(|| root.to_owned()),
    }
}

fn below(dir: &str, file: &str) -> String {
    if dir == "." { file.to_owned() } else { format!("{dir}/{file}") }
}
