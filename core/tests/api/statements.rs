//! A list of ten costs as many statements as a list of one, whatever is asked of its elements. The questions are made from the
//! schema, so that a new field is asked about too.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_model::{Clock, NodeId, Role, state::NodeStatus};
use slipway_store::nodes::{self, Node};

use crate::world::World;

/// How far below a list's elements fields are asked for, each by a path of its own.
const DEPTH: usize = 2;
/// Tables that rows of a list may refer to by one field, less one.
const KINDS: u64 = 6;
/// Of each thing.
const ROWS: usize = 10;

const INTROSPECTION: &str = "{ __schema { types { kind name fields { name args { name type { ...T } defaultValue } type { ...T } }
    enumValues { name } } queryType { name } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";

struct Schema(BTreeMap<String, Value>);

impl Schema {
    fn fields(&self, of: &str) -> &[Value] {
        self.0[of]["fields"].as_array().map_or(&[], Vec::as_slice)
    }

    fn kind(&self, of: &str) -> &str {
        self.0[of]["kind"].as_str().unwrap()
    }

    /// The type of a connection's elements.
    fn element(&self, connection: &str) -> Option<String> {
        let nodes = self.fields(connection).iter().find(|field| field["name"] == "nodes")?;
        connection.ends_with("Connection").then(|| named(&nodes["type"]))
    }

    fn scalars(&self, of: &str) -> Vec<&str> {
        let is_plain = |field: &&Value| matches!(self.kind(&named(&field["type"])), "SCALAR" | "ENUM") && required(field).is_empty();
        self.fields(of).iter().filter(is_plain).map(|field| field["name"].as_str().unwrap()).collect()
    }

    /// A field with everything that must be given to it, and what `inner` selects of it.
    fn call(&self, field: &Value, first: Option<usize>, inner: &str) -> String {
        let mut arguments: Vec<String> = required(field).into_iter().map(|argument| self.argument(field, argument)).collect();
        if takes(field, "first") {
            arguments.push(format!("first: {}", first.unwrap_or(2)));
        }
        // Whatever is not offered or not available counts too.
        for (name, value) in [("activeOnly", "false"), ("availableOnly", "false")] {
            if takes(field, name) {
                arguments.push(format!("{name}: {value}"));
            }
        }
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        format!("{}{arguments} {inner}", field["name"].as_str().unwrap())
    }

    fn argument(&self, field: &Value, argument: &Value) -> String {
        let (name, of) = (argument["name"].as_str().unwrap(), named(&argument["type"]));
        let one = match (self.kind(&of), of.as_str()) {
            ("ENUM", _) => self.0[&of]["enumValues"][0]["name"].as_str().unwrap().to_owned(),
            (_, "DateTime") => "\"2026-01-01T00:00:00Z\"".to_owned(),
            (_, "Int") => "1".to_owned(),
            _ => panic!("teach this test a value of {of} for {name} of {field}"),
        };
        let is_list = argument["type"]["ofType"]["kind"] == "LIST";
        if is_list { format!("{name}: [{one}]") } else { format!("{name}: {one}") }
    }

    /// What may be asked of a value of this type: its plain fields together, and each other field by itself, with what may be
    /// asked of that.
    fn questions(&self, of: &str, depth: usize) -> Vec<String> {
        if let Some(element) = self.element(of) {
            return self.questions(&element, depth).into_iter().map(|inner| format!("{{ nodes {inner} }}")).collect();
        }
        if self.kind(of) != "OBJECT" {
            return vec!["{ __typename }".to_owned()];
        }
        let scalars = self.scalars(of).join(" ");
        let mut questions = vec![format!("{{ __typename {scalars} }}")];
        if depth > 0 {
            let others = self.fields(of).iter().filter(|field| !matches!(self.kind(&named(&field["type"])), "SCALAR" | "ENUM"));
            for field in others {
                let inner = self.questions(&named(&field["type"]), depth - 1);
                questions.extend(inner.iter().map(|inner| format!("{{ __typename {} }}", self.call(field, None, inner))));
            }
        }
        questions
    }
}

fn named(of: &Value) -> String {
    of["name"].as_str().map_or_else(|| named(&of["ofType"]), str::to_owned)
}

fn takes(field: &Value, argument: &str) -> bool {
    field["args"].as_array().unwrap().iter().any(|known| known["name"] == argument)
}

