//! One HTTP/1.1 connection to the engine's Unix socket, closed when it is dropped.

use std::{io, path::Path};

use http::Response;
use hyper::{Request, body::Body, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, task::JoinHandle};

pub struct Connection<B> {
    sender: http1::SendRequest<B>,
    driver: JoinHandle<()>,
}

pub async fn open<B>(socket: &Path) -> io::Result<Connection<B>>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = UnixStream::connect(socket).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the Docker engine ended");
        }
    });
    Ok(Connection { sender, driver })
}

impl<B: Body + 'static> Connection<B> {
    pub async fn send(&mut self, request: Request<B>) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        // Closes the socket, which is how the engine learns that nobody wants the answer any more.
        self.driver.abort();
    }
}

/// An error of HTTP with its cause, which says what really went wrong: the context that could not be read, for example.
pub fn reason(error: &hyper::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
