//! What applications write, read from their nodes.

use std::time::Duration;

use futures::{Stream, StreamExt};
use slipway_core::{
    application_logs::{self, Cursor, Lines, LogRequest},
    lifecycle,
    log_history::{self, Look, Past},
};
use slipway_model::{
    ApplicationId, InstanceId,
    state::{LogSeverity, OperationStatus},
};
use slipway_protocol::{LineFilter, LogLine};

use crate::world::{EVERYBODY, World};

fn all(application: ApplicationId) -> LogRequest {
    let (after, since, tail) = (None, None, None);
    LogRequest { application, instance: None, after, since, tail, filter: LineFilter::default(), follow: false }
}

async fn read(world: &World, request: LogRequest) -> Vec<LogLine> {
    let stream = application_logs::follow(&world.platform(), EVERYBODY, request).await.unwrap();
    let batches: Vec<Lines> = tokio::time::timeout(Duration::from_secs(20), stream.collect()).await.expect("it ends");
    batches.into_iter().flat_map(|batch| batch.lines).collect()
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.message.as_str()).collect()
}

async fn next(stream: &mut (impl Stream<Item = Lines> + Unpin)) -> Vec<String> {
    let batch = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("a line").expect("it goes on");
    batch.lines.into_iter().map(|line| line.message).collect()
}

