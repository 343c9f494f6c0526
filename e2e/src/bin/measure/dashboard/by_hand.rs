//! The limit: one statement that makes the JSON in the database, and nothing but HTTP around it. It asks nobody who they are.

use anyhow::{Result, ensure};
use axum::{Router, http::header, response::IntoResponse, routing::get};
use slipway_store::Engine;
use sqlx::{PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};
use tokio::net::TcpListener;

use super::load::{Load, Measured};

const POSTGRES: &str = "
SELECT json_agg(row)::TEXT FROM (
    SELECT a.id, a.slug, a.name, a.status,
        json_build_object('slug', p.slug, 'priceHourly', p.price_hourly_nanos) AS plan,
        json_build_object('id', d.id, 'number', d.number, 'status', d.status, 'createdAt', d.created_at) AS \"currentDeployment\",
        (SELECT json_agg(json_build_object('id', i.id, 'status', i.status, 'process', i.process, 'index', i.instance_index))
            FROM (SELECT * FROM instances WHERE application_id = a.id AND desired ORDER BY created_at DESC, id DESC LIMIT 10) i) AS instances
    FROM applications a JOIN plans p ON p.id = a.plan_id LEFT JOIN deployments d ON d.id = a.current_deployment_id
    WHERE a.deleted_at IS NULL AND a.organization_id IN (SELECT organization_id FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = 'dashboard@example.org'))
    ORDER BY a.created_at DESC, a.id DESC LIMIT 50) row";

const SQLITE: &str = "
SELECT json_group_array(json(row)) FROM (
    SELECT json_object('id', hex(a.id), 'slug', a.slug, 'name', a.name, 'status', a.status,
        'plan', json_object('slug', p.slug, 'priceHourly', p.price_hourly_nanos),
        'currentDeployment', json_object('id', hex(d.id), 'number', d.number, 'status', d.status, 'createdAt', d.created_at),
        'instances', (SELECT json_group_array(json_object('id', hex(i.id), 'status', i.status, 'process', i.process, 'index', i.instance_index))
            FROM (SELECT * FROM instances WHERE application_id = a.id AND desired ORDER BY created_at DESC, id DESC LIMIT 10) i)) AS row
    FROM applications a JOIN plans p ON p.id = a.plan_id LEFT JOIN deployments d ON d.id = a.current_deployment_id
    WHERE a.deleted_at IS NULL AND a.organization_id IN (SELECT organization_id FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = 'dashboard@example.org'))
    ORDER BY a.created_at DESC, a.id DESC LIMIT 50)";

#[derive(Clone)]
enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

pub async fn measure(engine: Engine, url: &str) -> Result<Measured> {
    let pool = match engine {
        Engine::Postgres => Pool::Postgres(PgPoolOptions::new().max_connections(16).connect(url).await?),
        Engine::Sqlite => Pool::Sqlite(SqlitePoolOptions::new().max_connections(8).connect(url).await?),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = move || {
        let pool = pool.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], read(&pool).await).into_response() }
    };
    let serving = tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    let load = Load::new(format!("http://{address}/"), None, None);
    let rows = load.once().await?;
    ensure!(rows.as_array().is_some_and(|rows| rows.len() == 50), "{rows}");
    let measured = load.run().await?;
    serving.abort();
    Ok(measured)
}

async fn read(pool: &Pool) -> String {
    let text: Result<String, sqlx::Error> = match pool {
        Pool::Postgres(pool) => sqlx::query_scalar(POSTGRES).fetch_one(pool).await,
        Pool::Sqlite(pool) => sqlx::query_scalar(SQLITE).fetch_one(pool).await,
    };
    text.unwrap_or_else(|error| error.to_string())
}
