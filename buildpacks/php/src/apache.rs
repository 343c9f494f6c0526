//! Apache's configuration: a whole one of its own, because the image's expects to start as root on port 80.

use slipway_buildpack_sdk::{Command, File, argv};

use crate::site::Site;

pub const CONFIG_PATH: &str = "/etc/slipway/apache2.conf";

/// Runs Apache as the container's only process group; the image's script prepares its directories first.
pub fn command() -> Command {
    argv(["apache2-foreground", "-f", CONFIG_PATH])
}

/// The same for a script.
pub fn command_line() -> String {
    format!("apache2-foreground -f {CONFIG_PATH}")
}

pub fn env() -> Vec<(String, String)> {
    // The usual directories belong to root, and the root file system may be read-only.
    [
        ("APACHE_RUN_DIR", "/tmp/apache2"),
        ("APACHE_LOCK_DIR", "/tmp/apache2"),
        ("APACHE_PID_FILE", "/tmp/apache2/apache2.pid"),
        ("APACHE_LOG_DIR", "/tmp/apache2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// `include`: a file of the application's with directives of its own.
pub fn config(site: &Site, include: Option<&str>) -> File {
    let root = if site.root == "." { "/app".to_owned() } else { format!("/app/{}", site.root) };
    let fallback = if site.has_front_controller { "    FallbackResource /index.php\n" } else { "" };
    // With the application's root for a document root, what belongs to the build must be hidden.
    let hidden = if site.root == "." {
        "RedirectMatch 404 \"^/(vendor/|node_modules/|composer\\.(json|lock)$|package(-lock)?\\.json$|(yarn|symfony)\\.lock$|pnpm-lock\\.yaml$|phpunit\\.xml|Procfile$|Dockerfile$|artisan$)\"\n"
    } else {
        ""
    };
    let include = include.map_or_else(String::new, |file| format!("IncludeOptional /app/{file}\n"));
    let content = format!(
        r#"ServerRoot /etc/apache2
ServerName localhost
ServerTokens Prod
ServerSignature Off
PidFile /tmp/apache2/apache2.pid
DefaultRuntimeDir /tmp/apache2
Mutex file:/tmp/apache2 default
Timeout 300
KeepAlive On
KeepAliveTimeout 65
# When it is told to stop, what is under way is finished. Idle connections of the ingress do not hold it until it is killed.
GracefulShutdownTimeout 7
HostnameLookups Off

IncludeOptional mods-enabled/*.load
IncludeOptional mods-enabled/*.conf
<IfModule !rewrite_module>
    LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
</IfModule>
<IfModule !headers_module>
    LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
</IfModule>
<IfModule !remoteip_module>
    LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
</IfModule>

Listen ${{PORT}}
ErrorLog /dev/stderr
LogLevel warn
LogFormat "%a %l %u %t \"%r\" %>s %b" common
CustomLog /dev/stdout common

# The ingress is the only client; it says who asked, and whether over TLS.
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on

<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
DocumentRoot {root}
<Directory {root}>
    Options -Indexes +FollowSymLinks
    AllowOverride All
    Require all granted
{fallback}</Directory>
DirectoryIndex index.php index.html
AccessFileName .htaccess
RedirectMatch 404 "/\.(?!well-known/)"
{hidden}
<FilesMatch "\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
<IfModule php_module>
    php_flag display_errors off
    php_flag log_errors on
    php_value error_log /dev/stderr
</IfModule>
Header unset X-Powered-By
Header always unset X-Powered-By
{include}"#
    );
    File { path: CONFIG_PATH.into(), content, executable: false }
}
