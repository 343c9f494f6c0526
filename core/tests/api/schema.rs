//! The schema says everything that its readers need, and the file says what the code says.

use std::path::Path;

use slipway_core::graphql::sdl;

/// The lines of a type's body that declare fields, without descriptions.
fn fields_of<'a>(sdl: &'a str, kind: &str) -> Vec<&'a str> {
    let body = sdl.split(&format!("\ntype {kind} {{\n")).nth(1).unwrap_or_else(|| panic!("no type {kind}"));
    let body = body.split("\n}").next().unwrap();
    body.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ") && !line.trim_start().starts_with('"')).collect()
}

#[test]
fn every_root_field_says_who_may_use_it() {
    let sdl = sdl();
    for root in ["Query", "Mutation", "Subscription"] {
        let fields = fields_of(&sdl, root);
        // A field with arguments ends on a line of its own: `  ): Type @auth(...)`.
        let ends: Vec<_> = fields.iter().filter(|line| line.contains("): ") || (line.contains(": ") && !line.ends_with('('))).collect();
        assert!(ends.len() >= 3, "{root}: {fields:?}");
        for line in ends {
            assert!(line.contains("@auth(role: "), "{root}: {line}");
        }
    }
    assert!(sdl.contains("directive @auth("));
}

#[test]
fn anybody_may_use_only_what_is_meant_for_anybody() {
    let public = [
        "Query.serverInfo",
        "Query.plan",
        "Query.plans",
        "Query.runtime",
        "Query.runtimes",
        "Query.region",
        "Query.regions",
        "Query.costEstimate",
        "Mutation.invitationAccept",
        "Mutation.sessionCreate",
        "Query.invitation",
    ];
    let sdl = sdl();
    let mut found = Vec::new();
    for root in ["Query", "Mutation", "Subscription"] {
        let mut name = "";
        for line in fields_of(&sdl, root) {
            let line = line.trim();
            if !line.starts_with(')') {
                name = line.split(['(', ':']).next().unwrap();
            }
            if line.contains("@auth(role: ANYONE)") {
                found.push(format!("{root}.{name}"));
            }
        }
    }
    found.sort();
    let mut public: Vec<String> = public.map(String::from).to_vec();
    public.sort();
    assert_eq!(found, public);
}

#[test]
fn schema_graphql_matches_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("schema.graphql");
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(file == sdl(), "schema.graphql differs from the code: run `cargo xtask schema` and commit the result");
}

/// The introspection of a schema without a description somewhere.
#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let world = crate::world::World::new().await;
    let query = "{ __schema { types { name kind description
        fields { name description args { name description } }
        inputFields { name description }
        enumValues { name description } } } }";
    let data = world.data(&world.admin, query, serde_json::json!({})).await;
    let mut bare = Vec::new();
    let is_bare = |value: &serde_json::Value| value["description"].as_str().is_none_or(|text| text.trim().is_empty());
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") || matches!(name, "Int" | "Float" | "String" | "Boolean" | "ID") {
            continue;
        }
        if is_bare(kind) {
            bare.push(name.to_owned());
        }
        for list in ["fields", "inputFields", "enumValues"] {
            for member in kind[list].as_array().into_iter().flatten() {
                let member_name = member["name"].as_str().unwrap();
                if is_bare(member) {
                    bare.push(format!("{name}.{member_name}"));
                }
                for argument in member["args"].as_array().into_iter().flatten().filter(|argument| is_bare(argument)) {
                    bare.push(format!("{name}.{member_name}({})", argument["name"].as_str().unwrap()));
                }
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
