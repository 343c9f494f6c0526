//! The TLS listener for agents: four paths and nothing else, apart from the public API.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    response::IntoResponse,
    routing::{get, post},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use http::header;
use slipway_protocol::{BLOB_PATH, CA_PATH, CONNECT_PATH, ENROLL_PATH};

use super::{blobs, enroll, session};
use crate::{Platform, tls::TlsError};

/// Enough for an enrollment, the only request with a body.
const MAX_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("the agents' listener cannot listen on {address}: {cause}")]
    Bind { address: SocketAddr, cause: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound listener. Bound before it serves, so that a taken port is an error of the start.
pub(crate) struct AgentListener {
    socket: std::net::TcpListener,
    tls: RustlsConfig,
    address: SocketAddr,
}

impl AgentListener {
    pub(crate) fn bind(p: &Platform) -> Result<Self, ListenError> {
        let address = p.config.agent_listen;
        let failed = |cause| ListenError::Bind { address, cause };
        let tls = p.fleet.authority.server_config(&p.config.agent_hosts, p.now())?;
        let socket = std::net::TcpListener::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, tls: RustlsConfig::from_config(Arc::new(tls)), address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the handle shuts it down.
    pub(crate) async fn serve(self, p: Platform, handle: Handle<SocketAddr>) -> std::io::Result<()> {
        let service = router(p).into_make_service();
        axum_server::from_tcp_rustls(self.socket, self.tls)?
            .map(|acceptor| acceptor.handshake_timeout(Duration::from_secs(10)))
            .handle(handle)
            .serve(service)
            .await
    }
}

fn router(p: Platform) -> Router {
    Router::new()
        .route(CA_PATH, get(certificate))
        .route(ENROLL_PATH, post(enroll::enroll))
        .route(&format!("{BLOB_PATH}/{{sha256}}"), get(blobs::download))
        .route(CONNECT_PATH, get(session::connect))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(p)
}

async fn certificate(State(p): State<Platform>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], p.fleet.authority_certificate_pem().to_owned())
}
