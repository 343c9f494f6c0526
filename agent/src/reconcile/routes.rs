//! Carries out the ingress's plan and remembers which revisions were seen in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use slipway_model::{ApplicationId, InstanceId, Timestamp};
use slipway_protocol::{DesiredRoute, DesiredState, ObservedRoute};

use super::memory::Memory;
use crate::engine::{Container, Owner};
use crate::ingress::plan::{Action, Rejected, Situation, plan};
use crate::ingress::{Ingress, RouteFile, Seen, substitute};

/// How long a file in place may take to be in force.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(40);

pub struct Routes {
    ingress: Arc<dyn Ingress>,
    files: Vec<RouteFile>,
    /// As they were when they were seen.
    in_force: BTreeMap<ApplicationId, RouteFile>,
    confirming: BTreeMap<ApplicationId, String>,
    rejected: BTreeMap<ApplicationId, Rejected>,
    /// Removed, but perhaps still served.
    leaving: Vec<RouteFile>,
    /// What was put in place and seen in force last, to return to when its successor is not taken.
    good: BTreeMap<ApplicationId, (RouteFile, String)>,
    pending: BTreeMap<ApplicationId, (RouteFile, String)>,
    problems: BTreeMap<ApplicationId, String>,
}

/// What came of looking at the ingress.
#[derive(Debug)]
pub enum Looked {
    InForce(RouteFile),
    NotTaken(RouteFile),
    /// The ingress itself did not answer, which says nothing about the route.
    Silent(RouteFile),
    Gone(RouteFile),
}

/// To be waited for outside.
pub type Look = std::pin::Pin<Box<dyn Future<Output = Looked> + Send>>;

