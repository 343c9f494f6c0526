//! From a decoded request to the method of the trait that answers it. Safe code; what `export_plugin!` expands to calls it.

use slipway_plugin_abi::messages::{
    BillingReply, BillingRequest, IngressReply, IngressRequest, PluginError, Reply, Request, RuntimeReply, RuntimeRequest,
};

use crate::{BillingPlugin, IngressPlugin, RuntimePlugin};

/// Why there is no reply.
#[derive(Debug)]
pub enum Failure {
    Refused(PluginError),
    NotUnderstood(String),
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::Refused(error)
    }
}

/// A plugin as the boundary sees it.
pub trait Exported {
    /// # Errors
    /// The plugin's own refusal, or a request for another kind of plugin.
    fn answer(request: Request) -> Result<Reply, Failure>;
}

/// # Errors
/// See [`Exported::answer`].
pub fn runtime<P: RuntimePlugin>(plugin: &P, request: Request) -> Result<Reply, Failure> {
    let reply = match request {
        Request::Configure(settings) => return Ok(plugin.configure(settings).map(|()| Reply::Configured)?),
        Request::Runtime(RuntimeRequest::Describe) => RuntimeReply::Describe(plugin.describe()?),
        Request::Runtime(RuntimeRequest::Resolve(request)) => RuntimeReply::Resolve(plugin.resolve(request)?),
        Request::Runtime(RuntimeRequest::Launch(request)) => RuntimeReply::Launch(plugin.launch(request)?),
        Request::Billing(_) | Request::Ingress(_) => return Err(wrong_kind("runtime")),
    };
    Ok(Reply::Runtime(reply))
}

/// # Errors
/// See [`Exported::answer`].
pub fn billing<P: BillingPlugin>(plugin: &P, request: Request) -> Result<Reply, Failure> {
    let reply = match request {
        Request::Configure(settings) => return Ok(plugin.configure(settings).map(|()| Reply::Configured)?),
        Request::Billing(BillingRequest::Rate(request)) => BillingReply::Rate(plugin.rate(request)?),
        Request::Billing(BillingRequest::Quote(request)) => BillingReply::Quote(plugin.quote(request)?),
        Request::Billing(BillingRequest::Standing(request)) => BillingReply::Standing(plugin.standing(request)?),
        Request::Billing(BillingRequest::Invoice(request)) => BillingReply::Invoice(plugin.invoice(request)?),
        Request::Runtime(_) | Request::Ingress(_) => return Err(wrong_kind("billing")),
    };
    Ok(Reply::Billing(reply))
}

/// # Errors
/// See [`Exported::answer`].
pub fn ingress<P: IngressPlugin>(plugin: &P, request: Request) -> Result<Reply, Failure> {
    let reply = match request {
        Request::Configure(settings) => return Ok(plugin.configure(settings).map(|()| Reply::Configured)?),
        Request::Ingress(IngressRequest::Render(table)) => IngressReply::Render(plugin.render(table)?),
        Request::Ingress(IngressRequest::CheckDomain { hostname }) => {
            IngressReply::CheckDomain { problem: plugin.check_domain(&hostname)? }
        }
        Request::Runtime(_) | Request::Billing(_) => return Err(wrong_kind("ingress")),
    };
    Ok(Reply::Ingress(reply))
}

fn wrong_kind(kind: &str) -> Failure {
    Failure::NotUnderstood(format!("this is a plugin of kind {kind}, asked a question of another kind"))
}
