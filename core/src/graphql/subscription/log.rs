//! Logs, followed.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, ID, Subscription};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use slipway_model::{ApplicationId, DeploymentId};
use slipway_store::{build_logs, deployments};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    Platform,
    application_logs::{self, Cursor, Lines, LogRequest},
    auth::Caller,
    changes::{Change, Changed},
    error::{Error, UserError},
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id, id_if},
        error::{Result, event_error},
        types::{
            build::{batch, line_number},
            log::{self, LogBatch, LogLine},
            state::{LogSeverity, LogStream},
        },
    },
};

/// Lines that travel together, and bytes of their text.
const BATCH_LINES: i64 = 256;
const BATCH_BYTES: usize = 256 * 1024;
/// Lines that come within this time travel together.
const BATCH_TIME: Duration = Duration::from_millis(100);
const MAX_TAIL: i64 = 10_000;

#[derive(Default)]
pub(super) struct LogSubscription;

#[Subscription]
impl LogSubscription {
    /// The log of a deployment's build: its last lines, then each new one. Ends with the deployment.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn build_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deployment.")] deployment_id: ID,
        #[graphql(desc = "Only lines after this cursor: resumes without losing or repeating a line.")] after: Option<String>,
        #[graphql(desc = "Without a cursor, begin with this many of the last lines: 0 to 10,000.", default_with = "Some(100)")]
        tail: Option<i64>,
    ) -> Result<BoxStream<'static, async_graphql::Result<LogBatch>>> {
        let deployment: DeploymentId = id("deploymentId", &deployment_id).map_err(|_| Error::NotFound)?;
        let after = after.map(|cursor| line_number(Some(&cursor))).transpose()?;
        let tail = tail.unwrap_or(100);
        if !(0..=MAX_TAIL).contains(&tail) {
            return Err(UserError::invalid("tail", "Use 0 to 10,000.").into());
        }
        let platform = ctx.platform().clone();
        // Listening begins before the first look: lines that come in between are news.
        let changes = platform.changes.subscribe();
        let mut follow = Follow { platform, caller: ctx.caller().clone(), changes, deployment, after: 0, more: true };
        follow.after = match after {
            Some(after) => after,
            None => follow.last_line().await?.saturating_sub(tail).max(0),
        };
        let batches = stream::unfold(Some(follow), |follow| async move {
            let mut follow = follow?;
            match follow.next().await {
                Ok(Some(batch)) => Some((Ok(batch), Some(follow))),
                Ok(None) => None,
                Err(error) => Some((Err(event_error(error)), None)),
            }
        });
        Ok(batches.boxed())
    }

    /// What an application writes: the last lines of its instances, then each new one.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    #[allow(clippy::too_many_arguments, reason = "they are filters, each of which may be left out")]
    async fn application_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The application.")] application_id: ID,
        #[graphql(desc = "Only lines after this cursor: resumes without losing or repeating a line.")] after: Option<String>,
        #[graphql(desc = "Without a cursor, begin with this many of each instance's last lines: 0 to 10,000.", default_with = "Some(100)")]
        tail: Option<i64>,
        #[graphql(desc = "Only lines of these streams.")] streams: Option<Vec<LogStream>>,
        #[graphql(desc = "Only lines with this in them, in either case: at most 200 characters.")] search: Option<String>,
        #[graphql(desc = "Only lines of this instance.")] instance_id: Option<ID>,
        #[graphql(desc = "Only lines that say they are at least so bad; those that say nothing of it are left out.")] min_severity: Option<
            LogSeverity,
        >,
    ) -> Result<BoxStream<'static, async_graphql::Result<LogBatch>>> {
        let application: ApplicationId = id("applicationId", &application_id).map_err(|_| Error::NotFound)?;
        let after = after.map(|cursor| cursor.parse::<Cursor>());
        let after = after.transpose().map_err(|error| UserError::invalid("after", error.to_string()))?;
        let tail = u32::try_from(tail.unwrap_or(100)).ok().filter(|tail| i64::from(*tail) <= MAX_TAIL);
        let tail = tail.ok_or_else(|| UserError::invalid("tail", "Use 0 to 10,000."))?;
        let filter = log::filter(streams, search.as_deref(), min_severity)?;
        let request = LogRequest {
            application,
            instance: id_if("instanceId", instance_id.as_ref())?,
            after,
            since: None,
            tail: after.is_none().then_some(tail),
            filter,
            follow: true,
        };
        let platform = ctx.platform().clone();
        let sight = Arc::new(platform.sights.of(ctx.caller(), application));
        let lines = application_logs::follow(&platform, ctx.viewer()?, request).await?;
        let end = after.map(|cursor| cursor.to_string()).unwrap_or_default();
        let batches = stream::unfold(Some((lines.boxed(), end)), move |open| {
            let (platform, sight) = (platform.clone(), Arc::clone(&sight));
            async move {
                let (mut lines, end) = open?;
                let batch = lines.next().await?;
                if let Err(error) = sight.holds(&platform).await {
                    return Some((Err(event_error(error)), None));
                }
                let batch = encode(batch, end);
                let end = batch.end_cursor.clone();
                Some((Ok(batch), Some((lines, end))))
            }
        });
        Ok(batches.boxed())
    }
}

