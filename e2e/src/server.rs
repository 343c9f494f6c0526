//! A control plane alone, for tests of its API.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::platform::{binary, free_addresses};

/// `slipway server` in a folder of its own, on ports of its own, without any node.
pub struct Server {
    data: TempDir,
    process: Child,
    listen: SocketAddr,
}

impl Server {
    /// With options such as `--development`.
    ///
    /// # Errors
    /// When it does not listen within half a minute; with what it said.
    pub fn start(options: &[&str]) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::Builder::new().prefix("slipway-e2e-").tempdir()?;
        let [listen, agent_listen] = free_addresses()?;
        let log = fs::File::create(data.path().join("e2e.log"))?;
        let mut command = Command::new(binary()?);
        command.arg("server").args(options).arg("--data").arg(data.path());
        command.args(["--listen", &listen.to_string(), "--agent-listen", &agent_listen.to_string()]);
        let process = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Self { data, process, listen };
        server.ready(Duration::from_secs(30))?;
        Ok(server)
    }

    fn ready(&mut self, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        loop {
            if std::net::TcpStream::connect(self.listen).is_ok() {
                return Ok(());
            }
            let ended = self.process.try_wait()?;
            if ended.is_some() || begin.elapsed() > limit {
                bail!("slipway server does not listen ({ended:?}):\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Of the first administrator.
    ///
    /// # Errors
    /// When the file with it cannot be read.
    pub fn token(&self) -> Result<String> {
        let path = self.data.path().join("admin.token");
        Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().to_owned())
    }

    /// Everything that it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.path().join("e2e.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("--- what the server said ---\n{}", self.log());
        }
    }
}
