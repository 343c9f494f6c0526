//! A statement and its values, the same for both engines.

use slipway_model::{OrganizationId, Timestamp, Viewer};
use uuid::Uuid;

use crate::{Bind, Engine};

/// A value on its way into the database. An absent one still has a type, as PostgreSQL asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Integer(Option<i64>),
    Real(Option<f64>),
    Bool(Option<bool>),
    Time(Option<Timestamp>),
    Bytes(Option<Vec<u8>>),
    Json(Option<serde_json::Value>),
}

impl Value {
    /// PostgreSQL's text and JSON hold no NUL, and programs print it: it becomes U+FFFD, on SQLite too.
    fn without_nul(self) -> Self {
        match self {
            Self::Text(Some(text)) if text.contains('\0') => Self::Text(Some(replace_nul(&text))),
            Self::Json(Some(mut json)) => {
                replace_nul_in(&mut json);
                Self::Json(Some(json))
            }
            other => other,
        }
    }
}

fn replace_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn replace_nul_in(json: &mut serde_json::Value) {
    use serde_json::Value as Json;
    match json {
        Json::String(text) if text.contains('\0') => *text = replace_nul(text),
        Json::Array(items) => items.iter_mut().for_each(replace_nul_in),
        Json::Object(fields) => {
            fields.values_mut().for_each(replace_nul_in);
            if fields.keys().any(|key| key.contains('\0')) {
                *fields = std::mem::take(fields).into_iter().map(|(key, value)| (replace_nul(&key), value)).collect();
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// SQL text with `$1` placeholders and the values to stand there.
///
/// The text is made of literals only. What is added after the first literal numbers its own placeholders. There are few texts of each
/// kind, however many values there are, so that a database that has prepared one need not read it again.
#[derive(Debug)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
    failure: Option<serde_json::Error>,
}

impl Sql {
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), failure: None }
    }

    /// The value of the next `$n`.
    #[must_use]
    pub fn bind(mut self, value: impl Bind) -> Self {
        match value.into_value() {
            Ok(value) => self.values.push(value.without_nul()),
            Err(error) => self.failure = Some(error),
        }
        self
    }

    #[must_use]
    pub fn push(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// The rows of a statement for each of several parents, each with an order and a limit of its own. What follows narrows them all, and
    /// finds them under the name `lists`. `list` is made for the first parent, which is its first value, and begins with
    /// [`Sql::LIST`] and one table.
    #[must_use]
    pub(crate) fn for_each(list: Self, parents: &[Uuid], engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::by_row_number(list, parents),
            Engine::Postgres => Self::lateral(list, parents),
        }
    }

    /// What the list of one parent begins with.
    const LIST: &'static str = "SELECT * FROM ";

    /// SQLite cannot have a limit for each row of another table, but in a condition; and it keeps few texts prepared, so that this one
    /// is the same for nine to sixteen parents. The rows that were chosen are found by their numbers alone: by the index of what narrows
    /// them it would look through everything of an organization for each parent.
    fn by_row_number(mut list: Self, parents: &[Uuid]) -> Self {
        let from = list.text.strip_prefix(Self::LIST).unwrap_or_default();
        let table = from.split(' ').next().unwrap_or_default();
        let rows = format!("SELECT rowid FROM {}", name_first(from, "parents.parent"));
        // The first is the list's own first value.
        let begin = list.values.len();
        list.values.extend(parents.iter().skip(1).map(|parent| Value::Uuid(Some(*parent))));
        // Nothing belongs to those that are not there.
        list.values.resize(begin + parents.len().next_power_of_two() - 1, Value::Uuid(None));
        let places: String = (begin + 1..=list.values.len()).map(|place| format!(", (${place})")).collect();
        list.text = format!(
            "WITH parents (parent) AS (VALUES ($1){places}) \
             SELECT lists.* FROM parents CROSS JOIN {table} AS lists NOT INDEXED ON lists.rowid IN ({rows}) WHERE 1 = 1"
        );
        list
    }

    /// PostgreSQL takes milliseconds to plan a text of a hundred parts; this one is the same for any number of parents.
    fn lateral(mut list: Self, parents: &[Uuid]) -> Self {
        let ids: Vec<String> = parents.iter().map(Uuid::to_string).collect();
        if let Some(first) = list.values.first_mut() {
            *first = Value::Text(Some(format!("{{{}}}", ids.join(","))));
        }
        let parents = "unnest(CAST(CAST($1 AS TEXT) AS UUID[])) AS parents (parent)";
        list.text =
            format!("SELECT lists.* FROM {parents} CROSS JOIN LATERAL ({}) AS lists WHERE 1 = 1", name_first(&list.text, "parents.parent"));
        list
    }

    /// ` AND column IN (...)`; with no values, nothing matches.
    #[must_use]
    pub fn any<T: Bind>(mut self, column: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        let before = self.values.len();
        let first = before + 1;
        self = values.into_iter().fold(self, Self::bind);
        if let Some(last) = self.values[before..].last().cloned() {
            // One text for nine to sixteen values: what stands there twice is found once.
            let named = (self.values.len() - before).next_power_of_two();
            self.values.resize(before + named, last);
        }
        let placeholders: Vec<String> = (first..=self.values.len()).map(|n| format!("${n}")).collect();
        if placeholders.is_empty() {
            self.text.push_str(" AND 1 = 0");
        } else {
            self.text.push_str(&format!(" AND {column} IN ({})", placeholders.join(", ")));
        }
        self
    }

    /// Leaves only rows of organizations that the viewer may see: what is not there and what is not theirs look the same. Whoever came
    /// with the token of one application sees none: rows of an application are for [`Sql::within_application`].
    #[must_use]
    pub fn within(self, column: &'static str, viewer: &Viewer) -> Self {
        match viewer.application() {
            Some(_) => self.any::<OrganizationId>(column, []),
            None => self.within_organization(column, viewer),
        }
    }

    /// As [`Sql::within`], for rows of one application: the token of another one does not open them.
    #[must_use]
    pub fn within_application(self, column: &'static str, application: &'static str, viewer: &Viewer) -> Self {
        let sql = self.within_organization(column, viewer);
        match viewer.application() {
            None => sql,
            Some(only) => sql.any(application, [only]),
        }
    }

    /// As [`Sql::within`], for what the token of one application may see of its organization: that there is one.
    #[must_use]
    pub fn within_organization(self, column: &'static str, viewer: &Viewer) -> Self {
        match viewer.organizations() {
            None => self,
            Some(organizations) => self.any(column, organizations),
        }
    }

    /// ` AND condition`, with a `?` for each value.
    #[must_use]
    pub fn and<T: Bind>(self, condition: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self.push(" AND ").number(condition), Self::bind)
    }

    /// ` LIMIT most`.
    #[must_use]
    pub fn limit(self, most: i64) -> Self {
        self.number(" LIMIT ?").bind(most)
    }

    /// Adds text of our own making, in which each `?` becomes the placeholder of a value to be bound next.
    pub(crate) fn number(mut self, text: &str) -> Self {
        for (index, part) in text.split('?').enumerate() {
            if index > 0 {
                self.text.push_str(&format!("${}", self.values.len() + index));
            }
            self.text.push_str(part);
        }
        self
    }

    /// # Errors
    /// A value could not be written as JSON.
    pub(crate) fn finish(self) -> Result<(String, Vec<Value>), serde_json::Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok((self.text, self.values)),
        }
    }
}

