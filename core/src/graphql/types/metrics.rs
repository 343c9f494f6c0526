//! What is used and asked for.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, SimpleObject, dataloader::Loader};
use chrono::{DateTime, Utc};
use slipway_model::{ApplicationId, InstanceId, NodeId};
use slipway_store as store;

use crate::{
    error::UserError,
    graphql::{
        context::Request,
        error::Result,
        load::{LoadError, Tables},
    },
    metrics::{self, Metric, Range},
};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Metric")]
pub enum MetricName {
    /// Processor time, in percent: of an application of one processor, so that 150 is one and a half; of a node of all it has.
    CpuPercent,
    /// Memory in use, without what would be given back at once.
    MemoryBytes,
    /// The most memory that may be used.
    MemoryLimitBytes,
    /// Disk in use: of an instance what it has written beside its image.
    DiskBytes,
    /// Bytes received.
    NetRxBytes,
    /// Bytes sent.
    NetTxBytes,
    /// Requests of visitors.
    HttpRequests,
    /// Requests of visitors that were answered with 500 and above.
    #[graphql(name = "HTTP_5XX")]
    Http5xx,
    /// In how many milliseconds half of the requests were answered.
    #[graphql(name = "HTTP_P50_MS")]
    HttpP50Ms,
    /// In how many milliseconds 95 % of the requests were answered.
    #[graphql(name = "HTTP_P95_MS")]
    HttpP95Ms,
    /// In how many milliseconds 99 % of the requests were answered.
    #[graphql(name = "HTTP_P99_MS")]
    HttpP99Ms,
    /// Instances that ran.
    Instances,
}

/// One measure over time.
#[derive(Debug, Clone, SimpleObject)]
pub struct MetricSeries {
    /// What is measured.
    pub name: MetricName,
    /// How long each step is. Longer than what was asked for where so much is asked for, or where it is so long ago: each ten seconds are
    /// kept for an hour, each minute for a day, and each hour for 30 days.
    pub step_seconds: i64,
    /// In order. Steps in which nothing ran and nobody asked have none.
    pub points: Vec<MetricPoint>,
}

/// The value of a step.
#[derive(Debug, Clone, SimpleObject)]
pub struct MetricPoint {
    /// When the step begins.
    pub at: DateTime<Utc>,
    /// Of what is counted the sum, of what is measured the mean, of all instances together where it is an application's. `null`: nothing was measured.
    pub value: Option<f64>,
}

/// A value as it came.
#[derive(Debug, Clone, SimpleObject)]
pub struct MetricSample {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// What is measured.
    pub name: MetricName,
    /// How much it is: of what is counted, since the sample before.
    pub value: f64,
    /// Whose it is; `null`: of all instances together, or of a node.
    pub instance_id: Option<ID>,
}

impl From<metrics::Live> for MetricSample {
    fn from(live: metrics::Live) -> Self {
        Self {
            at: live.at,
            name: live.metric.into(),
            value: live.value,
            instance_id: live.instance.map(|instance| ID(instance.to_string())),
        }
    }
}

/// What of a thing's past is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub names: Vec<MetricName>,
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
    pub step_seconds: i64,
}

/// Each measure once, however often it is named; all, where none is.
pub(crate) fn distinct(names: Vec<MetricName>) -> Vec<Metric> {
    if names.is_empty() {
        return Metric::ALL.to_vec();
    }
    let mut distinct: Vec<Metric> = Vec::new();
    for name in names.into_iter().map(Metric::from) {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

impl Asked {
    fn range(&self, ctx: &Context<'_>) -> Result<Range> {
        let range = Range::new(self.from, self.to, self.step_seconds, ctx.platform().now());
        Ok(range.map_err(|error| {
            let path = match error {
                metrics::RangeError::Empty => "to",
                metrics::RangeError::Step => "stepSeconds",
            };
            UserError::invalid(path, error.to_string())
        })?)
    }

    pub(crate) async fn of_application(self, ctx: &Context<'_>, application: ApplicationId) -> Result<Vec<MetricSeries>> {
        let range = self.range(ctx)?;
        let (usage, requests) = ctx.rows().need_of(ApplicationDuring { application, range }).await?;
        Ok(encode(range, metrics::of_application(&distinct(self.names), &usage, &requests)))
    }

    pub(crate) async fn of_instance(self, ctx: &Context<'_>, instance: InstanceId) -> Result<Vec<MetricSeries>> {
        let range = self.range(ctx)?;
        let usage = ctx.rows().need_of(InstanceDuring { instance, range }).await?;
        Ok(encode(range, metrics::of_instance(&distinct(self.names), &usage)))
    }

    pub(crate) async fn of_node(self, ctx: &Context<'_>, node: NodeId) -> Result<Vec<MetricSeries>> {
        let range = self.range(ctx)?;
        let usage = ctx.rows().need_of(NodeDuring { node, range }).await?;
        Ok(encode(range, metrics::of_node(&distinct(self.names), &usage)))
    }
}

fn encode(range: Range, series: Vec<metrics::Series>) -> Vec<MetricSeries> {
    let points = |points: Vec<metrics::Point>| points.into_iter().map(|point| MetricPoint { at: point.at, value: point.value }).collect();
    let one = |series: metrics::Series| MetricSeries {
        name: series.metric.into(),
        step_seconds: range.step_seconds(),
        points: points(series.points),
    };
    series.into_iter().map(one).collect()
}

/// What an application used and was asked in a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ApplicationDuring {
    application: ApplicationId,
    range: Range,
}

/// What an instance used in a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct InstanceDuring {
    instance: InstanceId,
    range: Range,
}

