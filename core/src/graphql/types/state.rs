//! The states of things, as the API names them: one enum each, member for member those of the model.

use async_graphql::Enum;

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $remote:literal { $($(#[$variant_doc:meta])* $variant:ident,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
            #[graphql(remote = $remote)]
            pub enum $name { $($(#[$variant_doc])* $variant),+ }
        )+
    };
}

states! {
    /// What an application is doing.
    ApplicationStatus = "slipway_model::state::ApplicationStatus" {
        /// Never deployed.
        Created,
        /// Its first deployment is under way.
        Deploying,
        /// All wanted instances are healthy.
        Running,
        /// Fewer healthy instances than wanted.
        Degraded,
        /// Stopped because that was asked for.
        Stopped,
        /// Restarted too often, or its first deployment failed.
        Crashed,
        /// Held back by the platform.
        Suspended,
        /// On its way out.
        Deleting,
    }
    /// How far a deployment is.
    DeploymentStatus = "slipway_model::state::DeploymentStatus" {
        /// Recorded; not yet begun.
        Queued,
        /// A node is being chosen.
        Scheduling,
        /// The source is being fetched, understood and built.
        Building,
        /// Instances are being created and started.
        Starting,
        /// Instances are being probed.
        HealthChecking,
        /// Visitors are being sent to the new instances.
        Swapping,
        /// It serves.
        Live,
        /// It did not become live; what was live before still is.
        Failed,
        /// It was called off.
        Canceled,
        /// A later one is live.
        Superseded,
    }
    /// What set a deployment off.
    DeploymentTrigger = "slipway_model::state::DeploymentTrigger" {
        /// A person.
        Manual,
        /// A program, with an API token.
        Api,
        /// A push to the repository.
        GitPush,
        /// The return to an earlier release.
        Rollback,
        /// Changed variables.
        EnvChange,
        /// The same source once more.
        Redeploy,
    }
    /// A step of a deployment.
    StepKind = "slipway_model::state::StepKind" {
        /// Choosing a node.
        Schedule,
        /// Fetching the source onto the node.
        FetchSource,
        /// Working out how to build it.
        Detect,
        /// Building the image.
        Build,
        /// Running the release process in the new image.
        Release,
        /// Creating and starting the instances.
        CreateContainer,
        /// Probing the instances.
        HealthCheck,
        /// Sending visitors to the new instances.
        SwapRoute,
        /// Letting the old instances finish.
        DrainOld,
    }
    /// How far a step is.
    StepStatus = "slipway_model::state::StepStatus" {
        /// Not yet begun.
        Pending,
        /// Under way.
        Running,
        /// Done.
        Succeeded,
        /// It ended the deployment.
        Failed,
        /// Not needed this time.
        Skipped,
        /// Called off.
        Canceled,
    }
    /// What an instance is doing.
    InstanceStatus = "slipway_model::state::InstanceStatus" {
        /// Wanted; its node has not said anything of it yet.
        Created,
        /// Its container is coming up.
        Starting,
        /// It answers its probe.
        Healthy,
        /// It does not answer its probe.
        Unhealthy,
        /// It ended and is being started again.
        Restarting,
        /// It is finishing.
        Stopping,
        /// It stopped because that was wanted.
        Stopped,
        /// It ended by itself, or never became healthy.
        Exited,
        /// Its node is gone.
        Lost,
    }
    /// What is known of a worker node.
    NodeStatus = "slipway_model::state::NodeStatus" {
        /// Enrolled, never connected.
        Pending,
        /// Connected and well.
        Online,
        /// At 90 % of its capacity, or its container engine does not answer.
        Degraded,
        /// No heartbeat for 90 seconds.
        Offline,
        /// Its identity was revoked.
        Revoked,
    }
    /// What an operation does.
    OperationKind = "slipway_model::state::OperationKind" {
        /// Brings a deployment live.
        Deploy,
        /// Replaces all instances of an application.
        Restart,
        /// Stops an application.
        Stop,
        /// Starts a stopped application.
        Start,
        /// Changes the number of instances.
        Scale,
        /// Deletes an application with all that belongs to it.
        Delete,
    }
    /// How far an operation is.
    OperationStatus = "slipway_model::state::OperationStatus" {
        /// Recorded; not yet begun.
        Queued,
        /// Under way.
        Running,
        /// Done.
        Succeeded,
        /// It could not be done.
        Failed,
        /// It was called off.
        Canceled,
    }
    /// What a ledger entry is for.
    LedgerEntryKind = "slipway_model::state::LedgerEntryKind" {
        /// An instance of an application ran.
        UsageInstance,
        /// A managed database ran.
        UsageDatabase,
        /// Usage was charged that turned out not to have been.
        Refund,
        /// A payment.
        TopUp,
        /// What an administrator of the platform gave or took.
        Adjustment,
    }
    /// What a ledger entry takes from, and gives to.
    LedgerAccount = "slipway_model::state::LedgerAccount" {
        /// What the platform owes an organization.
        Wallet,
        /// What organizations were charged.
        Revenue,
        /// What organizations paid.
        Payments,
        /// What administrators gave and took.
        Adjustments,
        /// Usage that nobody was charged for, while billing was off.
        Waived,
    }
    /// How an account stands.
    BillingAccountStatus = "slipway_model::state::BillingStatus" {
        /// It covers what runs.
        Active,
        /// It covers little more.
        LowBalance,
        /// It covers nothing more; what runs goes on until the grace ends.
        Grace,
        /// It covers nothing more, and what ran is suspended.
        Suspended,
    }
    /// How far an invoice is.
    InvoiceStatus = "slipway_model::state::InvoiceStatus" {
        /// Not issued yet.
        Draft,
        /// Issued, and not covered by the wallet.
        Open,
        /// Issued, and covered.
        Paid,
        /// Issued, and taken back.
        Void,
    }
    /// Why an application is suspended.
    SuspensionReason = "slipway_model::state::SuspensionReason" {
        /// Its organization's balance is exhausted.
        InsufficientBalance,
        /// It was abused, or abused others.
        Abuse,
        /// An administrator of the platform decided so.
        Admin,
    }
    /// Where a line of a log came from.
    LogStream = "slipway_model::state::LogStream" {
        /// Standard output of an instance.
        Stdout,
        /// Standard error of an instance.
        Stderr,
        /// A build.
        Build,
        /// Slipway itself.
        System,
    }
    /// How bad a line of a log is, from the least to the most.
    LogSeverity = "slipway_model::state::LogSeverity" {
        /// For who looks closely: `trace` and `verbose` too.
        Debug,
        /// What happened: `notice` too.
        Info,
        /// What may become trouble.
        Warn,
        /// What went wrong: `fatal`, `critical` and `panic` too.
        Error,
    }
    /// Whether an instance that ends by itself is started again, at most three times in five minutes.
    RestartPolicy = "slipway_model::state::RestartPolicy" {
        /// However it ended.
        Always,
        /// Unless it ended with code 0.
        OnFailure,
        /// Not at all.
        Never,
    }
    /// Where a variable is seen.
    VariableScope = "slipway_model::state::VariableScope" {
        /// While building alone.
        Build,
        /// While running alone.
        Runtime,
        /// While building and while running.
        Both,
    }
    /// What a plugin is for.
    PluginCapability = "slipway_model::state::PluginKind" {
        /// Brings a runtime.
        Runtime,
        /// Says what usage costs.
        Billing,
        /// Routes visitors.
        Ingress,
    }
    /// Whether a plugin is at work.
    PluginStatus = "slipway_model::state::PluginStatus" {
        /// At work.
        Enabled,
        /// Switched off.
        Disabled,
        /// It could not be loaded.
        Incompatible,
        /// It failed three times and was put aside.
        Quarantined,
    }
}
