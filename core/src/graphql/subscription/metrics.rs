//! What is used and asked for, as it comes.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, ID, Subscription};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use slipway_model::{ApplicationId, NodeId};
use slipway_store::{applications, nodes};

use crate::{
    error::{Error, UserError},
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, event_error},
        types::metrics::{MetricName, MetricSample, distinct},
    },
    metrics::Watched,
};

#[derive(Default)]
pub(super) struct MetricSubscription;

type Samples = BoxStream<'static, async_graphql::Result<Vec<MetricSample>>>;

#[Subscription]
impl MetricSubscription {
    /// What an application uses and is asked: the last that is known, then what comes. What is counted begins with the subscription.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn application_metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The application.")] application_id: ID,
        #[graphql(desc = "What shall be told; none named: everything.")] names: Vec<MetricName>,
        #[graphql(desc = "At most this often: 10 to 3,600 seconds.", default_with = "Some(10)")] interval_seconds: Option<i64>,
    ) -> Result<Samples> {
        let application: ApplicationId = id("applicationId", &application_id).map_err(|_| Error::NotFound)?;
        let (platform, viewer) = (ctx.platform().clone(), ctx.viewer()?);
        let every = interval(interval_seconds.unwrap_or(10))?;
        if applications::find(&mut platform.db.read_as(viewer).await?, viewer, application).await?.is_none() {
            return Err(Error::NotFound.into());
        }
        let names = distinct(names);
        let sight = Arc::new(platform.sights.of(ctx.caller(), application));
        let following = platform.metrics.follow(Watched::Application(application), every, platform.now());
        let samples = stream::unfold(Some(following), move |following| {
            let (platform, sight, names) = (platform.clone(), Arc::clone(&sight), names.clone());
            async move {
                let mut following = following?;
                let told = following.next(&names).await?;
                match sight.holds(&platform).await {
                    Ok(()) => Some((Ok(told.into_iter().map(Into::into).collect()), Some(following))),
                    Err(error) => Some((Err(event_error(error)), None)),
                }
            }
        });
        Ok(samples.boxed())
    }

    /// What a node uses: the last that is known, then what comes.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead))]
    async fn worker_node_metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The node.")] node_id: ID,
        #[graphql(desc = "What shall be told; none named: everything. Of a node its processors, its memory and its disk are measured.")]
        names: Vec<MetricName>,
        #[graphql(desc = "At most this often: 10 to 3,600 seconds.", default_with = "Some(10)")] interval_seconds: Option<i64>,
    ) -> Result<Samples> {
        let node: NodeId = id("nodeId", &node_id).map_err(|_| Error::NotFound)?;
        let platform = ctx.platform().clone();
        let every = interval(interval_seconds.unwrap_or(10))?;
        if nodes::find(&mut platform.db.read_once().await?, node).await?.is_none() {
            return Err(Error::NotFound.into());
        }
        let names = distinct(names);
        let following = platform.metrics.follow(Watched::Node(node), every, platform.now());
        let samples = stream::unfold(Some((following, ctx.caller().clone())), move |open| {
            let (platform, names) = (platform.clone(), names.clone());
            async move {
                let (mut following, caller) = open?;
                let told = following.next(&names).await?;
                match super::still_administrates(caller, &platform).await {
                    Ok(caller) => Some((Ok(told.into_iter().map(Into::into).collect()), Some((following, caller)))),
                    Err(error) => Some((Err(event_error(error)), None)),
                }
            }
        });
        Ok(samples.boxed())
    }
}

fn interval(seconds: i64) -> Result<Duration> {
    match u64::try_from(seconds) {
        Ok(seconds @ 10..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err(UserError::invalid("intervalSeconds", "Use 10 to 3,600 seconds.").into()),
    }
}
