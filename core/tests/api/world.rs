//! One control plane with an administrator, and two customers who know nothing of each other.

use std::{sync::Arc, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use slipway_core::{Config, Core, Platform, Setting, crash::CrashPoints, seed, start_in};
use slipway_model::{ApiTokenId, Clock, Currency, ManualClock, MembershipId, OrganizationId, Role, Sha256Digest, UserId, system_clock};
use slipway_store::{api_tokens, memberships, organizations, users};
use slipway_store_testing::TestDatabase;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::built;

pub struct World {
    pub clock: ManualClock,
    pub config: Config,
    pub core: Core,
    pub http: reqwest::Client,
    /// Of the first administrator.
    pub admin: String,
    _database: TestDatabase,
    _directory: TempDir,
}

/// Somebody with an organization of their own.
pub struct Customer {
    pub token: String,
    pub user: UserId,
    pub organization: OrganizationId,
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// On PostgreSQL, where the second lock is shut too.
    pub async fn on_postgres() -> Self {
        let postgres = TestDatabase::postgres().await;
        let url = postgres.url.clone();
        let mut world = Self::with(|config| config.database_url = url).await;
        world._database = postgres;
        world
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        // The client's TLS is never used, but wants a provider to exist.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The whole suite, on the other engine: `SLIPWAY_TEST_ENGINE=postgres`.
        let database = match std::env::var("SLIPWAY_TEST_ENGINE").as_deref() {
            Ok("postgres") => TestDatabase::postgres().await,
            _ => TestDatabase::sqlite().await,
        };
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: directory.path().join("data"),
            listen: "127.0.0.1:0".parse().unwrap(),
            agent_listen: "127.0.0.1:0".parse().unwrap(),
            agent_hosts: vec!["127.0.0.1".into()],
            public_url: "http://slipway.example".parse().unwrap(),
            platform_domain: "apps.example".parse().unwrap(),
            ingress_port: Some(8080),
            currency: Currency::EUR,
            billing: slipway_core::billing::Settings::default(),
            database_url: database.url.clone(),
            plugins_dir: built::plugins(),
            program: built::program(),
            // The clock stands still: what a test asks is all asked in one minute.
            points_per_minute: u32::MAX,
            answer_within: Config::USUAL_ANSWER_WITHIN,
            trusted_proxies: Vec::new(),
            development: false,
        };
        change(&mut config);
        let clock = ManualClock::at(system_clock().now());
        let setting = Setting { clock: Arc::new(clock.clone()), crash: CrashPoints::default() };
        let core = start_in(config.clone(), setting).await.unwrap();
        let admin = std::fs::read_to_string(config.data_dir.join(seed::TOKEN_FILE)).unwrap().trim().to_owned();
        Self { clock, config, core, http: reqwest::Client::new(), admin, _database: database, _directory: directory }
    }

    /// Another process on the same data, as after a crash.
    pub async fn restart(&mut self) {
        let setting = Setting { clock: Arc::new(self.clock.clone()), crash: CrashPoints::default() };
        self.core = start_in(self.config.clone(), setting).await.unwrap();
    }

    /// Another control plane on the same database, with a data directory of its own.
    pub async fn second(&self) -> (Core, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(self.config.data_dir.join("secret.key"), directory.path().join("secret.key")).unwrap();
        let config = Config { data_dir: directory.path().to_owned(), ..self.config.clone() };
        let setting = Setting { clock: Arc::new(self.clock.clone()), crash: CrashPoints::default() };
        (start_in(config, setting).await.unwrap(), directory)
    }

    /// What somebody would have who stole the database.
    pub async fn stored_bytes(&self) -> Vec<u8> {
        match self.config.database_url.strip_prefix("sqlite://") {
            Some(file) => ["", "-wal"].iter().flat_map(|suffix| std::fs::read(format!("{file}{suffix}")).unwrap_or_default()).collect(),
            None => crate::dump::of(&self.platform().db).await.into_values().collect::<Vec<_>>().join("\n").into_bytes(),
        }
    }

    pub fn platform(&self) -> &Platform {
        self.core.platform()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.core.address())
    }

    pub async fn customer(&self, name: &str, role: Role) -> Customer {
        let (platform, now) = (self.platform(), self.clock.now());
        let token = format!("slip_{name}");
        let user = users::User {
            id: UserId::new(&self.clock),
            email: format!("{name}@example.org"),
            name: Some(name.to_owned()),
            password_hash: None,
            platform_admin: false,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        let organization = organizations::Organization {
            id: OrganizationId::new(&self.clock),
            slug: name.parse().unwrap(),
            name: name.parse().unwrap(),
            created_at: now,
        };
        let membership = memberships::Membership {
            id: MembershipId::new(&self.clock),
            organization_id: organization.id,
            user_id: user.id,
            role,
            created_at: now,
        };
        let api_token = api_tokens::ApiToken {
            id: ApiTokenId::new(&self.clock),
            user_id: user.id,
            organization_id: None,
            application_id: None,
            permissions: None,
            name: name.to_owned(),
            prefix: "slip_".to_owned(),
            expires_at: None,
            last_used_at: None,
            created_at: now,
            revoked_at: None,
        };
        let mut tx = platform.db.begin().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        organizations::insert(&mut tx, &organization).await.unwrap();
        memberships::insert(&mut tx, &membership).await.unwrap();
        api_tokens::insert(&mut tx, &api_token, Sha256Digest::of(token.as_bytes())).await.unwrap();
        tx.commit().await.unwrap();
        Customer { token, user: user.id, organization: organization.id }
    }

    /// The whole answer to a request of somebody, or of nobody.
    pub async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let request = self.http.post(self.url("/graphql")).json(&json!({"query": query, "variables": variables}));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The data of an answer that must have no errors.
    pub async fn data(&self, token: &str, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(Some(token), query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// The payload of a mutation, whatever it says.
    pub async fn mutate(&self, token: &str, field: &str, input: Value, selection: &str) -> Value {
        let input_type = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let selection = format!("{selection} errors {{ __typename code message path }}");
        let query = format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} }} }}");
        let mut answer = self.ask(Some(token), &query, json!({"input": input})).await;
        assert_eq!(answer.get("errors"), None, "{field}");
        answer["data"][field].take()
    }

    /// The codes and paths of a mutation's refusals, such as `INVALID slug`.
    pub async fn refusals(&self, token: &str, field: &str, input: Value) -> Vec<String> {
        let payload = self.mutate(token, field, input, "").await;
        let text = |error: &Value| {
            let path: Vec<&str> = error["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{} {}", error["code"].as_str().unwrap(), path.join(".")).trim().to_owned()
        };
        payload["errors"].as_array().unwrap().iter().map(text).collect()
    }

    pub async fn plan(&self, slug: &str) -> Value {
        self.data(&self.admin, "query($slug: String!) { plan(slug: $slug) { id } }", json!({"slug": slug})).await["plan"]["id"].take()
    }

    pub async fn region(&self) -> Value {
        self.data(&self.admin, "{ region(slug: \"local\") { id } }", json!({})).await["region"]["id"].take()
    }

    /// A valid input of `applicationCreate`.
    pub async fn new_application(&self, customer: &Customer, name: &str) -> Value {
        json!({
            "organizationId": customer.organization.to_string(),
            "name": name,
            "planId": self.plan("small").await,
            "regionId": self.region().await,
        })
    }

    pub async fn application(&self, customer: &Customer, name: &str) -> String {
        let input = self.new_application(customer, name).await;
        let payload = self.mutate(&customer.token, "applicationCreate", input, "application { id }").await;
        payload["application"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    pub async fn socket(&self, path: &str) -> Socket {
        self.socket_of(path, None, Some("graphql-transport-ws")).await.unwrap()
    }

    pub async fn socket_of(&self, path: &str, origin: Option<&str>, protocol: Option<&str>) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.core.address()).into_client_request().unwrap();
        for (name, value) in [("origin", origin), ("sec-websocket-protocol", protocol)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket on which somebody has signed in.
    pub async fn open(&self, token: &str) -> Socket {
        let mut socket = self.socket("/graphql/ws").await;
        send(&mut socket, json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}})).await;
        assert_eq!(receive(&mut socket).await, json!({"type": "connection_ack"}));
        socket
    }
}

pub async fn send(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message; `{"closed": code}` when the socket is closed.
pub async fn receive(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("no message within 10 s");
        match next {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Close(Some(frame)))) => return json!({"closed": u16::from(frame.code)}),
            Some(Ok(Message::Close(None)) | Err(_)) | None => return json!({"closed": null}),
            Some(Ok(_)) => {}
        }
    }
}
