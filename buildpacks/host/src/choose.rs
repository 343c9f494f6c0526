//! Which buildpack gets the tree. A pure function of what they all said.

use serde::{Deserialize, Serialize};
use slipway_buildpack_wit::{Detected, Detection, Reason, Refusal, STATED_BUILD, WHOLE_APPLICATION};

/// What one buildpack said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub buildpack: String,
    pub detected: Detected,
}

/// What a buildpack looked for without finding it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedFor {
    pub buildpack: String,
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Chosen {
        buildpack: String,
        detection: Detection,
        /// Those that also recognised the tree, and why they did, the surest first.
        others: Vec<(String, Detection)>,
    },
    Refused(Refusal),
    /// Nobody recognised the tree.
    NoMatch(Vec<LookedFor>),
}

/// Chooses among the candidates. In order: the runtime that the customer named, a build that the tree itself states (a
/// Dockerfile), the best score. Two whole applications in one root are refused, and so is a tie.
#[must_use]
pub fn select(candidates: Vec<Candidate>, runtime: Option<&str>) -> Choice {
    let mut found: Vec<(String, Detection)> = Vec::new();
    let mut passed_over: Vec<(String, Detection)> = Vec::new();
    let mut refused: Vec<Refusal> = Vec::new();
    let mut looked_for = Vec::new();
    for Candidate { buildpack, detected } in candidates {
        match detected {
            // Who is not asked for may still make assets.
            Detected::Yes(detection) if runtime.is_some_and(|runtime| runtime != buildpack) => passed_over.push((buildpack, detection)),
            _ if runtime.is_some_and(|runtime| runtime != buildpack) => {}
            Detected::Yes(detection) => found.push((buildpack, detection)),
            Detected::Refused(refusal) => refused.push(refusal),
            Detected::No(reasons) => looked_for.push(LookedFor { buildpack, reasons }),
        }
    }
    // By score, then by name, so that the order in which they were asked does not matter.
    for list in [&mut found, &mut passed_over] {
        list.sort_by(|(a_id, a), (b_id, b)| b.score.cmp(&a.score).then_with(|| a_id.cmp(b_id)));
    }
    let chosen = |mut found: Vec<(String, Detection)>| {
        let (buildpack, detection) = found.remove(0);
        found.extend(passed_over);
        Choice::Chosen { buildpack, detection, others: found }
    };
    match &found[..] {
        [(_, best), rest @ ..] if best.score >= STATED_BUILD && rest.iter().all(|(_, other)| other.score < STATED_BUILD) => chosen(found),
        [(_, best), ..] if best.score < WHOLE_APPLICATION && !refused.is_empty() => Choice::Refused(refused.swap_remove(0)),
        [first, second, ..] if first.1.score == second.1.score || second.1.score >= WHOLE_APPLICATION => {
            Choice::Refused(ambiguous(first, second))
        }
        [_, ..] => chosen(found),
        [] if !refused.is_empty() => Choice::Refused(refused.swap_remove(0)),
        [] => Choice::NoMatch(looked_for),
    }
}

fn ambiguous((first_id, first): &(String, Detection), (second_id, second): &(String, Detection)) -> Refusal {
    let because = |detection: &Detection| detection.reasons.first().map_or_else(String::new, |reason| format!(" (`{}`)", reason.file));
    Refusal {
        code: "SEVERAL_APPLICATIONS".into(),
        message: format!("The root holds two applications: {first_id}{} and {second_id}{}.", because(first), because(second),),
        file: None,
        line: None,
        fix: format!(
            "Choose the runtime `{first_id}` or `{second_id}` in the application's settings, or set its root directory to one of them."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(buildpack: &str, score: u8) -> Candidate {
        let detection = Detection {
            app_root: ".".into(),
            score,
            framework: None,
            package_manager: None,
            reasons: vec![Reason { file: format!("{buildpack}.file"), key: None, why: "there".into() }],
            provides: vec![],
            requires: vec![],
        };
        Candidate { buildpack: buildpack.into(), detected: Detected::Yes(detection) }
    }

    fn refusal(buildpack: &str) -> Candidate {
        let refusal = Refusal { code: "BROKEN".into(), message: String::new(), file: None, line: None, fix: String::new() };
        Candidate { buildpack: buildpack.into(), detected: Detected::Refused(refusal) }
    }

    fn winner(choice: Choice) -> String {
        match choice {
            Choice::Chosen { buildpack, .. } => buildpack,
            Choice::Refused(refusal) => refusal.code,
            Choice::NoMatch(_) => "nobody".into(),
        }
    }

    #[test]
    fn the_best_score_wins_and_the_others_are_kept() {
        let choice = select(vec![yes("node", 40), yes("php", 90)], None);
        let Choice::Chosen { buildpack, others, .. } = choice else { panic!("{choice:?}") };
        assert_eq!(buildpack, "php");
        assert_eq!(others[0].0, "node");
    }

    #[test]
    fn the_named_runtime_goes_before_a_dockerfile_and_a_dockerfile_before_any_score() {
        let all = || vec![yes("node", 95), yes("dockerfile", 100), yes("php", 90)];
        assert_eq!(winner(select(all(), Some("php"))), "php");
        assert_eq!(winner(select(all(), None)), "dockerfile");
    }

    #[test]
    fn who_is_not_the_named_runtime_may_still_make_assets() {
        let Choice::Chosen { others, .. } = select(vec![yes("node", 45), refusal("python"), yes("php", 90)], Some("php")) else { panic!() };
        assert_eq!(others.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["node"]);
    }

    #[test]
    fn two_whole_applications_in_one_root_are_refused_by_name() {
        let Choice::Refused(refusal) = select(vec![yes("python", 85), yes("node", 90)], None) else { panic!() };
        assert_eq!(refusal.code, "SEVERAL_APPLICATIONS");
        assert!(refusal.message.contains("node (`node.file`) and python (`python.file`)"), "{}", refusal.message);
        assert_eq!(winner(select(vec![yes("a", 30), yes("b", 30)], None)), "SEVERAL_APPLICATIONS");
    }

    #[test]
    fn a_refusal_counts_unless_somebody_else_has_a_whole_application() {
        assert_eq!(winner(select(vec![refusal("node"), yes("php", 90)], None)), "php");
        assert_eq!(winner(select(vec![refusal("node"), yes("php", 40)], None)), "BROKEN");
        assert_eq!(winner(select(vec![refusal("node")], None)), "BROKEN");
        assert_eq!(winner(select(vec![], None)), "nobody");
    }

    #[test]
    fn the_order_of_asking_does_not_matter() {
        assert_eq!(select(vec![yes("a", 50), yes("b", 60)], None), select(vec![yes("b", 60), yes("a", 50)], None));
    }
}
