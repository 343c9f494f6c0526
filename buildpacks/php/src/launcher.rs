//! Heroku's launchers, which a Procfile names with the document root: `web: vendor/bin/heroku-php-apache2 web/`. They start a
//! server of Heroku's, so the image holds, under the same name, one that starts its own.

use slipway_buildpack_sdk::{Diagnostic, File, Source, procfile, warning};

use crate::apache;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// As the Procfile writes it.
    program: String,
    /// Below the application's root; `None`: the launcher's own default.
    pub root: Option<String>,
    /// A file of directives that Apache is to read, below the application's root.
    pub apache_include: Option<String>,
    settings_of_others: bool,
}

/// The launcher of the Procfile's `web` line.
pub fn find(source: &Source) -> Option<Launcher> {
    parse(&procfile::web(&source.peek("Procfile")?)?)
}

fn parse(command: &str) -> Option<Launcher> {
    let mut words = command.split_whitespace().skip_while(|word| *word == "exec" || word.contains('='));
    let program = words.next()?;
    let name = program.rsplit('/').next()?;
    let is_apache = matches!(name, "heroku-php-apache2" | "heroku-hhvm-apache2");
    if !is_apache && !matches!(name, "heroku-php-nginx" | "heroku-hhvm-nginx") {
        return None;
    }
    let is_plain = !program.starts_with('/') && program.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    (is_plain && !program.contains("..")).then_some(())?;
    let mut launcher = Launcher { program: program.to_owned(), root: None, apache_include: None, settings_of_others: false };
    while let Some(word) = words.next() {
        match word {
            "-C" if is_apache => launcher.apache_include = words.next().and_then(confined),
            "-C" | "-c" | "-F" | "-f" | "-i" => {
                words.next();
                launcher.settings_of_others = true;
            }
            "-l" | "-p" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => {
                launcher.root = confined(word);
                break;
            }
        }
    }
    Some(launcher)
}

/// A path below the application's root that needs no quoting.
fn confined(word: &str) -> Option<String> {
    let word = word.trim_matches(['"', '\'']).trim_start_matches("./").trim_end_matches('/');
    let is_plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    let is_below = !word.starts_with('/') && word.split('/').all(|part| part != ".." && part != "." && !part.is_empty());
    (is_plain && is_below).then(|| word.to_owned())
}

impl Launcher {
    /// What stands in for the launcher: whatever it is told, it starts the image's own server.
    pub fn file(&self, command: &str) -> File {
        let path = match self.program.trim_start_matches("./") {
            name if self.program.contains('/') => format!("/app/{name}"),
            name => format!("/usr/local/bin/{name}"),
        };
        File { path, content: format!("#!/bin/sh\nexec {command}\n"), executable: true }
    }

    pub fn diagnostic(&self) -> Option<Diagnostic> {
        let message = format!(
            "The files that the Procfile gives to `{}` are for a server that does not run here; {} is used.",
            self.program,
            apache::CONFIG_PATH
        );
        self.settings_of_others.then(|| warning("PHP_SERVER_SETTINGS_IGNORED", message, Some("Procfile")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_root_follows_the_options() {
        let root = |command: &str| parse(command).map(|launcher| launcher.root);
        assert_eq!(root("vendor/bin/heroku-php-apache2 web/"), Some(Some("web".into())));
        assert_eq!(root("exec heroku-php-nginx -C nginx.conf -v ./public"), Some(Some("public".into())));
        assert_eq!(root("vendor/bin/heroku-php-apache2"), Some(None));
        assert_eq!(root("vendor/bin/heroku-php-apache2 ../"), Some(None));
        assert_eq!(root("php -S 0.0.0.0:$PORT"), None);
        assert_eq!(root("/opt/heroku-php-apache2 web"), None);
    }

    #[test]
    fn only_what_apache_reads_is_kept_of_the_settings() {
        let apache = parse("vendor/bin/heroku-php-apache2 -C apache.conf public/").unwrap();
        assert_eq!((apache.apache_include.as_deref(), apache.diagnostic()), (Some("apache.conf"), None));
        assert!(parse("vendor/bin/heroku-php-nginx -C nginx.conf public/").unwrap().diagnostic().is_some());
    }

    #[test]
    fn the_one_that_stands_in_has_the_same_name() {
        assert_eq!(parse("vendor/bin/heroku-php-apache2").unwrap().file("x").path, "/app/vendor/bin/heroku-php-apache2");
        assert_eq!(parse("heroku-php-apache2").unwrap().file("x").path, "/usr/local/bin/heroku-php-apache2");
    }
}
