//! Any question, as the message that it is: for who has questions written down, and not in code.

use slipway_plugin_abi::messages::{
    BillingReply, BillingRequest, IngressReply, IngressRequest, Reply, Request, RuntimeReply, RuntimeRequest,
};

use crate::{CallError, Plugin};

impl Plugin {
    /// Asks by the question's own function, with all that is checked there.
    ///
    /// # Errors
    /// Those of the question's own function.
    pub async fn answer(&self, request: Request) -> Result<Reply, CallError> {
        Ok(match request {
            Request::Configure(settings) => {
                self.configure(settings).await?;
                Reply::Configured
            }
            Request::Runtime(RuntimeRequest::Describe) => Reply::Runtime(RuntimeReply::Describe(self.runtime_describe().await?)),
            Request::Runtime(RuntimeRequest::Resolve(request)) => {
                Reply::Runtime(RuntimeReply::Resolve(self.runtime_resolve(request).await?))
            }
            Request::Runtime(RuntimeRequest::Launch(request)) => Reply::Runtime(RuntimeReply::Launch(self.runtime_launch(request).await?)),
            Request::Billing(BillingRequest::Rate(request)) => Reply::Billing(BillingReply::Rate(self.billing_rate(request).await?)),
            Request::Billing(BillingRequest::Quote(request)) => Reply::Billing(BillingReply::Quote(self.billing_quote(request).await?)),
            Request::Billing(BillingRequest::Standing(request)) => {
                Reply::Billing(BillingReply::Standing(self.billing_standing(request).await?))
            }
            Request::Billing(BillingRequest::Invoice(request)) => {
                Reply::Billing(BillingReply::Invoice(self.billing_invoice(request).await?))
            }
            Request::Ingress(IngressRequest::Render(table)) => Reply::Ingress(IngressReply::Render(self.ingress_render(table).await?)),
            Request::Ingress(IngressRequest::CheckDomain { hostname }) => {
                let problem = self.ingress_check_domain(&hostname).await?;
                Reply::Ingress(IngressReply::CheckDomain { problem })
            }
        })
    }
}
