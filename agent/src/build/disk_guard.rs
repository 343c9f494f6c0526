//! Watches the disk that the engine builds on: a build that fills it would take the apps of the node with it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use slipway_protocol::TaskFailure;

use super::failure::disk_full;

const EVERY: Duration = Duration::from_secs(1);

/// Files that must stay possible to make.
const MIN_FREE_FILES: u64 = 10_000;

#[derive(Debug, Clone)]
pub struct DiskGuard {
    /// Where the engine keeps its data.
    pub storage: PathBuf,
    /// Bytes that must stay free.
    pub reserve_bytes: u64,
    /// What one build may take of what was free when it began: its image, its steps and its caches.
    pub build_bytes: u64,
}

impl DiskGuard {
    /// Whether a build may begin.
    pub fn check(&self) -> Result<(), TaskFailure> {
        let room = Room::of(&self.storage);
        if room.is_some_and(|room| self.is_scarce(room)) { Err(disk_full()) } else { Ok(()) }
    }

    /// Ends only when a build has to be stopped.
    pub async fn watch(&self) -> TaskFailure {
        let before = Room::of(&self.storage);
        loop {
            tokio::time::sleep(EVERY).await;
            let (Some(before), Some(now)) = (before, Room::of(&self.storage)) else { continue };
            if self.is_scarce(now) {
                return disk_full();
            }
            if before.bytes.saturating_sub(now.bytes) > self.build_bytes {
                return TaskFailure::new(
                    "BUILD_DISK_LIMIT",
                    format!("the build wrote more than {} MiB to the node's disk", self.build_bytes >> 20),
                )
                .fix("Look for a command that writes without end, and leave out what the app does not need.");
            }
        }
    }

    const fn is_scarce(&self, room: Room) -> bool {
        room.bytes < self.reserve_bytes || room.files < MIN_FREE_FILES
    }
}

#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: u64,
    files: u64,
}

impl Room {
    /// `None` if it cannot be known, as with an engine whose disk is not this machine's.
    fn of(path: &Path) -> Option<Self> {
        let about = rustix::fs::statvfs(path).ok()?;
        // File systems without a fixed number of files say 0.
        let files = if about.f_files == 0 { u64::MAX } else { about.f_favail };
        Some(Self { bytes: about.f_bavail.saturating_mul(about.f_frsize), files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_build_does_not_begin_or_go_on_without_room() {
        let guard = |reserve_bytes| DiskGuard { storage: "/".into(), reserve_bytes, build_bytes: u64::MAX };
        guard(0).check().unwrap();
        assert_eq!(guard(u64::MAX).check().unwrap_err().code, "NODE_DISK_FULL");
        assert_eq!(guard(u64::MAX).watch().await.code, "NODE_DISK_FULL");
        assert!(tokio::time::timeout(EVERY * 2 + EVERY / 2, guard(0).watch()).await.is_err());
    }
}
