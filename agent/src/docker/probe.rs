//! Whether a process answers, asked from the host at the address that the ingress uses.

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::engine::ProbeTarget;

/// `Err` says what came instead of an answer.
pub async fn probe(http: &reqwest::Client, target: &ProbeTarget) -> Result<(), String> {
    let Some(path) = &target.path else {
        return match timeout(target.timeout, TcpStream::connect(target.address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("port {}: {error}", target.address.port())),
            Err(_) => Err(format!("port {} did not accept within {} s", target.address.port(), target.timeout.as_secs())),
        };
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let response = http.get(format!("http://{}{slash}{path}", target.address)).timeout(target.timeout).send().await;
    match response {
        Ok(response) if response.status().as_u16() < 500 => Ok(()),
        Ok(response) => Err(format!("GET {path} answered {}", response.status())),
        Err(error) if error.is_timeout() => Err(format!("GET {path} did not answer within {} s", target.timeout.as_secs())),
        Err(error) if error.is_connect() => Err(format!("port {} does not accept connections", target.address.port())),
        Err(error) => Err(format!("GET {path}: {}", crate::enroll::sources(&error))),
    }
}