fn encode(batch: Lines, end: String) -> LogBatch {
    let end_cursor = batch.lines.last().map_or(end, |line| Cursor::from(line).to_string());
    let lines = batch.lines.into_iter().map(|line| LogLine {
        cursor: Cursor::from(&line).to_string(),
        timestamp: line.at,
        stream: line.stream.into(),
        instance_id: Some(ID(line.instance.to_string())),
        message: line.message,
        truncated: line.truncated,
    });
    LogBatch { lines: lines.collect(), end_cursor, dropped_lines: i64::try_from(batch.dropped_lines).unwrap_or(i64::MAX) }
}

/// Leaves out what is too much for one batch. Whether there was any.
fn cut_to_size(lines: &mut Vec<build_logs::BuildLogLine>) -> bool {
    let mut room = BATCH_BYTES;
    // The first one goes in any case: it has to go some time.
    let fits = |line: &build_logs::BuildLogLine| {
        let fits = room > 0;
        room = room.saturating_sub(line.message.len());
        fits
    };
    let fitting = lines.iter().map(fits).take_while(|fits| *fits).count();
    let is_cut = fitting < lines.len();
    lines.truncate(fitting);
    is_cut
}

struct Follow {
    platform: Platform,
    caller: Caller,
    changes: Receiver<Change>,
    deployment: DeploymentId,
    /// The number of the last line that was sent.
    after: i64,
    /// There may be lines that were not read yet.
    more: bool,
}

impl Follow {
    async fn last_line(&self) -> Result<i64, Error> {
        Ok(build_logs::last_number(&mut self.platform.db.read_once().await?, self.deployment).await?)
    }

    async fn next(&mut self) -> Result<Option<LogBatch>, Error> {
        loop {
            if !self.more && !self.changed().await {
                return Ok(None);
            }
            self.caller = self.caller.clone().refreshed(&self.platform).await?;
            let viewer = self.caller.viewer.as_ref().ok_or(Error::Unauthenticated)?;
            let mut tx = self.platform.db.read().await?;
            // Its state is read in the same moment as the lines: nothing is added to the log of one that has ended.
            let deployment = deployments::find(&mut tx, viewer, self.deployment).await?.ok_or(Error::NotFound)?;
            let mut lines = build_logs::after(&mut tx, viewer, self.deployment, self.after, BATCH_LINES).await?;
            drop(tx);
            self.more = i64::try_from(lines.len()).is_ok_and(|count| count == BATCH_LINES) | cut_to_size(&mut lines);
            if !lines.is_empty() {
                let batch = batch(lines, self.after);
                self.after = batch.end_cursor.parse().map_err(Error::internal)?;
                self.more |= deployment.status.is_terminal();
                return Ok(Some(batch));
            }
            if deployment.status.is_terminal() {
                return Ok(None);
            }
        }
    }

    /// Waits for new lines, and a little longer for those that come with them.
    async fn changed(&mut self) -> bool {
        loop {
            match self.changes.recv().await {
                Ok(Change { what: Changed::BuildLog(id) | Changed::Deployment(id), .. }) if id == self.deployment => break,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return false,
            }
        }
        tokio::time::sleep(BATCH_TIME).await;
        true
    }
}
