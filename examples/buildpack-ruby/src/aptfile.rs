//! Aptfile: Debian packages that are there when gems are installed, and when the application runs. Debian's gems are among them.

use slipway_buildpack_sdk::{Refusal, Source, refuse};

pub const FILE: &str = "Aptfile";
const MOST: usize = 40;

/// One name a line; `#` begins a comment.
pub fn read(source: &Source) -> Result<Vec<String>, Refusal> {
    let Some(text) = source.read(FILE)? else { return Ok(Vec::new()) };
    let mut packages = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let name = line.split('#').next().unwrap_or_default().trim();
        if name.is_empty() {
            continue;
        }
        if !is_name(name) {
            return Err(refuse("RUBY_APTFILE_INVALID", format!("`{}` is not the name of a Debian package.", name.escape_default()))
                .at(FILE)
                .line(number)
                .fix("Write one name a line, such as `ruby-sinatra`."));
        }
        packages.push(name.to_owned());
    }
    if packages.len() > MOST {
        return Err(refuse("RUBY_APTFILE_INVALID", format!("{FILE} has {} packages, more than {MOST}.", packages.len()))
            .at(FILE)
            .fix("Leave out those that others bring along."));
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn is_name(text: &str) -> bool {
    (2..=100).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_name_and_nothing_that_apt_would_do() {
        assert!(is_name("ruby-sinatra") && is_name("libpq5") && is_name("g++"));
        for bad in ["", "a", "--allow-unauthenticated", "Ruby", "a b", "a;b", "http://x/y.deb", "puma=1"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
