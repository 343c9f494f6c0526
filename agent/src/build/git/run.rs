//! Runs git with fixed surroundings.

use std::{
    ffi::{OsStr, OsString},
    future::Future,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use super::{GitError, GitLimits, target::Target};

const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// One repository in the making: where it is, and what every call is told.
pub struct Git {
    arguments: Vec<OsString>,
    home: PathBuf,
    work_tree: PathBuf,
}

impl Git {
    pub fn new(target: &Target, files: &Path, scratch: &Path, ca_bundle: Option<&Path>) -> Result<Self, GitError> {
        let home = scratch.join("home");
        std::fs::create_dir_all(&home).map_err(GitError::Io)?;
        let mut arguments: Vec<OsString> = vec!["--no-pager".into(), "--no-replace-objects".into()];
        arguments.push(with("--git-dir=", scratch.join("repository.git").as_os_str()));
        arguments.push(with("--work-tree=", files.as_os_str()));
        let pin = target.pin.as_ref().map(|pin| format!("http.curloptResolve={pin}"));
        let settings = [
            "protocol.allow=never",
            "protocol.https.allow=always",
            "protocol.http.allow=always",
            "http.followRedirects=false",
            "http.proxy=",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=60",
            "credential.helper=",
            "core.hooksPath=/dev/null",
            "core.attributesFile=/dev/null",
            "core.excludesFile=/dev/null",
            "core.fsmonitor=false",
            "core.symlinks=true",
            "core.protectHFS=true",
            "core.protectNTFS=true",
            "fetch.fsckObjects=false",
            "fetch.recurseSubmodules=false",
            "submodule.recurse=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "pack.threads=1",
            "checkout.workers=1",
            "advice.detachedHead=false",
        ];
        for setting in settings.into_iter().map(OsString::from).chain(pin.map(OsString::from)) {
            arguments.extend(["-c".into(), setting]);
        }
        if let Some(bundle) = ca_bundle {
            arguments.extend(["-c".into(), with("http.sslCAInfo=", bundle.as_os_str())]);
        }
        Ok(Self { arguments, home, work_tree: files.to_owned() })
    }

    /// The output of one command.
    pub async fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, GitError> {
        let mut running = self.start(arguments)?;
        let (stdout, stderr) = running.pipes()?;
        let (stdout, stderr) = tokio::join!(read_bounded(stdout), read_bounded(stderr));
        running.end(&stderr).await?;
        Ok(stdout)
    }

    /// Fetches one reference, with this much of its history or all.
    pub async fn fetch(&self, url: &str, depth: Option<u32>, what: String) -> Result<String, GitError> {
        let shallow = depth.map(|depth| format!("--depth={depth}"));
        let mut arguments =
            vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"];
        arguments.extend(shallow.as_deref());
        arguments.extend(["--", url, &what]);
        self.run(arguments).await
    }

    fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<Running, GitError> {
        let mut command = Command::new("git");
        command
            .args(&self.arguments)
            .args(arguments)
            .current_dir(&self.work_tree)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that the programs that git starts end with it.
            .process_group(0)
            .kill_on_drop(true);
        Ok(Running(command.spawn()?))
    }
}

fn with(prefix: &str, value: &OsStr) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(value);
    text
}

/// A git that ends with its whole process group when it is dropped.
struct Running(Child);

impl Running {
    fn pipes(&mut self) -> Result<(tokio::process::ChildStdout, tokio::process::ChildStderr), GitError> {
        self.0.stdout.take().zip(self.0.stderr.take()).ok_or_else(|| std::io::Error::other("git has no output").into())
    }

    async fn end(&mut self, stderr: &str) -> Result<(), GitError> {
        let status = self.0.wait().await?;
        if status.success() { Ok(()) } else { Err(GitError::Exit { code: status.code(), stderr: stderr.to_owned() }) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `id` is `None` once the child has been waited for: its number may belong to another by then.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn read_bounded(mut reader: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let _ = (&mut reader).take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await;
    // The rest must be read too, or the writer would wait for ever.
    let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

pub struct Listing {
    pub has_submodules: bool,
}

/// Counts the files of a commit without writing them, and stops as soon as there are too many.
pub async fn list_tree(git: &Git, id: &str, limits: &GitLimits) -> Result<Listing, GitError> {
    let mut running = git.start(["ls-tree", "-r", "-z", "--long", "--full-tree", id])?;
    let (stdout, stderr) = running.pipes()?;
    let count = async {
        let mut reader = BufReader::new(stdout);
        let (mut files, mut bytes, mut has_submodules) = (0_u64, 0_u64, false);
        let mut record = Vec::new();
        loop {
            record.clear();
            if (&mut reader).take(MAX_OUTPUT_BYTES).read_until(0, &mut record).await? == 0 {
                return Ok(Listing { has_submodules });
            }
            // `mode type id size\tpath`
            let text = String::from_utf8_lossy(&record);
            let mut words = text.split_ascii_whitespace();
            has_submodules |= words.next() == Some("160000");
            files += 1;
            bytes = bytes.saturating_add(words.nth(2).and_then(|size| size.parse().ok()).unwrap_or(0));
            if files > limits.files {
                return Err(GitError::TooManyFiles(limits.files));
            }
            if bytes > limits.bytes {
                return Err(GitError::TooLarge(limits.bytes));
            }
        }
    };
    // The complaints are read beside the listing, or git could wait for a reader of the one while we wait for the other.
    let complaints = tokio::spawn(read_bounded(stderr));
    let listing = count.await?;
    running.end(&complaints.await.unwrap_or_default()).await?;
    Ok(listing)
}

/// Runs `work` for as long as `directory` holds at most `limit` bytes.
pub async fn within_size<T>(directory: &Path, limit: u64, work: impl Future<Output = Result<T, GitError>>) -> Result<T, GitError> {
    let watch = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let directory = directory.to_owned();
            let bytes = tokio::task::spawn_blocking(move || size_of(&directory)).await.unwrap_or(0);
            if bytes > limit {
                return GitError::TooLarge(limit);
            }
        }
    };
    tokio::select! {
        result = work => result,
        error = watch => Err(error),
    }
}

fn size_of(directory: &Path) -> u64 {
    walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(|data| data.is_file())
        .map(|data| data.len())
        .sum()
}
