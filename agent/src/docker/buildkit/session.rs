//! The connection over which BuildKit asks for what only we have: the build's secrets.

use std::{collections::BTreeMap, io, path::Path};

use bollard::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};
use bollard::moby::{
    buildkit::secrets::v1::{
        GetSecretRequest, GetSecretResponse,
        secrets_server::{Secrets, SecretsServer},
    },
    filesync::v1::{
        CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
        GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
        auth_server::{Auth, AuthServer},
    },
};
use slipway_model::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
};
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;

/// The methods that BuildKit may call.
const METHODS: [&str; 7] = [
    "/grpc.health.v1.Health/Check",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/grpc.health.v1.Health/Watch",
];

const MAX_ANSWER_BYTES: usize = 4096;

/// A session, which ends when it is dropped.
pub struct Session {
    id: String,
    server: JoinHandle<()>,
}

impl Session {
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// # Errors
/// The engine cannot be reached or does not know sessions.
pub async fn open(socket: &Path, id: Uuid, secrets: BTreeMap<String, Secret>) -> io::Result<Session> {
    let id = id.simple().to_string();
    let mut stream = UnixStream::connect(socket).await?;
    let mut request = format!(
        "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\nX-Docker-Expose-Session-Uuid: {id}\r\n"
    );
    for method in METHODS {
        request += &format!("X-Docker-Expose-Session-Grpc-Method: {method}\r\n");
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    let answer = read_head(&mut stream).await?;
    if !answer.starts_with("HTTP/1.1 101 ") {
        let status = answer.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("the engine does not open a build session: {status}")));
    }
    // From here on the engine is the client, and speaks HTTP/2.
    let server = tokio::spawn(async move {
        let incoming = tokio_stream::once(Ok::<_, io::Error>(stream));
        let served = Server::builder()
            .add_service(HealthServer::new(Healthy))
            .add_service(SecretsServer::new(BuildSecrets(secrets)))
            .add_service(AuthServer::new(Anonymous))
            .serve_with_incoming(incoming)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "build session ended");
        }
    });
    Ok(Session { id, server })
}

/// Reads up to the empty line and not a byte further: what follows is another protocol.
async fn read_head(stream: &mut UnixStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_ANSWER_BYTES {
            return Err(io::Error::other("the engine's answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

struct BuildSecrets(BTreeMap<String, Secret>);

#[tonic::async_trait]
impl Secrets for BuildSecrets {
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        match self.0.get(&request.get_ref().id) {
            Some(secret) => Ok(Response::new(GetSecretResponse { data: secret.expose().as_bytes().to_vec() })),
            None => Err(Status::not_found("there is no such build variable")),
        }
    }
}

/// Registries are asked without credentials.
struct Anonymous;

#[tonic::async_trait]
impl Auth for Anonymous {
    async fn credentials(&self, _: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        Ok(Response::new(CredentialsResponse::default()))
    }

    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unavailable("client-side authentication is off"))
    }

    async fn get_token_authority(&self, _: Request<GetTokenAuthorityRequest>) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("client-side authentication is off"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("client-side authentication is off"))
    }
}

/// BuildKit asks now and then whether the session lives.
struct Healthy;

#[tonic::async_trait]
impl Health for Healthy {
    type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("not offered"))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }
}