fn required(field: &Value) -> Vec<&Value> {
    let is_required = |argument: &&Value| argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
    field["args"].as_array().unwrap().iter().filter(is_required).collect()
}

async fn populated() -> World {
    let world = World::new().await;
    let region = world.region().await;
    for index in 0..ROWS {
        world.customer(&format!("customer-{index}"), Role::Owner).await;
        let organization = json!({"name": format!("Organization {index}"), "slug": format!("organization-{index}")});
        let made = world.mutate(&world.admin, "organizationCreate", organization, "organization { id }").await;
        let input = json!({
            "organizationId": made["organization"]["id"], "name": format!("App {index}"), "planId": world.plan("small").await,
            "regionId": region, "source": {"git": {"repositoryUrl": "https://example.org/a.git", "branch": "main"}},
            "variables": [{"key": "A", "value": "x"}, {"key": "B", "value": "y", "scope": "BUILD"}]
        });
        let made = world.mutate(&world.admin, "applicationCreate", input, "application { id }").await;
        let id = made["application"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        world.mutate(&world.admin, "applicationDeploy", json!({"id": id}), "deployment { id }").await;
        let plan = json!({
            "slug": format!("plan-{index}"), "name": "Plan", "cpuMillis": 100, "memoryBytes": "100000000", "storageBytes": "100000000",
            "maxInstances": 1, "priceHourly": "0.01", "priceMonthly": "5"
        });
        world.mutate(&world.admin, "planCreate", plan, "plan { id }").await;
        world.mutate(&world.admin, "regionCreate", json!({"slug": format!("region-{index}"), "name": "Region"}), "region { id }").await;
        world.mutate(&world.admin, "nodeEnrollmentTokenCreate", json!({"regionId": region}), "enrollmentToken { id }").await;
        let mut tx = world.platform().db.begin().await.unwrap();
        let id = NodeId::new(&world.clock);
        let key = vec![u8::try_from(index).unwrap()];
        let blank = Node::blank(id, region.as_str().unwrap().parse().unwrap(), world.clock.now());
        nodes::insert(&mut tx, &Node { public_key: key, status: NodeStatus::Offline, ..blank }).await.unwrap();
        tx.commit().await.unwrap();
    }
    world
}

/// What a question costs, beside what the platform does on its own at the same time.
async fn cost(world: &World, query: &str) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..4 {
        let before = world.platform().db.statements();
        let answer = world.ask(Some(&world.admin), query, json!({})).await;
        let after = world.platform().db.statements();
        assert_eq!(answer.get("errors"), None, "{query}");
        least = least.min(after - before);
    }
    least
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "how much was asked")]
async fn a_list_of_ten_costs_as_many_statements_as_a_list_of_one() {
    let world = populated().await;
    let types = world.data(&world.admin, INTROSPECTION, json!({})).await["__schema"]["types"].take();
    let types = types.as_array().unwrap().iter().map(|of| (of["name"].as_str().unwrap().to_owned(), of.clone()));
    let schema = Schema(types.collect());
    let (mut asked, mut dearer) = (0, Vec::new());
    for list in schema.fields("Query") {
        let Some(element) = schema.element(&named(&list["type"])).filter(|_| required(list).is_empty()) else { continue };
        let name = list["name"].as_str().unwrap();
        let answer =
            world.data(&world.admin, &format!("{{ {} }}", schema.call(list, Some(ROWS), "{ nodes { __typename } }")), json!({})).await;
        let rows = answer[name]["nodes"].as_array().unwrap().len();
        assert!(rows >= 2, "this test makes several rows for {name}; there are {rows}");
        for question in schema.questions(&element, DEPTH) {
            let ask = |first| format!("{{ {} }}", schema.call(list, Some(first), &format!("{{ nodes {question} }}")));
            let (one, ten) = (cost(&world, &ask(1)).await, cost(&world, &ask(ROWS)).await);
            asked += 1;
            // What may be of several kinds is read from a table of each.
            if ten > one + KINDS {
                dearer.push(format!("{name} {question}: {one} statements for one, {ten} for {rows}"));
            }
        }
    }
    println!("{asked} questions made from the schema, each asked of one row and of {ROWS}");
    assert!(asked > 100, "{asked}");
    assert!(dearer.is_empty(), "{}", dearer.join("\n"));
}
