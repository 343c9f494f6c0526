//! The cross-tenant matrix: every place of the schema that takes an id, asked with ids of somebody else's things, by everybody who
//! might try. Found by introspection, so that a new place is asked too.

use serde_json::{Value, json};
use slipway_model::Role;

use crate::{
    dump,
    fixture::{Fixture, Shared, kind_of, missing, sensible},
    introspected::{Fill, Schema},
    world::{World, receive, send},
};

/// The id in question in one place, the attacker's own in all others.
struct Foreign<'a> {
    field: &'a str,
    place: &'a [&'a str],
    id: &'a str,
    own: &'a Fixture,
    shared: &'a Shared,
    slug: &'a str,
}

impl Fill for Foreign<'_> {
    fn leaf(&self, kind: &str, path: &[&str]) -> Option<Value> {
        if kind != "ID" {
            return sensible(kind, path, self.slug);
        }
        if path == self.place {
            return Some(json!(self.id));
        }
        // Others are given where they are needed: a valid one lets the call get further.
        let own = match kind_of(self.field, path) {
            Some("pln") => self.shared.plan.to_string(),
            Some("reg") => self.shared.region.to_string(),
            Some(kind @ ("app" | "org")) if path.len() == 2 => self.own.ids[kind].clone(),
            _ => return None,
        };
        Some(json!(own))
    }
}

/// Every place where an id stands: the names that lead there.
fn places(schema: &Schema, kind: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let heart = Schema::heart(kind);
    if heart == "ID" {
        found.push(path.clone());
        return;
    }
    let heart = schema.named(heart);
    if heart["kind"] == "INPUT_OBJECT" && path.len() < 6 {
        for field in heart["inputFields"].as_array().unwrap() {
            path.push(field["name"].as_str().unwrap().to_owned());
            places(schema, &field["type"], path, found);
            path.pop();
        }
    }
}

struct Attacker {
    who: &'static str,
    token: String,
    /// Kinds of ids that they may see, and so are no test of anything.
    theirs: &'static [&'static str],
    /// Whether they may look: then only changing is asked for.
    may_read: bool,
}

#[tokio::test]
async fn what_is_somebody_elses_is_neither_read_nor_changed_by_any_way() {
    ask_for_everything(World::new().await).await;
}

#[tokio::test]
async fn what_is_somebody_elses_is_neither_read_nor_changed_on_postgresql_either() {
    ask_for_everything(World::on_postgres().await).await;
}

#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn ask_for_everything(world: World) {
    let shared = world.shared().await;
    let victim = world.fixture("victim", &shared).await;
    let own = world.fixture("attacker", &shared).await;
    let sibling = world.new_row("sibling", victim.organization, &shared);
    let mut tx = world.platform().db.begin().await.unwrap();
    slipway_store::applications::insert(&mut tx, &slipway_model::Viewer::Platform, &sibling).await.unwrap();
    tx.commit().await.unwrap();

    let (gone, gone_token) = world.person("gone", false).await;
    let left = world.join(gone, victim.organization, Role::Owner).await;
    let mut tx = world.platform().db.begin().await.unwrap();
    slipway_store::memberships::delete(&mut tx, &slipway_model::Viewer::Platform, left).await.unwrap();
    tx.commit().await.unwrap();
    let (looker, looker_token) = world.person("looker", false).await;
    world.join(looker, victim.organization, Role::Viewer).await;
    let attackers = [
        Attacker { who: "an owner of another organization", token: world.sign_in(own.owner).await.1, theirs: &[], may_read: false },
        Attacker { who: "somebody who was removed", token: gone_token, theirs: &[], may_read: false },
        Attacker {
            who: "the token of another application",
            token: world.token_of(victim.owner, victim.organization, sibling.id).await,
            theirs: &["org", "usr"],
            may_read: false,
        },
        // A session of their own and their membership are theirs; so is leaving.
        Attacker { who: "one who may only look", token: looker_token, theirs: &["usr"], may_read: true },
    ];

    let schema = Schema::of(&world).await;
    let (mut cases, mut found_places) = (0, 0);
    let before = dump::of(&world.platform().db).await;
    for root in ["Query", "Mutation", "Subscription"] {
        for field in schema.fields(root) {
            let mut found = Vec::new();
            for (name, kind) in &field.arguments {
                places(&schema, kind, &mut vec![name.clone()], &mut found);
            }
            found_places += found.len();
            for place in &found {
                let place: Vec<&str> = place.iter().map(String::as_str).collect();
                for attacker in attackers.iter().filter(|attacker| !attacker.may_read || root == "Mutation") {
                    let mut socket = if root == "Subscription" { Some(world.open(&attacker.token).await) } else { None };
                    // An id of the kind that belongs there, and of every other kind.
                    for (kind, id) in victim.ids.iter().filter(|(kind, _)| !attacker.theirs.contains(kind)) {
                        let mut answers = Vec::new();
                        for id in [id.clone(), missing(id)] {
                            let fill =
                                Foreign { field: &field.name, place: &place, id: &id, own: &own, shared: &shared, slug: &victim.slug };
                            let call = schema.call(root, &field, &fill);
                            assert!(call.variables.to_string().contains(&id), "{} {place:?}: {}", field.name, call.variables);
                            let answer = match &mut socket {
                                None => world.ask(Some(&attacker.token), &call.document, call.variables).await,
                                Some(socket) => {
                                    let payload = json!({"query": call.document, "variables": call.variables});
                                    send(socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
                                    let answer = receive(socket).await;
                                    assert_eq!(answer["type"], "error", "{} {kind}: {answer}", field.name);
                                    answer
                                }
                            };
                            let code = &answer["errors"][0]["extensions"]["code"];
                            assert!(
                                code != "INTERNAL" && code != "QUERY_REJECTED" && code != "RATE_LIMITED",
                                "{} {place:?} {kind}: {answer}",
                                field.name
                            );
                            answers.push(answer);
                            cases += 1;
                        }
                        if !attacker.may_read {
                            assert_eq!(answers[0], answers[1], "{} asks {} at {place:?} with an id of {kind}", attacker.who, field.name);
                            let text = answers[0].to_string();
                            for told in ["victim", "value-of-"] {
                                assert!(!text.contains(told), "{} {place:?}: {text}", field.name);
                            }
                        }
                    }
                }
            }
        }
    }
    let changed = dump::difference(&before, &dump::of(&world.platform().db).await);
    assert_eq!(changed, Vec::<String>::new(), "something was changed");
    println!("{found_places} places that take an id, {} attackers, {} kinds of ids: {cases} calls", attackers.len(), victim.ids.len());
    assert!(found_places > 60 && cases > 5_000, "{found_places} {cases}");
}
