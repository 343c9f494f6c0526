//! What applications have written, looked back at: a page at a time, from the nodes where it lies.
//!
//! The nodes leave out what is not wanted; what an older agent sends all the same is left out here.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use chrono::TimeDelta;
use slipway_model::{InstanceId, NodeId, Timestamp};
use slipway_protocol::{LineFilter, LogLine, LogQuery, PastLines};
use slipway_store::instances::Instance;

use crate::{Platform, application_logs::Cursor};

/// For a node to tell what it has.
const PATIENCE: Duration = Duration::from_secs(7);

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Only lines after this one; the oldest of them first. Without it, the newest are wanted.
    pub after: Option<Cursor>,
    /// Only lines before this one.
    pub before: Option<Cursor>,
    /// Only lines after this moment.
    pub since: Option<Timestamp>,
    /// Only lines up to this moment.
    pub until: Option<Timestamp>,
    pub filter: LineFilter,
    pub most: usize,
}

/// A piece of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// In the order of their times.
    pub lines: Vec<LogLine>,
    /// There are more in the direction that was asked for.
    pub more: bool,
    /// A node could not be asked, or did not tell everything in time.
    pub incomplete: bool,
}

/// Looks back at what these instances wrote. Whoever asks may see them.
pub async fn look(p: &Platform, instances: &[Instance], look: &Look) -> Past {
    let mut nodes: BTreeMap<NodeId, Vec<InstanceId>> = BTreeMap::new();
    for instance in instances {
        nodes.entry(instance.node_id).or_default().push(instance.id);
    }
    let asked = nodes.into_iter().map(|(node, ids)| ask(p, node, ids, look));
    let mut past = Past::default();
    for (lines, is_whole) in futures::future::join_all(asked).await {
        past.lines.extend(lines);
        past.incomplete |= !is_whole;
    }
    past.lines.sort_by_key(|line| Cursor::from(line));
    past.more = past.lines.len() > look.most;
    if look.after.is_some() {
        past.lines.truncate(look.most);
    } else {
        past.lines.drain(..past.lines.len().saturating_sub(look.most));
    }
    past
}

async fn ask(p: &Platform, node: NodeId, ids: Vec<InstanceId>, look: &Look) -> (Vec<LogLine>, bool) {
    let known: HashSet<InstanceId> = ids.iter().copied().collect();
    let earliest = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
    // A cursor's moment is asked for too: others may have written in it.
    let after = look.after.map(|cursor| cursor.at - TimeDelta::nanoseconds(1));
    let since = look.since.into_iter().chain(after).max();
    let past = PastLines {
        until: earliest(look.until, look.before.map(|cursor| cursor.at)),
        streams: look.filter.streams.clone(),
        contains: look.filter.contains().map(str::to_owned),
        least: look.filter.least,
        // One more tells whether there are more; and those of a cursor's moment may not be wanted.
        most: u32::try_from(look.most + 1 + ids.len()).unwrap_or(u32::MAX),
        newest: look.after.is_none(),
    };
    let query = |query| LogQuery { query, instances: ids, since, tail: None, follow: false, past: Some(past) };
    let Some(mut stream) = p.fleet.open_logs(node, query) else { return (Vec::new(), false) };
    let (mut lines, mut is_whole, mut is_narrowed) = (Vec::new(), false, true);
    let read = async {
        let mut dropped = 0;
        while let Some(batch) = stream.next().await {
            dropped += batch.dropped_lines;
            is_narrowed &= batch.lines.iter().all(|line| look.filter.is_bad_enough(line));
            // An older agent sends all it has: of that no more is held than may be wanted.
            lines.extend(batch.lines.into_iter().filter(|line| known.contains(&line.instance) && is_wanted(look, line)));
            if look.after.is_none() && lines.len() > 4 * look.most + 1024 {
                lines.sort_by_key(|line| Cursor::from(line));
                lines.drain(..lines.len() - look.most - 1);
            }
            if batch.end {
                is_whole = dropped == 0;
                return;
            }
            if look.after.is_some() && lines.len() > look.most {
                // In the order of time: what is wanted has come.
                is_whole = true;
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await;
    // An agent that does not know how bad lines are has counted others among those that it was asked for.
    (lines, is_whole && is_narrowed)
}

fn is_wanted(look: &Look, line: &LogLine) -> bool {
    let cursor = Cursor::from(line);
    look.after.is_none_or(|after| cursor > after)
        && look.before.is_none_or(|before| cursor < before)
        && look.since.is_none_or(|since| line.at > since)
        && look.until.is_none_or(|until| line.at <= until)
        && look.filter.takes(line)
}
