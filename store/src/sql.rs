//! A statement and its values, the same for both engines.

use slipway_model::{OrganizationId, Timestamp, Viewer};
use uuid::Uuid;

use crate::Bind;

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
/// The text is made of literals only. What is added after the first literal numbers its own placeholders.
#[derive(Debug)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
    /// Whether the text is the same at every call, so that keeping it prepared pays.
    pub(crate) constant: bool,
    failure: Option<serde_json::Error>,
}

impl Sql {
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), constant: true, failure: None }
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

    /// The rows of several statements, each with an order and a limit of its own. What follows narrows them all.
    #[must_use]
    pub(crate) fn each(lists: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self { text: "SELECT * FROM (".to_owned(), values: Vec::new(), constant: false, failure: None };
        for (index, list) in lists.into_iter().enumerate() {
            if index > 0 {
                all.text.push_str(" UNION ALL ");
            }
            all.text.push_str(&format!("SELECT * FROM ({}) AS list_{index}", renumber(&list.text, all.values.len())));
            all.values.extend(list.values);
            all.failure = all.failure.or(list.failure);
        }
        all.text.push_str(") AS lists WHERE 1 = 1");
        all
    }

    /// ` AND column IN (...)`; with no values, nothing matches.
    #[must_use]
    pub fn any<T: Bind>(mut self, column: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        self.constant = false;
        let first = self.values.len() + 1;
        self = values.into_iter().fold(self, Self::bind);
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
        self.constant = false;
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
    pub(crate) fn finish(self) -> Result<(String, Vec<Value>, bool), serde_json::Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok((self.text, self.values, self.constant)),
        }
    }
}

/// `$1` becomes the placeholder after the first `by`, and so on.
fn renumber(text: &str, by: usize) -> String {
    let mut parts = text.split('$');
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let number = number.parse::<usize>().map_or_else(|_| number.to_owned(), |number| (number + by).to_string());
        renumbered.push('$');
        renumbered.push_str(&number);
        renumbered.push_str(rest);
    }
    renumbered
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
        let (text, values, constant) = sql.finish().unwrap();
        assert_eq!(text, "SELECT 1 WHERE a = $1 AND organization_id IN ($2, $3)");
        assert_eq!(values, [Value::Text(Some("x".into())), Value::Uuid(Some(ids[0])), Value::Uuid(Some(ids[1]))]);
        assert!(!constant);
    }

    #[test]
    fn several_lists_become_one_statement() {
        let list = |text: &str| Sql::new("SELECT 1 WHERE a = $1 AND b > $2").bind(text).bind(2_i64).limit(3);
        let (text, values, _) = Sql::each([list("x"), list("y")]).and("c = ?", ["z"]).finish().unwrap();
        assert_eq!(
            text,
            "SELECT * FROM (SELECT * FROM (SELECT 1 WHERE a = $1 AND b > $2 LIMIT $3) AS list_0 \
             UNION ALL SELECT * FROM (SELECT 1 WHERE a = $4 AND b > $5 LIMIT $6) AS list_1) AS lists WHERE 1 = 1 AND c = $7"
        );
        assert_eq!(values.len(), 7);
        assert_eq!(values[3], Value::Text(Some("y".into())));
    }

    #[test]
    fn a_viewer_of_no_organization_sees_nothing() {
        let (text, ..) = Sql::new("SELECT 1 WHERE TRUE").within("organization_id", &member_of(&[])).finish().unwrap();
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
        let (text, ..) = Sql::new("SELECT 1 WHERE TRUE").within("organization_id", &Viewer::Platform).finish().unwrap();
        assert_eq!(text, "SELECT 1 WHERE TRUE");
    }
}
