//! The schema as its readers see it, and inputs made from it: what a test asks of every field, a new field is asked too.

use serde_json::{Map, Value, json};

use crate::world::World;

/// A field of a root type.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub arguments: Vec<(String, Value)>,
    /// The type it answers with, as introspection says it.
    pub kind: Value,
}

pub struct Schema(Value);

/// Where an input's value comes from.
pub trait Fill {
    /// For a leaf of this type: `path` is its name and those around it, such as `["input", "organizationId"]`.
    fn leaf(&self, kind: &str, path: &[&str]) -> Option<Value>;
}

const QUERY: &str = "{ __schema { types { kind name
    fields { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } defaultValue } enumValues { name } possibleTypes { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

impl Schema {
    pub async fn of(world: &World) -> Self {
        Self(world.data(&world.admin, QUERY, json!({})).await["__schema"]["types"].take())
    }

    pub fn named(&self, name: &str) -> &Value {
        self.0.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap_or_else(|| panic!("no type {name}"))
    }

    pub fn fields(&self, root: &str) -> Vec<Field> {
        let arguments = |field: &Value| {
            let arguments = field["args"].as_array().unwrap().iter();
            arguments.map(|argument| (argument["name"].as_str().unwrap().to_owned(), argument["type"].clone())).collect()
        };
        let fields = self.named(root)["fields"].as_array().unwrap().iter();
        fields
            .map(|field| Field {
                name: field["name"].as_str().unwrap().to_owned(),
                arguments: arguments(field),
                kind: field["type"].clone(),
            })
            .collect()
    }

    /// The name at the heart of a type, without lists and exclamation marks.
    pub fn heart(kind: &Value) -> &str {
        let mut kind = kind;
        while !kind["ofType"].is_null() {
            kind = &kind["ofType"];
        }
        kind["name"].as_str().unwrap()
    }

    /// A type as it is written in a document.
    pub fn written(kind: &Value) -> String {
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => format!("{}!", Self::written(&kind["ofType"])),
            "LIST" => format!("[{}]", Self::written(&kind["ofType"])),
            _ => kind["name"].as_str().unwrap().to_owned(),
        }
    }

    /// A value of a type. What need not be given is given only where `fill` has something for it, or something inside it.
    pub fn value(&self, kind: &Value, path: &[&str], fill: &dyn Fill) -> Option<Value> {
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&kind["ofType"], path, fill).or_else(|| self.needed(&kind["ofType"], path, fill)),
            "LIST" => self.value(&kind["ofType"], path, fill).map(|value| json!([value])),
            "INPUT_OBJECT" => {
                let kind = self.named(kind["name"].as_str().unwrap());
                let mut given = Map::new();
                let mut needed = Map::new();
                let one_of = kind["inputFields"].as_array().unwrap();
                for field in one_of {
                    let name = field["name"].as_str().unwrap();
                    let path = [path, &[name]].concat();
                    // What has a default need not be given, however it is written.
                    let has_default = !field["defaultValue"].is_null() && field["type"]["kind"] == "NON_NULL";
                    let kind = if has_default { &field["type"]["ofType"] } else { &field["type"] };
                    let value = self.value(kind, &path, fill);
                    let is_needed = field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null();
                    match value {
                        Some(value) if is_needed => drop(needed.insert(name.to_owned(), value)),
                        Some(value) => drop(given.insert(name.to_owned(), value)),
                        None => {}
                    }
                }
                let only_needed = given.is_empty();
                given.extend(needed);
                // An optional object is given for the sake of something that `fill` chose inside it.
                (!only_needed || path.len() <= 1).then_some(Value::Object(given))
            }
            "ENUM" => fill.leaf("ENUM", path),
            _ => fill.leaf(kind["name"].as_str().unwrap(), path),
        }
    }

    fn needed(&self, kind: &Value, path: &[&str], fill: &dyn Fill) -> Option<Value> {
        Some(match kind["kind"].as_str().unwrap() {
            "LIST" => json!([]),
            "ENUM" => self.named(kind["name"].as_str().unwrap())["enumValues"][0]["name"].clone(),
            "INPUT_OBJECT" => {
                let fields = self.named(kind["name"].as_str().unwrap())["inputFields"].as_array().unwrap().iter();
                let needed = fields.filter(|field| field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null());
                let value = |field: &Value| {
                    let name = field["name"].as_str().unwrap();
                    let value = self.value(&field["type"], &[path, &[name]].concat(), fill);
                    value.map(|value| (name.to_owned(), value))
                };
                Value::Object(needed.filter_map(value).collect())
            }
            name_of_scalar => plain(kind["name"].as_str().unwrap_or(name_of_scalar)),
        })
    }

    /// A call of a root field with everything that it needs.
    pub fn call(&self, root: &str, field: &Field, fill: &dyn Fill) -> Call {
        let mut variables = Map::new();
        let mut declared = Vec::new();
        let mut passed = Vec::new();
        for (name, kind) in &field.arguments {
            if let Some(value) = self.value(kind, &[name], fill) {
                variables.insert(name.clone(), value);
                declared.push(format!("${name}: {}", Self::written(kind)));
                passed.push(format!("{name}: ${name}"));
            }
        }
        let in_brackets = |parts: Vec<String>| if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) };
        let operation = root.to_lowercase();
        let selection = self.selection(&field.kind);
        let document = format!("{operation}{} {{ {}{} {selection} }}", in_brackets(declared), field.name, in_brackets(passed));
        Call { document, variables: Value::Object(variables) }
    }

    /// What is asked of a field's answer: its id, and of a payload its refusals.
    pub fn selection(&self, kind: &Value) -> String {
        let heart = self.named(Self::heart(kind));
        if !matches!(heart["kind"].as_str().unwrap(), "OBJECT" | "INTERFACE" | "UNION") {
            return String::new();
        }
        let has = |name: &str| heart["fields"].as_array().into_iter().flatten().any(|field| field["name"] == name);
        let mut asked = vec!["__typename"];
        if has("id") {
            asked.push("id");
        }
        if has("errors") {
            asked.push("errors { code message path }");
        }
        if has("nodes") && has("pageInfo") {
            asked.push("nodes { __typename }");
        }
        format!("{{ {} }}", asked.join(" "))
    }
}