async fn two_instances(world: &World, application: ApplicationId) -> (InstanceId, InstanceId) {
    let serving = world.serving(application).await;
    (serving[0].id, serving[1].id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_instances_wrote_is_merged_by_time_and_searched() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application_on("shop", "small", 2).await;
    world.deploy_live(application.id).await;
    let (one, two) = two_instances(&world, application.id).await;
    agent.write(one, 1, "one starts");
    agent.write(one, 3, "one serves");
    agent.write(two, 2, "two starts");
    agent.write(two, 4, "two SERVES");

    let lines = read(&world, all(application.id)).await;
    assert_eq!(texts(&lines), ["one starts", "two starts", "one serves", "two SERVES"]);
    let rest = read(&world, LogRequest { after: Some(Cursor::from(&lines[1])), ..all(application.id) }).await;
    assert_eq!(texts(&rest), ["one serves", "two SERVES"], "resumes without losing or repeating a line");
    let found = read(&world, LogRequest { filter: LineFilter::new(None, Some("serves"), None), ..all(application.id) }).await;
    assert_eq!(texts(&found), ["one serves", "two SERVES"]);
    let of_two = read(&world, LogRequest { instance: Some(two), tail: Some(1), ..all(application.id) }).await;
    assert_eq!(texts(&of_two), ["two SERVES"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_new_lines_and_new_instances_and_leaves_nothing_open() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let one = world.serving(application.id).await[0].id;
    agent.write(one, 1, "before");
    let request = LogRequest { follow: true, ..all(application.id) };
    let mut stream = application_logs::follow(&world.platform(), EVERYBODY, request).await.unwrap();
    assert_eq!(next(&mut stream).await, ["before"]);
    agent.write(one, 2, "after");
    assert_eq!(next(&mut stream).await, ["after"]);
    let operation = lifecycle::scale(&world.platform(), EVERYBODY, application.id, 2, None).await.unwrap().operation;
    world.operation_is(operation.unwrap().id, OperationStatus::Succeeded).await;
    let (_, two) = two_instances(&world, application.id).await;
    agent.write(two, 3, "a newcomer");
    assert_eq!(next(&mut stream).await, ["a newcomer"]);
    // A cut costs time, and no line.
    agent.cut();
    agent.write(one, 4, "meanwhile");
    agent.connect();
    assert_eq!(next(&mut stream).await, ["meanwhile"]);
    drop(stream);
    world.eventually("the queries are closed", async || (agent.open_queries() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_follow_the_node_is_read_once_and_each_gets_every_line_once() {
    const LINES: u64 = 400;
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let one = world.serving(application.id).await[0].id;
    let follow = |tail| {
        let (platform, request) = (world.platform(), LogRequest { follow: true, tail, ..all(application.id) });
        tokio::spawn(async move {
            let stream = application_logs::follow(&platform, EVERYBODY, request).await.unwrap();
            let mut lines: Vec<u64> = Vec::new();
            let mut stream = std::pin::pin!(stream);
            while lines.last() != Some(&LINES) {
                let batch = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("a line").expect("it goes on");
                assert_eq!(batch.dropped_lines, 0);
                lines.extend(batch.lines.iter().map(|line| line.message.parse::<u64>().unwrap()));
            }
            lines
        })
    };
    // They come while it writes: at the moment of coming, a line is of the past or new.
    let mut followers = Vec::new();
    for line in 1..=LINES {
        agent.write(one, line.try_into().unwrap(), &line.to_string());
        if line % 10 == 1 {
            followers.push(follow((line % 20 == 1).then_some(3)));
        }
        if line > LINES - 5 {
            world.eventually("one reading is left", async || (agent.open_queries() == 1).then_some(())).await;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    assert_eq!(followers.len(), 40);
    for (place, follower) in followers.into_iter().enumerate() {
        let lines = follower.await.unwrap();
        let first = lines[0];
        assert!(place % 2 == 0 || first == 1, "{place} began with {first}");
        assert_eq!(lines, (first..=LINES).collect::<Vec<_>>());
    }
    world.eventually("the last one's end is the reading's", async || (agent.open_queries() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_an_application_that_is_not_there_are_refused() {
    let world = World::new().await;
    let nobody = ApplicationId::new(&*world.platform().clock);
    assert!(application_logs::follow(&world.platform(), EVERYBODY, all(nobody)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_looked_at_page_by_page_in_both_directions() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application_on("shop", "small", 2).await;
    world.deploy_live(application.id).await;
    let (one, two) = two_instances(&world, application.id).await;
    for second in 0..10 {
        agent.write(if second % 2 == 0 { one } else { two }, second, &format!("line {second}"));
    }
    // In the same moment.
    agent.write(one, 10, "both");
    agent.write(two, 10, "both");
    let instances = world.serving(application.id).await;
    let look = async |look: Look| -> Past { log_history::look(&world.platform(), &instances, &look).await };
    let all = look(Look { most: 100, ..Look::default() }).await;
    assert_eq!((all.lines.len(), all.more, all.incomplete), (12, false, false));
    let mut back = Vec::new();
    let mut before = None;
    loop {
        let page = look(Look { most: 5, before, ..Look::default() }).await;
        back.splice(0..0, page.lines.clone());
        before = page.lines.first().map(Cursor::from);
        if !page.more {
            break;
        }
    }
    assert_eq!(back, all.lines, "neither lost nor repeated");
    let mut on = vec![all.lines[0].clone()];
    loop {
        let page = look(Look { most: 5, after: on.last().map(Cursor::from), ..Look::default() }).await;
        on.extend(page.lines);
        if !page.more {
            break;
        }
    }
    assert_eq!(on, all.lines);
    let found =
        look(Look { most: 1, filter: LineFilter::new(None, Some("LINE"), None), until: Some(all.lines[4].at), ..Look::default() }).await;
    assert_eq!((texts(&found.lines), found.more), (vec!["line 4"], true));
    let later = look(Look { most: 9, since: Some(all.lines[8].at), ..Look::default() }).await;
    assert_eq!(texts(&later.lines), ["line 9", "both", "both"]);
    agent.cut();
    world.eventually("it is gone", async || (world.platform().fleet.connected() == 0).then_some(())).await;
    assert!(look(Look { most: 5, ..Look::default() }).await.incomplete);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_lines_that_say_they_are_bad_enough_are_read_followed_and_found() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let one = world.serving(application.id).await[0].id;
    for (second, text) in ["plain", "INFO: it serves", r#"{"level":50,"msg":"it broke"}"#, "level=warn msg=full"].into_iter().enumerate() {
        agent.write(one, second.try_into().unwrap(), text);
    }
    let bad = [r#"{"level":50,"msg":"it broke"}"#, "level=warn msg=full"];
    let request = LogRequest { filter: LineFilter::new(None, None, Some(LogSeverity::Warn)), ..all(application.id) };
    assert_eq!(texts(&read(&world, request.clone()).await), bad);

    let stream = application_logs::follow(&world.platform(), EVERYBODY, LogRequest { follow: true, ..request }).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    assert_eq!(next(&mut stream).await, bad);
    agent.write(one, 10, "harmless");
    agent.write(one, 11, "[error] again");
    assert_eq!(next(&mut stream).await, ["[error] again"]);

    let instances = world.serving(application.id).await;
    let look = Look { most: 9, filter: LineFilter::new(None, None, Some(LogSeverity::Error)), ..Look::default() };
    let found = log_history::look(&world.platform(), &instances, &look).await;
    assert_eq!(texts(&found.lines), [bad[0], "[error] again"]);
    assert!(found.incomplete, "the agent of the tests does not know how bad lines are, so more may lie behind what it told");
}