/// `name` stands where the first value did.
fn name_first(text: &str, name: &str) -> String {
    let mut parts = text.split("$1");
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `$10` is another one.
        named.push_str(if part.starts_with(|next: char| next.is_ascii_digit()) { "$1" } else { name });
        named.push_str(part);
    }
    named
}

#[cfg(test)]
mod tests {
    use slipway_model::{OrganizationId, Role, UserId};

    use super::*;

    fn member_of(organizations: &[Uuid]) -> Viewer {
        Viewer::User {
            id: UserId::from_uuid(Uuid::nil()),
            platform_admin: false,
            memberships: organizations.iter().map(|id| (OrganizationId::from_uuid(*id), Role::Member)).collect(),
            token: None,
        }
    }

    #[test]
    fn the_viewers_organizations_narrow_a_statement() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let sql = Sql::new("SELECT 1 WHERE a = $1").bind("x").within("organization_id", &member_of(&ids));
        let (text, values) = sql.finish().unwrap();
        assert_eq!(text, "SELECT 1 WHERE a = $1 AND organization_id IN ($2, $3)");
        assert_eq!(values, [Value::Text(Some("x".into())), Value::Uuid(Some(ids[0])), Value::Uuid(Some(ids[1]))]);
    }

    #[test]
    fn any_number_of_values_makes_few_texts() {
        let text = |count: i64| Sql::new("SELECT 1 WHERE 1 = 1").any("n", 0..count).finish().unwrap();
        assert_eq!(text(3).1, [0, 1, 2, 2].map(|n| Value::Integer(Some(n))));
        let texts: std::collections::HashSet<String> = (0..=128).map(|count| text(count).0).collect();
        assert_eq!(texts.len(), 9);
    }

    #[test]
    fn the_lists_of_several_parents_become_one_statement() {
        let parents = [1, 2, 3].map(Uuid::from_u128);
        let list = || Sql::new("SELECT * FROM t WHERE a = $1 AND b > $2").bind(parents[0]).bind(2_i64).limit(3);
        let (text, values) = Sql::for_each(list(), &parents, Engine::Sqlite).and("c = ?", ["z"]).finish().unwrap();
        assert_eq!(
            text,
            "WITH parents (parent) AS (VALUES ($1), ($4), ($5), ($6)) SELECT lists.* FROM parents CROSS JOIN t AS lists NOT INDEXED \
             ON lists.rowid IN (SELECT rowid FROM t WHERE a = parents.parent AND b > $2 LIMIT $3) WHERE 1 = 1 AND c = $7"
        );
        let others = [Value::Uuid(Some(parents[1])), Value::Uuid(Some(parents[2])), Value::Uuid(None)];
        assert_eq!((values.len(), &values[3..6]), (7, &others[..]));
        let (text, values) = Sql::for_each(list(), &parents, Engine::Postgres).and("c = ?", ["z"]).finish().unwrap();
        assert_eq!(
            text,
            "SELECT lists.* FROM unnest(CAST(CAST($1 AS TEXT) AS UUID[])) AS parents (parent) \
             CROSS JOIN LATERAL (SELECT * FROM t WHERE a = parents.parent AND b > $2 LIMIT $3) AS lists WHERE 1 = 1 AND c = $4"
        );
        assert_eq!(values.len(), 4);
        assert!(matches!(&values[0], Value::Text(Some(ids)) if ids.starts_with("{00000000-") && ids.ends_with("003}")));
    }

    #[test]
    fn a_viewer_of_no_organization_sees_nothing() {
        let (text, _) = Sql::new("SELECT 1 WHERE TRUE").within("organization_id", &member_of(&[])).finish().unwrap();
        assert_eq!(text, "SELECT 1 WHERE TRUE AND 1 = 0");
    }

    #[test]
    fn the_token_of_one_application_sees_that_one_alone() {
        let clock = slipway_model::ManualClock::at(Timestamp::UNIX_EPOCH);
        let mut viewer = member_of(&[Uuid::from_u128(1)]);
        let Viewer::User { token, .. } = &mut viewer else { unreachable!() };
        let everything = slipway_model::Grant::everything(slipway_model::ApiTokenId::new(&clock));
        *token = Some(slipway_model::Grant { application: Some(slipway_model::ApplicationId::new(&clock)), ..everything });
        let text = |sql: Sql| sql.finish().unwrap().0;
        let base = || Sql::new("SELECT 1 WHERE TRUE");
        assert_eq!(text(base().within("o", &viewer)), "SELECT 1 WHERE TRUE AND 1 = 0");
        assert_eq!(text(base().within_application("o", "a", &viewer)), "SELECT 1 WHERE TRUE AND o IN ($1) AND a IN ($2)");
        assert_eq!(text(base().within_organization("o", &viewer)), "SELECT 1 WHERE TRUE AND o IN ($1)");
    }

    #[test]
    fn the_platform_sees_everything() {
        let (text, _) = Sql::new("SELECT 1 WHERE TRUE").within("organization_id", &Viewer::Platform).finish().unwrap();
        assert_eq!(text, "SELECT 1 WHERE TRUE");
    }
}
