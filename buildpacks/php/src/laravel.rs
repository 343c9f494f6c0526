//! What Laravel prepares before it serves. Its caches hold values of the environment, which the build does not know.

use slipway_buildpack_sdk::File;

pub const START_PATH: &str = "/etc/slipway/start-laravel";

/// The directories it writes to, the caches, then the server. An application that cannot cache (routes made of closures, a
/// provider that asks the database) runs without.
pub fn start(server: &str) -> File {
    let content = format!(
        r#"#!/bin/sh
cd /app || exit 1
mkdir -p bootstrap/cache storage/logs storage/framework/cache/data storage/framework/sessions storage/framework/views
for kind in config route view; do
    php artisan "$kind:cache" --no-interaction || php artisan "$kind:clear" --no-interaction
done
exec {server}
"#
    );
    File { path: START_PATH.into(), content, executable: true }
}
