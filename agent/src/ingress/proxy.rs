//! [`Ingress`] over any proxy that reads files, checks them by itself, and reads them again at a signal.
//!
//! Invariant: a route is in place only after the proxy's own check has passed over all routes with it, done on a copy.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::process::Signal;
use slipway_model::{ApplicationId, Hostname};
use slipway_protocol::{DesiredProxy, ROUTE_HEADER};

use super::note::Note;
use super::program::{binary, fill};
use super::settings::Folders;
use super::traefik::reachable;
use super::{Counted, Ingress, IngressError, RouteError, RouteFile, Seen, plain_http};
use crate::config::IngressConfig;

const ANSWER: Duration = Duration::from_secs(2);
/// A check reads some files; one that takes longer than this is not going to end.
const CHECK: Duration = Duration::from_secs(20);
/// As much of what a check says is of use to a person.
const MOST_SAID: u64 = 4096;

pub struct Proxy {
    proxy: DesiredProxy,
    binary: PathBuf,
    config: IngressConfig,
    folders: Folders,
    web: SocketAddr,
    reload: Signal,
    http: reqwest::Client,
}

impl Proxy {
    /// Writes the proxy's own files.
    ///
    /// # Errors
    /// The machine's administrator named no such program, or its folders cannot be made.
    pub fn new(data_dir: &Path, config: &IngressConfig, proxy: &DesiredProxy) -> Result<Self, IngressError> {
        let binary = binary(config, proxy).map_err(IngressError::NoProxy)?;
        let folders = Folders::of_proxy(data_dir, &proxy.program);
        let failed = |source| IngressError::Io { path: folders.root().to_owned(), source };
        let reload = match proxy.reload.as_str() {
            "HUP" => Signal::HUP,
            "USR1" => Signal::USR1,
            "USR2" => Signal::USR2,
            other => return Err(IngressError::NoProxy(format!("{} is to be told by {other}, which agents do not send", proxy.program))),
        };
        folders.create().map_err(failed)?;
        let http = plain_http().map_err(|error| failed(io::Error::other(error)))?;
        let web = reachable(config.web_address);
        let this = Self { proxy: proxy.clone(), binary, config: config.clone(), folders, web, reload, http };
        this.write_files(this.folders.root()).map_err(|source| IngressError::Io { path: this.folders.root().to_owned(), source })?;
        Ok(this)
    }

    fn write_files(&self, root: &Path) -> io::Result<()> {
        for (name, text) in &self.proxy.files {
            let is_plain = !name.contains('/') && !name.starts_with('.') && !name.is_empty();
            if !is_plain {
                return Err(io::Error::other(format!("{name:?} is no name for a file of the proxy")));
            }
            crate::durable::write(&root.join(name), fill(text, root, &self.config).as_bytes())?;
        }
        Ok(())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folders.routes().join(file)
    }

