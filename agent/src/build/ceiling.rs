//! Limits for what builds run, set from outside.
//!
//! Docker's API has memory and CPU parameters for builds, and BuildKit takes no notice of them (20.10 to 28). It runs every step in
//! a control group of its own, though, so the limits are set there: with the `cgroupfs` driver on `docker/buildkit`, the parent of all of them; with
//! the `systemd` driver, which gives them no parent of their own, on each step's scope as it appears. Swap counts as memory. What the node's administrator builds with the same engine falls under the limits too.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often new steps are looked for.
const EVERY: Duration = Duration::from_millis(250);

/// Processes and threads of all builds together.
const MAX_PIDS: u32 = 4096;

#[derive(Debug, Clone)]
pub struct Ceiling {
    root: PathBuf,
    memory_bytes: i64,
}

impl Ceiling {
    /// `memory_bytes` is for everything that builds at one time.
    pub fn new(memory_bytes: i64) -> Self {
        Self { root: "/sys/fs/cgroup".into(), memory_bytes }
    }

    /// Keeps the limits in force for as long as it is polled.
    pub async fn hold(self) -> ! {
        let mut told = false;
        loop {
            let ceiling = self.clone();
            let applied = tokio::task::spawn_blocking(move || ceiling.apply()).await.unwrap_or(Ok(()));
            if let (Err(error), false) = (applied, told) {
                told = true;
                tracing::warn!(%error, "builds run without limits of memory and processes");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn apply(&self) -> io::Result<()> {
        let mut result = Ok(());
        for (file, value) in self.groups() {
            match fs::write(&file, value) {
                // The step has ended in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The order in which two limits may be raised or lowered differs; the next round puts right what this one could not.
                Err(error) => result = Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
                Ok(()) => {}
            }
        }
        result
    }

    /// The files to write, and what. Values that are in force already are left out: each write costs a search for memory to free.
    fn groups(&self) -> Vec<(PathBuf, String)> {
        let mut wanted = Vec::new();
        let memory = self.memory_bytes.to_string();
        let v1 = |controller: &str| self.root.join(controller).join("docker/buildkit");
        if self.root.join("memory").is_dir() {
            wanted.push((v1("memory").join("memory.limit_in_bytes"), memory.clone()));
            wanted.push((v1("memory").join("memory.memsw.limit_in_bytes"), memory));
            wanted.push((v1("pids").join("pids.max"), MAX_PIDS.to_string()));
            // Against 1024 of each running container.
            wanted.push((v1("cpu").join("cpu.shares"), "256".into()));
        } else {
            for group in std::iter::once(self.root.join("docker/buildkit")).chain(self.scopes()) {
                wanted.push((group.join("memory.max"), memory.clone()));
                wanted.push((group.join("memory.swap.max"), "0".into()));
                wanted.push((group.join("pids.max"), MAX_PIDS.to_string()));
                // Against 100.
                wanted.push((group.join("cpu.weight"), "25".into()));
            }
        }
        wanted.retain(|(file, value)| file.exists() && fs::read_to_string(file).is_ok_and(|current| !is_in_force(current.trim(), value)));
        wanted
    }

    /// Scopes of build steps: BuildKit's ids have 25 characters, those of containers 64.
    fn scopes(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join("system.slice")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| is_step(path)).collect()
    }
}

fn is_step(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("docker-").and_then(|rest| rest.strip_suffix(".scope")).is_some_and(|id| id.len() == 25)
}

/// The kernel rounds bytes down to pages.
fn is_in_force(current: &str, wanted: &str) -> bool {
    match (current.parse::<i64>(), wanted.parse::<i64>()) {
        (Ok(current), Ok(wanted)) => current == wanted || (wanted > 4096 && current / 4096 == wanted / 4096),
        _ => current == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(root: &Path, path: &str) -> String {
        fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn the_parent_of_all_steps_is_limited_on_the_first_hierarchy() {
        let root = tempfile::tempdir().unwrap();
        file(root.path(), "memory/docker/buildkit/memory.limit_in_bytes", "9223372036854771712");
        file(root.path(), "pids/docker/buildkit/pids.max", "max");
        Ceiling { root: root.path().into(), memory_bytes: 2 << 30 }.apply().unwrap();
        assert_eq!(read(root.path(), "memory/docker/buildkit/memory.limit_in_bytes"), "2147483648");
        assert_eq!(read(root.path(), "pids/docker/buildkit/pids.max"), "4096");
    }

    #[test]
    fn under_systemd_the_scopes_of_steps_are_limited_and_containers_are_not() {
        let root = tempfile::tempdir().unwrap();
        let (step, container) =
            (format!("system.slice/docker-{}.scope", "a".repeat(25)), format!("system.slice/docker-{}.scope", "a".repeat(64)));
        for scope in [&step, &container] {
            file(root.path(), &format!("{scope}/memory.max"), "max\n");
        }
        Ceiling { root: root.path().into(), memory_bytes: 1 << 30 }.apply().unwrap();
        assert_eq!(read(root.path(), &format!("{step}/memory.max")), "1073741824");
        assert_eq!(read(root.path(), &format!("{container}/memory.max")), "max\n");
    }

    #[test]
    fn a_limit_in_force_is_not_written_again() {
        let root = tempfile::tempdir().unwrap();
        file(root.path(), "memory/docker/buildkit/memory.limit_in_bytes", "4096");
        assert!(Ceiling { root: root.path().into(), memory_bytes: 5000 }.groups().is_empty());
        assert!(Ceiling { root: root.path().into(), memory_bytes: 9000 }.groups().len() == 1);
    }
}