/// What a node used in a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NodeDuring {
    node: NodeId,
    range: Range,
}

/// Almost always one: a field asks the same of each parent.
fn by_range<K: Copy, Id>(keys: &[K], part: impl Fn(K) -> (Range, Id)) -> HashMap<Range, Vec<Id>> {
    let mut ranges: HashMap<Range, Vec<Id>> = HashMap::new();
    for (range, id) in keys.iter().copied().map(part) {
        ranges.entry(range).or_default().push(id);
    }
    ranges
}

impl Loader<ApplicationDuring> for Tables {
    type Value = (Vec<store::metrics::ApplicationUsage>, Vec<store::metrics::Requests>);
    type Error = LoadError;

    async fn load(&self, keys: &[ApplicationDuring]) -> Result<HashMap<ApplicationDuring, Self::Value>, LoadError> {
        let viewer = self.viewer();
        let mut found = HashMap::with_capacity(keys.len());
        for (range, ids) in by_range(keys, |key: ApplicationDuring| (key.range, key.application)) {
            let (spans, step) = (range.spans(self.now()), range.step_seconds());
            let (mut usage, mut requests) = self
                .read(async |tx| {
                    let usage = store::metrics::usage_of_each(tx, &viewer, &ids, &spans, step).await?;
                    Ok((usage, store::metrics::requests_of_each(tx, &viewer, &ids, &spans, step).await?))
                })
                .await?;
            found.extend(ids.into_iter().map(|application| {
                let rows = (usage.remove(&application).unwrap_or_default(), requests.remove(&application).unwrap_or_default());
                (ApplicationDuring { application, range }, rows)
            }));
        }
        Ok(found)
    }
}

impl Loader<InstanceDuring> for Tables {
    type Value = Vec<store::metrics::InstanceUsage>;
    type Error = LoadError;

    async fn load(&self, keys: &[InstanceDuring]) -> Result<HashMap<InstanceDuring, Self::Value>, LoadError> {
        let viewer = self.viewer();
        let mut found = HashMap::with_capacity(keys.len());
        for (range, ids) in by_range(keys, |key: InstanceDuring| (key.range, key.instance)) {
            let (spans, step) = (range.spans(self.now()), range.step_seconds());
            let mut usage = self.read(async |tx| store::metrics::usage_of_instances(tx, &viewer, &ids, &spans, step).await).await?;
            found.extend(ids.into_iter().map(|instance| (InstanceDuring { instance, range }, usage.remove(&instance).unwrap_or_default())));
        }
        Ok(found)
    }
}

impl Loader<NodeDuring> for Tables {
    type Value = Vec<store::metrics::NodeUsage>;
    type Error = LoadError;

    async fn load(&self, keys: &[NodeDuring]) -> Result<HashMap<NodeDuring, Self::Value>, LoadError> {
        let mut found = HashMap::with_capacity(keys.len());
        for (range, ids) in by_range(keys, |key: NodeDuring| (key.range, key.node)) {
            let (spans, step) = (range.spans(self.now()), range.step_seconds());
            let mut usage = self.read(async |tx| store::metrics::usage_of_nodes(tx, &ids, &spans, step).await).await?;
            found.extend(ids.into_iter().map(|node| (NodeDuring { node, range }, usage.remove(&node).unwrap_or_default())));
        }
        Ok(found)
    }
}