    /// A copy of everything with this route in it, as the proxy would find it.
    fn stage(&self, file: &RouteFile, text: &str) -> io::Result<(PathBuf, PathBuf)> {
        let root = self.folders.staging().join("check");
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let routes = root.join("routes");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&routes)?;
        self.write_files(&root)?;
        for entry in fs::read_dir(self.folders.routes())? {
            let entry = entry?;
            if entry.file_name() != file.file.as_str() {
                fs::hard_link(entry.path(), routes.join(entry.file_name()))?;
            }
        }
        let staged = routes.join(&file.file);
        let mut written = File::create(&staged)?;
        written.write_all(text.as_bytes())?;
        written.sync_data()?;
        Ok((root, staged))
    }

    /// The proxy's own check of a staged copy.
    fn check(&self, root: &Path) -> Result<(), RouteError> {
        let failed = |source| RouteError::Io { path: self.binary.clone(), source };
        let (mut said, output) = io::pipe().map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut command = Command::new(&self.binary);
        command.args(self.proxy.check.iter().map(|argument| fill(argument, root, &self.config)));
        command.current_dir(root).env_clear().stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = command.spawn().map_err(failed)?;
        // Its own ends of the pipe are closed with it, so that reading ends when the program does.
        drop(command);
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = Read::by_ref(&mut said).take(MOST_SAID).read_to_end(&mut text);
            let _ = io::copy(&mut said, &mut io::sink());
            text
        });
        let since = Instant::now();
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break Some(status),
                None if since.elapsed() > CHECK => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let said = reader.join().unwrap_or_default();
        let refused = |said: String| Err(RouteError::Check { program: self.proxy.program.clone(), said });
        match status {
            None => refused(format!("its check did not end within {} s", CHECK.as_secs())),
            Some(status) if status.success() => Ok(()),
            // Paths of the copy mean nothing to who reads it.
            Some(_) => refused(String::from_utf8_lossy(&said).trim().replace(&*root.to_string_lossy(), "")),
        }
    }

    fn tell(&self) {
        // One that does not run yet reads everything when it starts.
        if let Some(note) = Note::read(&self.folders) {
            note.signal(self.reload);
        }
    }

    async fn look(&self, hostname: &Hostname) -> Seen {
        let path = self.proxy.confirm_path.as_deref().unwrap_or("/");
        let request = self.http.head(format!("http://{}{path}", self.web)).header(http::header::HOST, hostname.as_str()).timeout(ANSWER);
        match request.send().await {
            Ok(response) => match response.headers().get(ROUTE_HEADER).and_then(|value| value.to_str().ok()) {
                Some(seen) => Seen::Revision(seen.to_owned()),
                None => Seen::Nothing,
            },
            Err(error) if error.is_connect() => Seen::Unreachable(crate::enroll::sources(&error)),
            Err(_) => Seen::Nothing,
        }
    }
}

impl Ingress for Proxy {
    fn files(&self) -> Result<Vec<RouteFile>, RouteError> {
        RouteFile::read_all(&self.folders.routes(), "")
    }

    fn put(&self, file: &RouteFile, content: &str) -> Result<(), RouteError> {
        let content = fill(content, self.folders.root(), &self.config);
        let text = file.under(&self.proxy.route_suffix, &self.proxy.comment, &content)?;
        let placed = self.path(&file.file);
        file.may_replace(&placed)?;
        let (root, staged) = self.stage(file, &text).map_err(|source| RouteError::Io { path: self.folders.staging(), source })?;
        self.check(&root)?;
        fs::rename(&staged, &placed).map_err(|source| RouteError::Io { path: placed, source })?;
        self.tell();
        Ok(())
    }

    fn remove(&self, file: &RouteFile) -> Result<(), RouteError> {
        let path = self.path(&file.file);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RouteError::Io { path, source }),
            _ => {
                self.tell();
                Ok(())
            }
        }
    }

    fn nudge(&self) -> Result<(), RouteError> {
        self.tell();
        Ok(())
    }

    fn seen<'a>(&'a self, hostname: &'a Hostname, _revision: &'a str) -> BoxFuture<'a, Seen> {
        self.look(hostname).boxed()
    }

    fn counted(&self) -> BoxFuture<'_, Result<BTreeMap<ApplicationId, Counted>, String>> {
        async { Err("a proxy that a plugin describes is not asked what it counts".to_owned()) }.boxed()
    }
}

/// In the place of a proxy that this machine does not have: every route says why it is not in force.
pub struct Absent(pub String);

impl Ingress for Absent {
    fn files(&self) -> Result<Vec<RouteFile>, RouteError> {
        Ok(Vec::new())
    }

    fn put(&self, _file: &RouteFile, _content: &str) -> Result<(), RouteError> {
        Err(RouteError::NoProxy(self.0.clone()))
    }

    fn remove(&self, _file: &RouteFile) -> Result<(), RouteError> {
        Ok(())
    }

    fn nudge(&self) -> Result<(), RouteError> {
        Ok(())
    }

    fn seen<'a>(&'a self, _hostname: &'a Hostname, _revision: &'a str) -> BoxFuture<'a, Seen> {
        async { Seen::Unreachable(self.0.clone()) }.boxed()
    }

    fn counted(&self) -> BoxFuture<'_, Result<BTreeMap<ApplicationId, Counted>, String>> {
        async { Err(self.0.clone()) }.boxed()
    }
}
