//! The questions that each kind of plugin answers, typed.
//!
//! Every one of them may come to a [`CallError`]: [`CallError::Refused`] is the plugin's own answer for a person, the others are
//! about the plugin.

use serde_json::Value;
use slipway_plugin_abi::{
    manifest::Kind,
    messages::{
        BillingReply, BillingRequest, Charge, IngressReply, IngressRequest, LaunchRequest, LaunchSettings, RateRequest, RenderedRoutes,
        Reply, Request, Resolution, ResolveRequest, RouteTable, RuntimeDescription, RuntimeReply, RuntimeRequest,
    },
};

use crate::{CallError, Plugin, reply};

impl Plugin {
    /// Hands over an administrator's settings: checked against the manifest's schema first, and given to disabled plugins too,
    /// so that one can be set up before it is switched on. The settings are not kept here; after a restart they are to be
    /// handed over again, before any other call.
    ///
    /// # Errors
    /// [`CallError::Settings`] with every problem that the schema finds.
    pub async fn configure(&self, settings: Value) -> Result<(), CallError> {
        let problems = self.settings.problems(&settings);
        if !problems.is_empty() {
            return Err(CallError::Settings { plugin: self.id().to_owned(), problems });
        }
        let mut description = self.description.lock().await;
        self.admit_unless_quarantined()?;
        *description = None;
        let request = Request::Configure(settings);
        self.ask(request.clone(), |answer| match answer {
            Reply::Configured => Ok(()),
            other => reply::unexpected(&other),
        })
        .await?;
        self.keep_settings(&request);
        Ok(())
    }

    /// As [`Plugin::runtime_describe`], of a plugin that is not enabled too.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn describe_anyway(&self) -> Result<RuntimeDescription, CallError> {
        self.admit_unless_quarantined()?;
        self.ask(Request::Runtime(RuntimeRequest::Describe), |answer| match answer {
            Reply::Runtime(RuntimeReply::Describe(description)) => reply::check_description(description),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// Asks something harmless of its kind, enabled or not: whether it is what its manifest says.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn probe(&self) -> Result<(), CallError> {
        self.admit_unless_quarantined()?;
        match self.kind() {
            Kind::Runtime => self.describe_anyway().await.map(drop),
            Kind::Billing => {
                let nothing = RateRequest { currency: "EUR".to_owned(), usage: Vec::new() };
                let read = |answer| match answer {
                    Reply::Billing(BillingReply::Rate(charges)) => reply::check_charges(&[], charges).map(drop),
                    other => reply::unexpected(&other),
                };
                self.ask(Request::Billing(BillingRequest::Rate(nothing)), read).await
            }
            Kind::Ingress => {
                let read = |answer| match answer {
                    Reply::Ingress(IngressReply::Render(routes)) => reply::check_routes(&[], routes).map(drop),
                    other => reply::unexpected(&other),
                };
                self.ask(Request::Ingress(IngressRequest::Render(RouteTable::default())), read).await
            }
        }
    }

    /// What this runtime brings. Asked once and kept until the plugin is configured again.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn runtime_describe(&self) -> Result<RuntimeDescription, CallError> {
        let mut kept = self.description.lock().await;
        self.admit(Kind::Runtime)?;
        if let Some(description) = &*kept {
            return Ok(description.clone());
        }
        let description = self
            .ask(Request::Runtime(RuntimeRequest::Describe), |answer| match answer {
                Reply::Runtime(RuntimeReply::Describe(description)) => reply::check_description(description),
                other => reply::unexpected(&other),
            })
            .await?;
        *kept = Some(description.clone());
        Ok(description)
    }

    /// Which version and images satisfy a tool's constraint.
    ///
    /// # Errors
    /// See [`CallError`]; a constraint that nothing satisfies is [`CallError::Refused`].
    pub async fn runtime_resolve(&self, request: ResolveRequest) -> Result<Resolution, CallError> {
        self.admit(Kind::Runtime)?;
        self.ask(Request::Runtime(RuntimeRequest::Resolve(request)), |answer| match answer {
            Reply::Runtime(RuntimeReply::Resolve(resolution)) => reply::check_resolution(resolution),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// Which environment variables suit an instance of this size.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn runtime_launch(&self, request: LaunchRequest) -> Result<LaunchSettings, CallError> {
        self.admit(Kind::Runtime)?;
        self.ask(Request::Runtime(RuntimeRequest::Launch(request)), |answer| match answer {
            Reply::Runtime(RuntimeReply::Launch(settings)) => reply::check_launch(settings),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// What periods of use cost: one charge per period, in the same order.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn billing_rate(&self, request: RateRequest) -> Result<Vec<Charge>, CallError> {
        self.admit(Kind::Billing)?;
        let keys: Vec<String> = request.usage.iter().map(|period| period.key.clone()).collect();
        self.ask(Request::Billing(BillingRequest::Rate(request)), |answer| match answer {
            Reply::Billing(BillingReply::Rate(charges)) => reply::check_charges(&keys, charges),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// The proxy's files for a node's routes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn ingress_render(&self, table: RouteTable) -> Result<RenderedRoutes, CallError> {
        self.admit(Kind::Ingress)?;
        let asked: Vec<(String, String)> =
            table.applications.iter().map(|route| (route.application.clone(), route.revision.clone())).collect();
        self.ask(Request::Ingress(IngressRequest::Render(table)), |answer| match answer {
            Reply::Ingress(IngressReply::Render(routes)) => reply::check_routes(&asked, routes),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// What speaks against serving this host name, as a sentence for the customer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn ingress_check_domain(&self, hostname: &str) -> Result<Option<String>, CallError> {
        self.admit(Kind::Ingress)?;
        self.ask(Request::Ingress(IngressRequest::CheckDomain { hostname: hostname.to_owned() }), |answer| match answer {
            Reply::Ingress(IngressReply::CheckDomain { problem }) => Ok(problem),
            other => reply::unexpected(&other),
        })
        .await
    }
}
