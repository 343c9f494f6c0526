//! An ingress that serves what it is given at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use slipway_model::{ApplicationId, Hostname};

use crate::ingress::{self, Counted, RouteError, RouteFile, Seen};

#[derive(Default)]
pub struct Ingress {
    files: Mutex<BTreeMap<String, (RouteFile, String)>>,
    counted: Mutex<BTreeMap<ApplicationId, Counted>>,
}

impl Ingress {
    /// The text that was put in place under this file name.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<String> {
        self.lock().get(file).map(|(_, text)| text.clone())
    }

    /// What visitors have asked so far.
    pub fn count(&self, application: ApplicationId, counted: Counted) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(application, counted);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (RouteFile, String)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ingress::Ingress for Ingress {
    fn files(&self) -> Result<Vec<RouteFile>, RouteError> {
        Ok(self.lock().values().map(|(file, _)| file.clone()).collect())
    }

    fn put(&self, file: &RouteFile, content: &str) -> Result<(), RouteError> {
        file.render(content)?;
        self.lock().insert(file.file.clone(), (file.clone(), content.to_owned()));
        Ok(())
    }

    fn remove(&self, file: &RouteFile) -> Result<(), RouteError> {
        self.lock().remove(&file.file);
        Ok(())
    }

    fn nudge(&self) -> Result<(), RouteError> {
        Ok(())
    }

    fn seen<'a>(&'a self, hostname: &'a Hostname, _revision: &'a str) -> BoxFuture<'a, Seen> {
        let seen = self.lock().values().find(|(file, _)| file.hostname == *hostname).map(|(file, _)| file.revision.clone());
        async move { seen.map_or(Seen::Nothing, Seen::Revision) }.boxed()
    }

    fn counted(&self) -> BoxFuture<'_, Result<BTreeMap<ApplicationId, Counted>, String>> {
        async { Ok(self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone()) }.boxed()
    }
}
