//! The lists of the API are read in the order of an index, on both engines: no table is read whole, and nothing is sorted.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use slipway_model::{
    ApplicationId, DeploymentId, NodeId, OrganizationId, Role, UserId, Viewer,
    state::{DeploymentStatus, OperationStatus},
    system_clock,
};
use slipway_store::{Cursor, Engine, Page, applications, deployments, events, instances, operations, organizations};
use slipway_store_testing::{TestDatabase, on_both};
use sqlx::{AssertSqlSafe, Connection, Row, postgres::PgConnection, sqlite::SqliteConnection};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the texts of statements, which sqlx reports when they have run.
struct Statements;

#[derive(Default)]
struct Text {
    summary: String,
    whole: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.whole),
            _ => {}
        }
    }
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let statement = if text.whole.is_empty() { text.summary } else { text.whole };
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What the engine would do for a statement, whatever the values are.
async fn plan(database: &TestDatabase, statement: &str) -> Vec<String> {
    match database.db.engine() {
        Engine::Sqlite => {
            let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get("detail")).collect()
        }
        Engine::Postgres => {
            let mut connection = PgConnection::connect(&database.url).await.unwrap();
            // So small a table is read whole unless that is forbidden; then it is only where nothing else can be done.
            let settings = ["enable_seqscan = off", "enable_sort = off", "plan_cache_mode = force_generic_plan"];
            for setting in settings {
                sqlx::raw_sql(AssertSqlSafe(format!("SET {setting}"))).execute(&mut connection).await.unwrap();
            }
            let values = (1..).take_while(|n| statement.contains(&format!("${n}"))).map(|_| "NULL").collect::<Vec<_>>().join(", ");
            let values = if values.is_empty() { values } else { format!("({values})") };
            sqlx::raw_sql(AssertSqlSafe(format!("PREPARE list AS {statement}"))).execute(&mut connection).await.unwrap();
            let rows = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE list{values}"))).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect()
        }
    }
}

fn is_costly(step: &str) -> bool {
    // Whose lists are asked for is no table.
    let reads_parents = step == "SCAN parents" || (step.starts_with("SCAN ") && step.contains("CONSTANT ROW"));
    let reads_a_table_whole = step.contains("SCAN ") && !step.contains(" USING ") && !reads_parents;
    // The rows of each list are known by then, and are found by their numbers.
    let searches_again = step.contains("SEARCH lists") && !step.contains("(rowid=?)");
    reads_a_table_whole || searches_again || step.contains("TEMP B-TREE") || step.contains("Seq Scan on") || step.contains("Sort")
}

#[tokio::test]
async fn lists_are_read_in_the_order_of_an_index() {
    tracing::subscriber::set_global_default(Statements).unwrap();
    on_both(async |database| {
        let clock = system_clock();
        let (application, deployment, node) = (ApplicationId::new(&*clock), DeploymentId::new(&*clock), NodeId::new(&*clock));
        let organization = OrganizationId::new(&*clock);
        let member =
            &Viewer::User { id: UserId::new(&*clock), platform_admin: false, memberships: vec![(organization, Role::Member)], token: None };
        let admin = &Viewer::Platform;
        let cursor = Cursor { at: clock.now(), id: clock.uuid() };
        let mut asked = 0;
        let mut costly = Vec::new();
        for page in [&Page::first(25), &Page::last(25), &Page::first(25).after(cursor), &Page::last(25).before(cursor)] {
            macro_rules! lists {
                ($tx:ident, $($call:expr),+ $(,)?) => {
                    $({
                        let mut tx = database.db.read_once().await.unwrap();
                        SEEN.lock().unwrap().clear();
                        let $tx = &mut tx;
                        $call.await.unwrap();
                        drop(tx);
                        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
                        assert!(!seen.is_empty(), "sqlx reports statements");
                        for statement in seen {
                            let steps = plan(&database, &statement).await;
                            asked += 1;
                            if steps.iter().any(|step| is_costly(step)) {
                                costly.push(format!("{} {page:?}\n{statement}\n{}", stringify!($call), steps.join("\n")));
                            }
                        }
                    })+
                };
            }
            let filter = applications::Filter::default();
            let live = Some(&[DeploymentStatus::Live][..]);
            lists!(
                tx,
                organizations::list(tx, admin, page),
                applications::list(tx, member, &filter, page),
                applications::list(tx, admin, &filter, page),
                applications::of_each_organization(tx, member, &[organization, OrganizationId::new(&*clock)], None, None, page),
                deployments::of_each_application(tx, member, &[application, ApplicationId::new(&*clock)], None, page),
                deployments::of_each_application(tx, member, &[application], live, page),
                instances::of_application(tx, member, application, page),
                instances::current_of_each(tx, member, &[application, ApplicationId::new(&*clock)], page),
                instances::of_each_deployment(tx, member, &[deployment, DeploymentId::new(&*clock)], page),
                instances::on_each(tx, admin, &[node, NodeId::new(&*clock)], page),
                operations::of_each_application(tx, member, &[application, ApplicationId::new(&*clock)], page),
                operations::list(tx, admin, None, page),
                operations::list(tx, admin, Some(&[OperationStatus::Failed]), page),
                events::of_each_application(tx, member, &[application, ApplicationId::new(&*clock)], page),
                events::list(tx, member, Some(organization), page),
            );
        }
        assert!(costly.is_empty(), "{asked} plans read on {:?}\n{}", database.db.engine(), costly.join("\n\n"));
    })
    .await;
}
