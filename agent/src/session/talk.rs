//! What is said within a session. Reading and writing go on side by side, so that neither waits for the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use slipway_model::TaskId;
use slipway_protocol::{AgentMessage, CoreMessage, Heartbeat, SAMPLES_SINCE};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::connect::{Socket, decode, encode};
use super::{Ended, Session};
use crate::facts;
use crate::logs::{LogQueries, Outgoing};
use crate::tasks::Sent;

const PING_EVERY: Duration = Duration::from_secs(15);
/// Longer than two pings: their answers would have come.
const SILENCE: Duration = Duration::from_secs(45);
const SEND_PATIENCE: Duration = Duration::from_secs(30);
const EVENTS_AT_ONCE: usize = 64;

/// Talks until the session ends, in this version of the protocol. `offered` are the tasks that the hello named.
pub async fn talk(session: &Session, socket: Socket, version: u32, offered: Vec<TaskId>) -> Ended {
    let (sink, stream) = socket.split();
    let (lines_out, lines) = mpsc::unbounded_channel();
    let queries = LogQueries::new(Arc::clone(&session.engine), lines_out);
    let (answers_out, answers) = mpsc::unbounded_channel();
    tokio::select! {
        ended = listen(session, stream, queries, answers_out, offered) => ended,
        ended = speak(session, sink, version, lines, answers) => ended,
    }
}

async fn listen(
    session: &Session,
    mut stream: SplitStream<Socket>,
    mut queries: LogQueries,
    answers: mpsc::UnboundedSender<AgentMessage>,
    offered: Vec<TaskId>,
) -> Ended {
    let mut unnamed: BTreeSet<TaskId> = offered.into_iter().collect();
    let settled = Instant::now() + session.config.timing.settle;
    loop {
        let frame = tokio::select! {
            frame = timeout(SILENCE, stream.next()) => frame,
            () = sleep_until(settled), if !unnamed.is_empty() => {
                for task in std::mem::take(&mut unnamed) {
                    session.tasks.drop_unwanted(task);
                }
                continue;
            }
        };
        let Ok(frame) = frame else { return Ended::Silent };
        let message = match decode(frame) {
            Ok(Some(message)) => message,
            Ok(None) => continue,
            Err(ended) => return ended,
        };
        if let Err(ended) = hear(session, message, &mut queries, &answers, &mut unnamed).await {
            return ended;
        }
    }
}

async fn hear(
    session: &Session,
    message: CoreMessage,
    queries: &mut LogQueries,
    answers: &mpsc::UnboundedSender<AgentMessage>,
    unnamed: &mut BTreeSet<TaskId>,
) -> Result<(), Ended> {
    // What could not be kept is as good as not received: a new session brings it again.
    let unkept = |error: &dyn std::fmt::Display| Ended::Broken(format!("cannot keep what it said: {error}"));
    match message {
        CoreMessage::Desired(desired) => {
            let generation = desired.generation;
            let record = Arc::clone(&session.record);
            let kept = tokio::task::spawn_blocking(move || record.accept(desired)).await;
            let new = kept.map_err(|error| unkept(&error))?.map_err(|error| unkept(&error))?;
            tracing::info!(generation, new, "desired state");
        }
        CoreMessage::Task(task) => {
            unnamed.remove(&task.id);
            session.tasks.accept(task).await.map_err(|error| unkept(&error))?;
        }
        CoreMessage::CancelTask { task } => session.tasks.cancel(task),
        // No word that the task is still wanted: what was canceled while nobody was connected is acknowledged too.
        CoreMessage::TaskAck { task, sequence } => session.tasks.acked(task, sequence),
        CoreMessage::LogOpen(query) => queries.open(query),
        CoreMessage::LogClose { query } => queries.close(query),
        CoreMessage::RenewKey => {
            let answer = session.renew_key().map_err(|error| unkept(&error))?;
            // A session that ends needs no answer.
            let _ = answers.send(answer);
        }
        CoreMessage::NextKeyKept { public_key } => {
            if session.use_next_key(&public_key).map_err(|error| unkept(&error))? {
                return Err(Ended::Broken("the node's key was renewed, and is shown at once".to_owned()));
            }
        }
        CoreMessage::Challenge { .. } | CoreMessage::Welcome(_) => {
            return Err(Ended::NotUnderstood("a greeting in the middle of a session".to_owned()));
        }
    }
    Ok(())
}

