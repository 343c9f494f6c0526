//! One route file: the text that the core rendered, with addresses in the place of instances, and a first line that says what it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slipway_model::{ApplicationId, Hostname, InstanceId};

#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    #[error("{0:?} is no name for a route file")]
    Name(String),
    #[error("the route file {file} belongs to {owner}")]
    Taken { file: String, owner: ApplicationId },
    #[error("the route is not valid TOML: {0}")]
    Toml(String),
    #[error("{program} does not take the route: {said}")]
    Check { program: String, said: String },
    #[error("{0}")]
    NoProxy(String),
    #[error("the route names {0}, which has no address")]
    Address(String),
    #[error("cannot read or write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// What a route file is, as its first line tells the next agent process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFile {
    pub application: ApplicationId,
    pub revision: String,
    pub file: String,
    pub hostname: Hostname,
    /// Where it sends visitors.
    pub addresses: BTreeMap<InstanceId, IpAddr>,
}

/// Behind whatever begins a line of comment.
const MARK: &str = "slipway ";
/// The sections that a route may have; Traefik refuses the whole folder for one that it does not know.
const SECTIONS: [&str; 4] = ["http", "tcp", "udp", "tls"];

impl RouteFile {
    /// The file's text for Traefik.
    ///
    /// # Errors
    /// The name or the content is not fit to be put where one bad file makes Traefik drop all.
    pub fn render(&self, content: &str) -> Result<String, RouteError> {
        let text = self.under(".toml", "#", content)?;
        let table: toml::Table = toml::from_str(content).map_err(|error| RouteError::Toml(error.message().to_owned()))?;
        if let Some(section) = table.keys().find(|section| !SECTIONS.contains(&section.as_str())) {
            return Err(RouteError::Toml(format!("a route has no section [{section}]")));
        }
        Ok(text)
    }

    /// The content under a line of comment that says what the file is.
    ///
    /// # Errors
    /// The name is not plain, or does not end as it should.
    pub fn under(&self, suffix: &str, comment: &str, content: &str) -> Result<String, RouteError> {
        let name = self.file.as_str();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !plain || name.starts_with(['.', '_']) || !name.ends_with(suffix) || name.len() > 200 {
            return Err(RouteError::Name(name.to_owned()));
        }
        // Names, ids and addresses: JSON of one line, whatever the proxy.
        let head = serde_json::to_string(self).map_err(|_| RouteError::Name(name.to_owned()))?;
        Ok(format!("{comment} {MARK}{head}\n{content}"))
    }

    /// What the file with this text is; `None` if no agent wrote it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.lines().next()?.split_once(MARK)?.1).ok()
    }

    /// Those of a folder. What no agent wrote is removed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read_all(folder: &Path, but: &str) -> Result<Vec<Self>, RouteError> {
        let failed = |source| RouteError::Io { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name == but {
                continue;
            }
            let parsed = fs::read_to_string(&path).ok().as_deref().and_then(Self::parse);
            match parsed.filter(|file| file.file == name) {
                Some(file) => files.push(file),
                None => {
                    tracing::warn!(file = %path.display(), "removed a route file that no agent wrote");
                    fs::remove_file(&path).map_err(failed)?;
                }
            }
        }
        Ok(files)
    }

    /// A file name is one application's, until it gives it up.
    ///
    /// # Errors
    /// There is another's at `path`.
    pub fn may_replace(&self, path: &Path) -> Result<(), RouteError> {
        let present = fs::read_to_string(path).ok().as_deref().and_then(Self::parse);
        match present.filter(|present| present.application != self.application) {
            Some(present) => Err(RouteError::Taken { file: self.file.clone(), owner: present.application }),
            None => Ok(()),
        }
    }
}

/// Puts addresses in the place of `@ins_…@`.
///
/// # Errors
/// An instance has no address, or what stands between the signs is no instance.
pub fn substitute(content: &str, addresses: &BTreeMap<InstanceId, IpAddr>) -> Result<String, RouteError> {
    const SIGN: &str = "@ins_";
    let mut result = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(start) = rest.find(SIGN) {
        result.push_str(&rest[..start]);
        let inner = &rest[start + 1..];
        let shown = || inner.chars().take(30).collect::<String>();
        let end = inner.find('@').ok_or_else(|| RouteError::Address(shown()))?;
        let instance: InstanceId = inner[..end].parse().map_err(|_| RouteError::Address(shown()))?;
        match addresses.get(&instance).ok_or_else(|| RouteError::Address(instance.to_string()))? {
            IpAddr::V4(address) => result.push_str(&address.to_string()),
            IpAddr::V6(address) => result.push_str(&format!("[{address}]")),
        }
        rest = &inner[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    fn file(name: &str) -> RouteFile {
        let clock = system_clock();
        RouteFile {
            application: ApplicationId::new(&*clock),
            revision: "r1".into(),
            file: name.into(),
            hostname: "shop.example.com".parse().unwrap(),
            addresses: BTreeMap::from([(InstanceId::new(&*clock), "172.18.0.2".parse().unwrap())]),
        }
    }

    #[test]
    fn a_file_tells_the_next_agent_what_it_is() {
        let file = file("app.toml");
        let text = file.render("[http.routers.a]\nrule = \"Host(`a`)\"\n").unwrap();
        assert_eq!(RouteFile::parse(&text), Some(file));
        assert!(toml::from_str::<toml::Table>(&text).is_ok());
        assert_eq!(RouteFile::parse("[http]\n"), None);
    }

    #[test]
    fn what_would_spoil_the_folder_is_not_written() {
        for name in ["../a.toml", "a/b.toml", ".a.toml", "_a.toml", "a.yml", "a\n.toml", ""] {
            assert!(matches!(file(name).render("[http]\n"), Err(RouteError::Name(_))), "{name:?}");
        }
        assert!(matches!(file("a.toml").render("[http"), Err(RouteError::Toml(_))));
        assert!(matches!(file("a.toml").render("[entryPoints.evil]\n"), Err(RouteError::Toml(_))));
    }

    #[test]
    fn instances_become_addresses_and_nothing_else_does() {
        let clock = system_clock();
        let (one, two) = (InstanceId::new(&*clock), InstanceId::new(&*clock));
        let addresses = BTreeMap::from([(one, "172.18.0.2".parse().unwrap()), (two, "fd00::2".parse().unwrap())]);
        let content = format!("a = \"http://@{one}@:3000\"\nb = \"http://@{two}@:80\"\nc = \"me@example.com\"");
        let text = substitute(&content, &addresses).unwrap();
        assert_eq!(text, "a = \"http://172.18.0.2:3000\"\nb = \"http://[fd00::2]:80\"\nc = \"me@example.com\"");
        let stranger = InstanceId::new(&*clock);
        assert!(substitute(&format!("@{stranger}@"), &addresses).is_err());
        assert!(substitute("@ins_x@", &addresses).is_err());
        assert!(substitute("@ins_", &addresses).is_err());
    }
}