impl Routes {
    pub fn new(ingress: Arc<dyn Ingress>) -> Self {
        let files = ingress.files().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the route files");
            Vec::new()
        });
        Self {
            ingress,
            files,
            in_force: BTreeMap::new(),
            confirming: BTreeMap::new(),
            rejected: BTreeMap::new(),
            leaving: Vec::new(),
            good: BTreeMap::new(),
            pending: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    /// Instances that visitors may still be sent to.
    pub fn routed(&self) -> BTreeSet<InstanceId> {
        let files = self.files.iter().chain(self.in_force.values()).chain(&self.leaving);
        files.flat_map(|file| file.addresses.keys().copied()).collect()
    }

    /// Whether something will change soon without a sign from outside.
    pub fn unsettled(&self) -> bool {
        !self.confirming.is_empty() || !self.leaving.is_empty()
    }

    /// One round of the plan. Returns what to wait for.
    pub fn pass(&mut self, desired: &DesiredState, containers: &[Container], memory: &Memory, now: Timestamp) -> Vec<Look> {
        let mut addresses = BTreeMap::new();
        for container in containers.iter().filter(|container| container.is_running()) {
            if let (Owner::Instance(instance), Some(address)) = (container.owner, container.address) {
                addresses.insert(instance, address);
            }
        }
        let retries: BTreeMap<InstanceId, u32> =
            desired.instances.iter().map(|instance| (instance.id, instance.health.retries.max(1))).collect();
        let well = |id: &InstanceId| {
            let run = memory.instances.get(id).and_then(|memory| memory.run.as_ref());
            run.is_some_and(|run| run.answered && run.failures < retries.get(id).copied().unwrap_or(1))
        };
        let healthy: BTreeSet<InstanceId> = addresses.keys().copied().filter(well).collect();
        let confirmed: BTreeMap<ApplicationId, String> =
            self.in_force.iter().map(|(application, file)| (*application, file.revision.clone())).collect();
        let plan = plan(&Situation {
            desired: &desired.routes,
            files: &self.files,
            addresses: &addresses,
            healthy: &healthy,
            confirmed: &confirmed,
            confirming: &self.confirming,
            rejected: &self.rejected,
            now,
        });
        self.problems = plan.problems;
        let mut looks = Vec::new();
        for action in plan.actions {
            match action {
                Action::Write { file, content } => looks.extend(self.write(file, content, now)),
                Action::Confirm(file) => looks.push(self.confirm(file)),
                // One at a time, and the next once this one is gone.
                Action::Remove(file) if self.leaving.is_empty() => looks.extend(self.remove(file)),
                Action::Remove(_) => {}
            }
        }
        let wanted: BTreeSet<ApplicationId> = desired.routes.iter().map(|route| route.application).collect();
        self.rejected.retain(|application, _| wanted.contains(application));
        looks
    }

    fn write(&mut self, file: RouteFile, content: String, now: Timestamp) -> Option<Look> {
        let put = substitute(&content, &file.addresses).and_then(|text| self.ingress.put(&file, &text).map(|()| text));
        match put {
            Ok(text) => {
                tracing::info!(application = %file.application, revision = %file.revision, "route written");
                self.replace(file.clone());
                if let Some(same) = self.in_force.get_mut(&file.application).filter(|old| old.revision == file.revision) {
                    // Only addresses changed.
                    *same = file.clone();
                    self.good.insert(file.application, (file, text));
                    return None;
                }
                self.pending.insert(file.application, (file.clone(), text));
                Some(self.confirm(file))
            }
            Err(error) => {
                self.reject(&file, error.to_string(), now);
                None
            }
        }
    }

    fn remove(&mut self, file: RouteFile) -> Option<Look> {
        if let Err(error) = self.ingress.remove(&file) {
            tracing::error!(%error, "cannot remove a route file");
            return None;
        }
        tracing::info!(application = %file.application, revision = %file.revision, "route removed");
        self.files.retain(|other| other.file != file.file);
        self.leaving.push(file.clone());
        if self.in_force.get(&file.application).is_some_and(|other| other.file == file.file) {
            self.in_force.remove(&file.application);
            self.good.remove(&file.application);
        }
        let ingress = Arc::clone(&self.ingress);
        Some(Box::pin(gone(ingress, file)))
    }

    fn confirm(&mut self, file: RouteFile) -> Look {
        self.confirming.insert(file.application, file.revision.clone());
        let ingress = Arc::clone(&self.ingress);
        Box::pin(in_force(ingress, file))
    }

    /// Takes in what came of a look.
    pub fn looked(&mut self, looked: Looked, now: Timestamp) {
        let (Looked::InForce(file) | Looked::NotTaken(file) | Looked::Silent(file) | Looked::Gone(file)) = &looked;
        let application = file.application;
        if !matches!(looked, Looked::Gone(_)) {
            if self.confirming.get(&application) != Some(&file.revision) {
                // Of a revision that was replaced meanwhile.
                return;
            }
            self.confirming.remove(&application);
        }
        match looked {
            Looked::InForce(file) => {
                tracing::info!(%application, revision = %file.revision, "route in force");
                self.rejected.remove(&application);
                if let Some(pending) = self.pending.remove(&application) {
                    self.good.insert(application, pending);
                }
                // As it is in place now: addresses may have moved on meanwhile.
                let current = self.files.iter().find(|other| other.file == file.file && other.revision == file.revision);
                let current = current.cloned().unwrap_or(file);
                self.in_force.insert(application, current);
            }
            Looked::Silent(_) => {}
            Looked::Gone(file) => self.leaving.retain(|other| other.file != file.file),
            Looked::NotTaken(file) => self.return_to_good(&file, now),
        }
    }

    /// A file that the ingress does not take may keep it from taking any other: put back what it took before.
    fn return_to_good(&mut self, file: &RouteFile, now: Timestamp) {
        self.pending.remove(&file.application);
        let restored = match self.good.get(&file.application) {
            Some((good, text)) if good.file == file.file => self.ingress.put(good, text).map(|()| Some(good.clone())),
            _ => self.ingress.remove(file).map(|()| None),
        };
        match restored {
            Ok(Some(good)) => self.replace(good),
            Ok(None) => self.files.retain(|other| other.file != file.file),
            Err(error) => tracing::error!(%error, "cannot take back a route file"),
        }
        self.reject(file, "the ingress did not put it in force; see its log on the node".to_owned(), now);
    }

    fn reject(&mut self, file: &RouteFile, problem: String, now: Timestamp) {
        tracing::error!(application = %file.application, revision = %file.revision, problem, "route not in force");
        let before = self.rejected.get(&file.application).filter(|before| before.revision == file.revision);
        let attempts = before.map_or(1, |before| before.attempts.saturating_add(1));
        let retry_at = now + TimeDelta::seconds(i64::from(attempts.min(10)) * 30);
        self.problems.insert(file.application, problem.clone());
        self.rejected.insert(file.application, Rejected { revision: file.revision.clone(), problem, retry_at, attempts });
    }

    fn replace(&mut self, file: RouteFile) {
        self.files.retain(|other| other.file != file.file);
        self.files.push(file);
    }

    pub fn observed(&self, desired: &DesiredState) -> Vec<ObservedRoute> {
        let each = |route: &DesiredRoute| {
            let in_force = self.in_force.get(&route.application).map(|file| file.revision.clone());
            let wanted = in_force.as_ref() == Some(&route.revision);
            let problem = self.problems.get(&route.application).filter(|_| !wanted).cloned();
            ObservedRoute { application: route.application, revision_in_force: in_force, problem }
        };
        desired.routes.iter().map(each).collect()
    }
}

async fn in_force(ingress: Arc<dyn Ingress>, file: RouteFile) -> Looked {
    for attempt in 0..2 {
        let since = Instant::now();
        loop {
            match ingress.seen(&file.hostname, &file.revision).await {
                Seen::Revision(seen) if seen == file.revision => return Looked::InForce(file),
                Seen::Revision(_) | Seen::Nothing => {}
                Seen::Unreachable(reason) => {
                    tracing::debug!(reason, "the ingress does not answer");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    return Looked::Silent(file);
                }
            }
            if since.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if attempt == 0
            && let Err(error) = ingress.nudge()
        {
            tracing::warn!(%error, "cannot have the route files read again");
        }
    }
    Looked::NotTaken(file)
}

async fn gone(ingress: Arc<dyn Ingress>, file: RouteFile) -> Looked {
    let since = Instant::now();
    let mut nudged = Instant::now();
    // Looks a moment later, so that a look does not come before the ingress has read the folder.
    while since.elapsed() < PATIENCE * 4 {
        tokio::time::sleep(LOOK_EVERY).await;
        match ingress.seen(&file.hostname, &file.revision).await {
            Seen::Revision(seen) if seen == file.revision => {}
            Seen::Revision(_) | Seen::Nothing | Seen::Unreachable(_) => break,
        }
        if nudged.elapsed() > Duration::from_secs(1) {
            nudged = Instant::now();
            if let Err(error) = ingress.nudge() {
                tracing::warn!(%error, "cannot have the route files read again");
            }
        }
    }
    Looked::Gone(file)
}
