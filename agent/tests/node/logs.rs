//! Log queries over real containers.

use std::time::Duration;

use slipway_agent::engine::{ContainerSpec, Engine, Owner};
use slipway_agent::logs::{LogQueries, Outgoing};
use slipway_model::InstanceId;
use slipway_model::state::{LogSeverity, LogStream};
use slipway_protocol::{LogLine, LogQuery, PastLines};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::engine_rig::{Rig, output};

const PATIENCE: Duration = Duration::from_secs(30);

async fn started(rig: &Rig, script: &str) -> InstanceId {
    let instance = rig.instance(&["python3", "-u", "-c", script], None);
    rig.docker.create(&ContainerSpec::of_instance(&instance)).await.unwrap();
    rig.docker.start(Owner::Instance(instance.id)).await.unwrap();
    instance.id
}

async fn until_printed(rig: &Rig, instance: InstanceId, text: &str) {
    let waiting = async {
        while !output(&*rig.docker, instance).await.iter().any(|line| line == text) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

fn queries(rig: &Rig) -> (LogQueries, UnboundedReceiver<Outgoing>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (LogQueries::new(rig.engine(), sender), receiver)
}

fn query(instances: &[InstanceId], tail: Option<u32>, follow: bool) -> LogQuery {
    LogQuery { query: 7, instances: instances.to_vec(), tail, follow, ..LogQuery::default() }
}

/// Lines until the end or until `enough`, and how many were left out.
async fn collect(receiver: &mut UnboundedReceiver<Outgoing>, enough: impl Fn(&[LogLine]) -> bool) -> (Vec<LogLine>, u64) {
    let (mut lines, mut dropped) = (Vec::new(), 0);
    while let Some(outgoing) = tokio::time::timeout(PATIENCE, receiver.recv()).await.expect("no batch came") {
        assert!(outgoing.batch.query == 7 && outgoing.batch.lines.len() <= 256);
        lines.extend(outgoing.batch.lines.iter().cloned());
        dropped += outgoing.batch.dropped_lines;
        if outgoing.batch.end || enough(&lines) {
            break;
        }
    }
    (lines, dropped)
}

fn messages(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.message.as_str()).collect()
}

#[tokio::test]
async fn lines_of_several_instances_come_in_the_order_of_time_and_the_tail_counts_for_each() {
    let rig = Rig::new().await;
    let script = |name: &str, offset: f64| {
        format!(
            "import time\ntime.sleep({offset})\nfor i in range(4):\n  print('{name}', i); time.sleep(.4)\nprint('end'); time.sleep(600)"
        )
    };
    let (one, two) = (started(&rig, &script("one", 0.0)).await, started(&rig, &script("two", 0.2)).await);
    for instance in [one, two] {
        until_printed(&rig, instance, "end").await;
    }
    let (mut queries, mut receiver) = queries(&rig);
    queries.open(query(&[one, two], None, false));
    let (lines, dropped) = collect(&mut receiver, |_| false).await;
    assert_eq!((lines.len(), dropped), (10, 0));
    assert!(lines.is_sorted_by_key(|line| line.at));
    assert!(lines.iter().all(|line| line.stream == LogStream::Stdout && !line.truncated));

    queries.open(query(&[one, two], Some(2), false));
    let (lines, _) = collect(&mut receiver, |_| false).await;
    assert_eq!(lines.iter().filter(|line| line.instance == one).map(|line| line.message.as_str()).collect::<Vec<_>>(), ["one 3", "end"]);

    let mut since = query(&[one], None, false);
    since.since = Some(lines.iter().find(|line| line.message == "one 3").unwrap().at);
    queries.open(since);
    assert_eq!(messages(&collect(&mut receiver, |_| false).await.0), ["end"]);
}

#[tokio::test]
async fn following_goes_on_across_a_restart_without_a_gap_or_a_repetition_until_it_is_closed() {
    let rig = Rig::new().await;
    let script = "import os, sys, time\nfor i in range(5):\n  print('line', i); time.sleep(.1)\nprint('bad', file=sys.stderr)";
    let instance = started(&rig, script).await;
    let (mut queries, mut receiver) = queries(&rig);
    queries.open(query(&[instance], None, true));
    let (first, _) = collect(&mut receiver, |lines| lines.len() >= 6).await;
    assert_eq!(messages(&first), ["line 0", "line 1", "line 2", "line 3", "line 4", "bad"]);
    assert_eq!(first[5].stream, LogStream::Stderr);
    rig.docker.start(Owner::Instance(instance)).await.unwrap();
    let (second, _) = collect(&mut receiver, |lines| lines.len() >= 6).await;
    assert_eq!(messages(&second), messages(&first));
    assert!(second[0].at > first[5].at);
    queries.close(7);
    rig.docker.start(Owner::Instance(instance)).await.unwrap();
    let more = tokio::time::timeout(Duration::from_secs(3), receiver.recv()).await;
    assert!(more.is_err(), "a closed query is silent");
}

#[tokio::test]
async fn a_long_line_is_cut_and_says_so() {
    let rig = Rig::new().await;
    let instance = started(&rig, "print('x' * 100000); print('short')").await;
    until_printed(&rig, instance, "short").await;
    let (mut queries, mut receiver) = queries(&rig);
    queries.open(query(&[instance], None, false));
    let (lines, _) = collect(&mut receiver, |_| false).await;
    assert_eq!(lines.len(), 2);
    assert!(lines[0].truncated && lines[0].message.len() <= 16 * 1024 && lines[0].message.starts_with("xxxx"));
    assert_eq!((lines[1].message.as_str(), lines[1].truncated), ("short", false));
}

/// F12: what a slow reader does not get is counted to the line, and what it asked for without following is not left out.
#[tokio::test]
async fn a_flood_is_cut_with_an_exact_count_while_following_and_waits_otherwise() {
    const LINES: usize = 20_000;
    let rig = Rig::new().await;
    let flood = started(
        &rig,
        &format!("import sys, time\ntime.sleep(2)\nfor i in range({LINES}): print('line', i)\nprint('over'); time.sleep(600)"),
    )
    .await;
    let quiet = started(&rig, "import time\nfor i in range(1000): print('quiet', i); time.sleep(.2)").await;
    let (mut queries, mut receiver) = queries(&rig);
    queries.open(query(&[flood], None, true));
    let quiet_query = LogQuery { query: 8, ..query(&[quiet], Some(0), true) };
    queries.open(quiet_query);
    // Nobody takes the flood's batches, so the flood's places are soon used up; the quiet one's are its own.
    let mut held = Vec::new();
    let quiet_lines = async {
        let mut seen = 0;
        while seen < 20 {
            let outgoing: Outgoing = receiver.recv().await.unwrap();
            if outgoing.batch.query == 8 {
                seen += outgoing.batch.lines.len();
            } else {
                held.push(outgoing);
            }
        }
    };
    tokio::time::timeout(PATIENCE, quiet_lines).await.expect("the quiet one waits for the flood");
    until_printed(&rig, flood, "over").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut batches: Vec<_> = held.drain(..).map(|outgoing| outgoing.batch.clone()).collect();
    // One more line, after all places are free again, tells what was left out.
    let tell = async {
        while let Some(outgoing) = receiver.recv().await {
            if outgoing.batch.query == 7 {
                batches.push(outgoing.batch.clone());
            }
            let counted: u64 = batches.iter().map(|batch| batch.dropped_lines + batch.lines.len() as u64).sum();
            if counted > LINES as u64 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), tell).await;
    let shown: usize = batches.iter().map(|batch| batch.lines.len()).sum();
    let dropped: u64 = batches.iter().map(|batch| batch.dropped_lines).sum();
    assert!(dropped > 0 && shown > 0);
    assert_eq!(shown as u64 + dropped, LINES as u64 + 1, "shown {shown}, left out {dropped}");
    let mut number = 0;
    for batch in &batches {
        number += batch.dropped_lines;
        for line in batch.lines.iter().filter(|line| line.message != "over") {
            assert_eq!(line.message, format!("line {number}"), "the count stands where the gap is");
            number += 1;
        }
    }

    queries.close(7);
    queries.open(LogQuery { query: 9, ..query(&[flood], None, false) });
    let mut shown = 0;
    let all = async {
        loop {
            let outgoing = receiver.recv().await.unwrap();
            if outgoing.batch.query == 9 {
                assert_eq!(outgoing.batch.dropped_lines, 0);
                shown += outgoing.batch.lines.len();
                if outgoing.batch.end {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    assert_eq!(shown, LINES + 1);
}

#[tokio::test]
async fn a_look_back_brings_what_is_asked_for_and_leaves_the_rest_on_the_node() {
    let rig = Rig::new().await;
    let script = |name: &str, offset: f64| {
        format!(
            "import sys, time\ntime.sleep({offset})\nfor i in range(6):\n  print('{name}', i, file=sys.stderr if i % 2 else sys.stdout, flush=True); time.sleep(.2)\nprint('end'); time.sleep(600)"
        )
    };
    let (one, two) = (started(&rig, &script("one", 0.0)).await, started(&rig, &script("TWO", 0.1)).await);
    for instance in [one, two] {
        until_printed(&rig, instance, "end").await;
    }
    let (mut queries, mut receiver) = queries(&rig);
    let mut back = async |past: PastLines| {
        queries.open(LogQuery { past: Some(past), ..query(&[one, two], None, false) });
        collect(&mut receiver, |_| false).await.0
    };
    let all = back(PastLines { most: 1000, ..PastLines::default() }).await;
    assert_eq!(all.len(), 14);
    assert!(all.is_sorted_by_key(|line| line.at));
    let newest = back(PastLines { most: 3, newest: true, ..PastLines::default() }).await;
    assert_eq!(newest, all[11..]);
    let oldest = back(PastLines { most: 3, ..PastLines::default() }).await;
    assert_eq!(oldest, all[..3]);
    let until = back(PastLines { most: 1000, until: Some(all[4].at), ..PastLines::default() }).await;
    assert_eq!(until, all[..5]);
    let errors =
        back(PastLines { most: 1000, streams: Some(vec![LogStream::Stderr]), contains: Some("two".into()), ..PastLines::default() }).await;
    assert_eq!(messages(&errors), ["TWO 1", "TWO 3", "TWO 5"]);
    let before_those =
        back(PastLines { most: 2, newest: true, until: Some(all[6].at), contains: Some("one".into()), ..PastLines::default() }).await;
    assert_eq!(before_those.len(), 2);
    assert!(before_those.iter().all(|line| line.message.starts_with("one") && line.at <= all[6].at));
}

#[tokio::test]
async fn of_the_newest_bad_lines_no_harmless_one_takes_the_place() {
    let rig = Rig::new().await;
    let script = "import time\nprint('ERROR: it broke')\nfor i in range(9): print('INFO:', i)\nprint('end'); time.sleep(600)";
    let instance = started(&rig, script).await;
    until_printed(&rig, instance, "end").await;
    let (mut queries, mut receiver) = queries(&rig);
    let past = PastLines { most: 3, newest: true, least: Some(LogSeverity::Warn), ..PastLines::default() };
    queries.open(LogQuery { past: Some(past), ..query(&[instance], None, false) });
    assert_eq!(messages(&collect(&mut receiver, |_| false).await.0), ["ERROR: it broke"]);
}
