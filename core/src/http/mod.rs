//! The public listener: GraphQL over HTTP and WebSocket, uploads, health and metrics.

mod forgery;
mod graphiql;
mod graphql;
mod headers;
mod health;
mod limits;
mod origin;
mod socket;
mod upload;

use std::{future::Future, io, net::SocketAddr};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, put},
};
use tokio::net::TcpListener;

use crate::{Platform, graphql::Api, uploads};

/// Everything that the public listener answers.
pub fn router(platform: Platform) -> Router {
    let graphql = Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/graphql/ws", get(graphql::handle_socket))
        .layer(middleware::from_fn_with_state(platform.clone(), origin::refuse_foreign))
        .with_state(Api::new(platform.clone()));
    Router::new()
        // An archive is streamed to disk, and measured there.
        .route("/uploads/{ticket}", put(upload::receive).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(platform)
        .merge(graphql)
        .layer(middleware::from_fn(headers::secure))
}

/// Serves until `shutdown` completes, then lets open requests end.
///
/// # Errors
/// When the listener fails, or the directory of uploads cannot be used.
pub async fn serve(platform: Platform, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    uploads::clear_drafts(&platform.config.data_dir)?;
    let service = router(platform).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}