async fn speak(
    session: &Session,
    mut sink: SplitSink<Socket, Message>,
    version: u32,
    mut lines: mpsc::UnboundedReceiver<Outgoing>,
    mut answers: mpsc::UnboundedReceiver<AgentMessage>,
) -> Ended {
    match speaking(session, &mut sink, version, &mut lines, &mut answers).await {
        Ok(()) => Ended::Broken("the agent is shutting down".to_owned()),
        Err(ended) => ended,
    }
}

async fn speaking(
    session: &Session,
    sink: &mut SplitSink<Socket, Message>,
    version: u32,
    lines: &mut mpsc::UnboundedReceiver<Outgoing>,
    answers: &mut mpsc::UnboundedReceiver<AgentMessage>,
) -> Result<(), Ended> {
    let timing = &session.config.timing;
    let (mut observed, mut health) = (session.observed.clone(), session.engine_health.clone());
    let mut changes = session.tasks.changes();
    let mut samples = session.samples.clone();
    // What was measured before the session is old.
    samples.mark_unchanged();
    // With the session's start everything is said.
    observed.mark_changed();
    health.mark_unchanged();
    changes.mark_changed();
    let mut processors = facts::Processors::default();
    let mut heartbeat = interval(timing.heartbeat);
    let mut ping = interval(PING_EVERY);
    let mut overdue = interval(timing.resend);
    for ticks in [&mut heartbeat, &mut ping, &mut overdue] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let (mut sent, mut oldest) = (Sent::default(), BTreeSet::new());
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                say(sink, &AgentMessage::Heartbeat(beat(session, &mut processors))).await?;
                // In case the last one was lost on the way.
                observed.mark_changed();
            }
            changed = health.changed() => {
                if changed.is_err() { return Ok(()) }
                say(sink, &AgentMessage::Heartbeat(beat(session, &mut processors))).await?;
            }
            changed = observed.changed() => {
                if changed.is_err() { return Ok(()) }
                let state = observed.borrow_and_update().clone();
                if let Some(state) = state {
                    say(sink, &AgentMessage::Observed((*state).clone())).await?;
                }
            }
            changed = changes.changed() => {
                if changed.is_err() { return Ok(()) }
                changes.mark_unchanged();
                loop {
                    let events = session.tasks.unsent(&mut sent, EVENTS_AT_ONCE);
                    if events.is_empty() { break }
                    for event in events {
                        say(sink, &AgentMessage::Task(event)).await?;
                    }
                }
            }
            _ = overdue.tick() => {
                let now = session.tasks.oldest();
                if now.iter().any(|event| oldest.contains(event)) {
                    session.tasks.resend(&mut sent);
                }
                oldest = now;
            }
            Some(answer) = answers.recv() => say(sink, &answer).await?,
            changed = samples.changed(), if version >= SAMPLES_SINCE => {
                if changed.is_err() { return Ok(()) }
                let measured = samples.borrow_and_update().clone();
                if let Some(measured) = measured {
                    say(sink, &AgentMessage::Samples((*measured).clone())).await?;
                }
            }
            outgoing = lines.recv() => match outgoing {
                Some(outgoing) => say(sink, &AgentMessage::Logs(outgoing.batch.clone())).await?,
                None => return Ok(()),
            },
            _ = ping.tick() => send(sink, Message::Ping(Vec::new().into())).await?,
        }
    }
}

fn beat(session: &Session, processors: &mut facts::Processors) -> Heartbeat {
    let memory = facts::memory().unwrap_or_default();
    let storage = facts::storage(&session.config.data_dir).unwrap_or_default();
    Heartbeat {
        at: session.clock.now(),
        cpu_percent: processors.percent(),
        memory_used_bytes: memory.used_bytes,
        memory_total_bytes: memory.total_bytes,
        storage_used_bytes: storage.used_bytes,
        storage_total_bytes: storage.total_bytes,
        containers: *session.containers.borrow(),
        docker_healthy: session.engine_health.borrow().answers,
    }
}

async fn say(sink: &mut SplitSink<Socket, Message>, message: &AgentMessage) -> Result<(), Ended> {
    send(sink, encode(message)?).await
}

async fn send(sink: &mut SplitSink<Socket, Message>, message: Message) -> Result<(), Ended> {
    match timeout(SEND_PATIENCE, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ended::Broken(crate::enroll::sources(&error))),
        Err(_) => Err(Ended::Silent),
    }
}
