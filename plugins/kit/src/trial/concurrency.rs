//! The same question has the same answer: later, and from several threads at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Ask, Fault, Tried, Verdict,
    asking::{self, Answer, Tally, hangs, in_brief},
};

/// As many as a platform lets one plugin have.
const AT_ONCE: usize = 16;
/// So many questions are asked in company of themselves.
const MOST_ALIKE: usize = 8;
/// And so often all of them in company of others.
const ROUNDS: usize = 3;

/// Such that two can be compared.
fn said(answer: &Answer) -> String {
    match answer {
        Ok(reply) => serde_json::to_string(reply).unwrap_or_default(),
        other => in_brief(other),
    }
}

pub(super) async fn again(tried: &Tried, asks: &[Ask]) -> Verdict {
    let mut tally = Tally::default();
    for one in asks {
        let (_, first) = asking::ask(tried, &one.ask).await?;
        let (_, second) = asking::ask(tried, &one.ask).await?;
        let differs = said(&first) != said(&second);
        tally.count(&one.name, differs.then(|| "the second answer is another".into()), hangs(&first) || hangs(&second));
        if tally.hangs {
            break;
        }
    }
    tally.verdict("questions, each asked twice")
}

pub(super) async fn at_once(tried: &Tried, asks: &[Ask]) -> Verdict {
    let mut expected = Vec::new();
    for one in asks {
        let (message, answer) = asking::ask(tried, &one.ask).await?;
        expected.push((message, said(&answer)));
    }
    let alike = (0..asks.len().min(MOST_ALIKE)).flat_map(|at| std::iter::repeat_n(at, AT_ONCE));
    let mut questions: Vec<usize> = alike.collect();
    for round in 0..ROUNDS {
        // In another order each time, so that different ones meet.
        questions.extend((0..asks.len()).map(|at| (at * (round * 2 + 1) + round) % asks.len()));
    }
    let mut tally = Tally::default();
    let mut slowest = Duration::ZERO;
    for together in questions.chunks(AT_ONCE) {
        let begin = |at: usize| {
            let (plugin, message) = (Arc::clone(&tried.plugin), expected[at].0.clone());
            tokio::spawn(async move {
                let started = Instant::now();
                let answer = plugin.answer(message).await;
                (at, answer, started.elapsed())
            })
        };
        let calls: Vec<_> = together.iter().copied().map(begin).collect();
        for call in calls {
            let (at, answer, took) = call.await.map_err(|error| Fault::new(error.to_string(), Vec::new()))?;
            slowest = slowest.max(took);
            let differs = said(&answer) != expected[at].1;
            tally.count(
                &asks[at].name,
                differs.then(|| format!("{}; by itself it was answered otherwise", in_brief(&answer))),
                hangs(&answer),
            );
        }
        tried.plugin.release();
        if tally.hangs {
            break;
        }
    }
    let limit = tried.deadline.as_secs();
    tally.verdict(&format!("questions, {AT_ONCE} at once; the slowest took {} ms of {limit} s", slowest.as_millis()))
}
