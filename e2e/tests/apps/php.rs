use slipway_e2e::App;

const APPS: &[App] = &[
    App { pages: &[("/greet/anna", "Good day, anna")], ..App::new("php/front-controller", "public/index.php") },
    App { pages: &[("/about.php", "About pages-in-root")], hidden: &["/none.php"], ..App::new("php/pages-in-root", "index.php") },
    App::new("php/web-docroot", "lib/greeting.php"),
    App { absent: &["/usr/local/bin/composer"], ..App::new("php/composer-psr4", "src/Greeting.php") },
    App { absent: &["/usr/local/bin/composer"], ..App::new("php/path-repository", "public/index.php") },
    App { pages: &[("/environment", "prod")], ..App::new("php/symfony-layout", "src/Controller/HomeController.php") },
    App { pages: &[("/config", "config of production")], ..App::new("php/laravel-layout", "routes/web.php") },
    App { pages: &[("/2026/a-post", "/2026/a-post")], ..App::new("php/wordpress-layout", "wp-content/themes/plain/index.php") },
    App { others: 1, ..App::new("php/procfile-worker", "server.php") },
    App { pages: &[("/", "visits, 6 letters")], ..App::new("php/sqlite-extensions", "public/index.php") },
    App { absent: &["/app/node_modules"], pages: &[("/", "/build/assets/app-")], ..App::new("php/vite-assets", "public/index.php") },
];

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_php_are_built_answer_and_stop() -> anyhow::Result<()> {
    super::all_work("PHP", APPS).await
}