/// A document and its variables.
#[derive(Debug, Clone)]
pub struct Call {
    pub document: String,
    pub variables: Value,
}

/// Something harmless of a scalar type.
pub fn plain(kind: &str) -> Value {
    match kind {
        "Int" => json!(1),
        "Float" => json!(1.0),
        "Boolean" => json!(false),
        "BigInt" | "Decimal" => json!("1"),
        "DateTime" => json!("2030-01-01T00:00:00Z"),
        "JSON" => json!({}),
        "ID" => json!("app_00000000000000000000000000"),
        _ => json!("x"),
    }
}

/// Nothing that need not be given.
pub struct Plainly;

impl Fill for Plainly {
    fn leaf(&self, _kind: &str, _path: &[&str]) -> Option<Value> {
        None
    }
}

/// Who may use a root field, as the schema's text says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub root: &'static str,
    pub field: String,
    pub role: String,
    pub permission: Option<String>,
}

pub fn declared() -> Vec<Declared> {
    let sdl = slipway_core::graphql::sdl();
    let mut found = Vec::new();
    for root in ["Query", "Mutation", "Subscription"] {
        let body = sdl.split(&format!("\ntype {root} {{\n")).nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
        let mut field = "";
        for line in body.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  \"")) {
            let line = line.trim();
            if !line.starts_with(')') {
                field = line.split(['(', ':']).next().unwrap();
            }
            let Some(directive) = line.split("@auth(").nth(1).and_then(|rest| rest.split(')').next()) else { continue };
            let value = |name: &str| {
                let mut parts = directive.split(", ").filter_map(|part| part.split_once(": "));
                parts.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            let (role, permission) = (value("role").unwrap(), value("permission"));
            found.push(Declared { root, field: field.to_owned(), role, permission });
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}
