//! The public listener: GraphQL over HTTP and WebSocket, uploads, health and metrics.

mod address;
mod billing;
mod forgery;
mod graphiql;
mod graphql;
mod headers;
mod health;
mod install;
mod limits;
mod origin;
mod socket;
mod upload;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, put},
};
use axum_server::{Handle, accept::NoDelayAcceptor};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpSocket;

use crate::{Platform, graphql::Api, uploads};

/// For the head of a request to arrive, from the opening of the connection or the end of the last request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// What the kernel keeps for a client that reads slowly or not at all. Left to itself it keeps megabytes for each.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;

/// Opens the public listener.
///
/// # Errors
/// When the address is taken, or not one of this machine.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Connections have what their listener has.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(1024)?.into_std()
}

/// Everything that the public listener answers.
pub fn router(platform: Platform) -> Router {
    let graphql = Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/graphql/ws", get(graphql::handle_socket))
        .route("/billing/invoices/{name}", get(billing::invoice))
        .route("/billing/{organization}/ledger.csv", get(billing::ledger))
        .layer(middleware::from_fn_with_state(platform.clone(), origin::refuse_foreign))
        .with_state(Api::new(platform.clone()));
    Router::new()
        // An archive is streamed to disk, and measured there.
        .route("/uploads/{ticket}", put(upload::receive).layer(DefaultBodyLimit::disable()))
        .route("/plugin-archives/{ticket}", put(upload::receive_plugin).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/install.sh", get(install::script))
        .route("/download/{name}", get(install::download))
        .with_state(platform)
        .merge(graphql)
        .layer(middleware::from_fn(headers::secure))
}

/// Serves until the handle shuts it down.
///
/// # Errors
/// When the listener fails, or the directory of uploads cannot be used.
pub(crate) async fn serve(platform: Platform, listener: TcpListener, handle: Handle<SocketAddr>) -> io::Result<()> {
    uploads::clear_drafts(&platform.config.data_dir)?;
    let service = router(platform).into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.acceptor(NoDelayAcceptor::new()).handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    server.serve(service).await
}
