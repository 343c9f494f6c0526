//! The states of everything that has states, and which follows which.
//!
//! A transition table is one `match` over the state it leaves, without a catch-all arm: a new state has to be thought about.

use serde::{Deserialize, Serialize};

/// The text is none of the enum's members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
pub struct ParseStateError {
    pub kind: &'static str,
    pub text: String,
}

/// Gives an enum its text, as it stands in the database and in messages.
macro_rules! text_enum {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::state::ParseStateError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::state::ParseStateError { kind: stringify!($name), text: text.to_owned() }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::state::ParseStateError;

            fn try_from(text: String) -> Result<Self, $crate::state::ParseStateError> {
                text.parse()
            }
        }
    };
}
pub(crate) use text_enum;

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($(#[$variant_doc])* $variant),+ }
            text_enum!($name { $($variant = $text),+ });
        )+
    };
}

states! {
    AuditOutcome {
        /// It was done.
        Allowed = "allowed",
        /// The one who asked may not.
        Denied = "denied",
        /// It was refused for what was asked, or went wrong.
        Failed = "failed",
    }

    ApplicationStatus {
        /// Never deployed.
        Created = "created",
        /// The first deployment is under way.
        Deploying = "deploying",
        Running = "running",
        /// Fewer healthy instances than desired.
        Degraded = "degraded",
        Stopped = "stopped",
        /// Restarted too often, or its first deployment failed.
        Crashed = "crashed",
        Suspended = "suspended",
        Deleting = "deleting",
    }

    DeploymentStatus {
        Queued = "queued",
        /// Being placed on nodes.
        Scheduling = "scheduling",
        Building = "building",
        /// Instances are being created and started.
        Starting = "starting",
        HealthChecking = "health_checking",
        /// The route is being switched and confirmed.
        Swapping = "swapping",
        Live = "live",
        Failed = "failed",
        Canceled = "canceled",
        /// A newer release is live.
        Superseded = "superseded",
    }

    DeploymentTrigger {
        Manual = "manual",
        Api = "api",
        GitPush = "git_push",
        Rollback = "rollback",
        EnvChange = "env_change",
        Redeploy = "redeploy",
    }

    StepKind {
        Schedule = "schedule",
        FetchSource = "fetch_source",
        Detect = "detect",
        Build = "build",
        /// The `release` process, in the new image, before any instance starts.
        Release = "release",
        CreateContainer = "create_container",
        HealthCheck = "health_check",
        SwapRoute = "swap_route",
        DrainOld = "drain_old",
    }

    StepStatus {
        Pending = "pending",
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Skipped = "skipped",
        Canceled = "canceled",
    }

    InstanceStatus {
        /// Desired; the node has not said anything of it yet.
        Created = "created",
        Starting = "starting",
        Healthy = "healthy",
        Unhealthy = "unhealthy",
        Restarting = "restarting",
        Stopping = "stopping",
        /// Stopped because that was wanted.
        Stopped = "stopped",
        /// Ended by itself, or never became healthy, and will not be restarted.
        Exited = "exited",
        /// Its node is gone.
        Lost = "lost",
    }

    NodeStatus {
        /// Enrolled, never connected.
        Pending = "pending",
        Online = "online",
        /// At 90 % of its capacity, or its Docker engine does not answer: avoided by placement.
        Degraded = "degraded",
        /// No heartbeat for 90 s.
        Offline = "offline",
        /// Its identity was revoked.
        Revoked = "revoked",
    }

    OperationKind {
        Deploy = "deploy",
        Restart = "restart",
        Stop = "stop",
        Start = "start",
        Scale = "scale",
        Delete = "delete",
    }

    OperationStatus {
        Queued = "queued",
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
    }

    /// What an agent is asked to do once.
    TaskKind {
        Plan = "plan",
        Build = "build",
        /// Fetching a ready image.
        Pull = "pull",
        /// Running a command once, such as a release process.
        Run = "run",
    }

    /// A unit of work on a node's agent.
    TaskStatus {
        /// Recorded; not yet acknowledged by the agent.
        Queued = "queued",
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
    }

    LogStream {
        Stdout = "stdout",
        Stderr = "stderr",
        Build = "build",
        System = "system",
    }

    /// How bad a line of a log is, from the least to the most.
    LogSeverity {
        Debug = "debug",
        Info = "info",
        Warn = "warn",
        Error = "error",
    }

    /// Whether an instance that ends by itself is started again: at most three times in five minutes in either case (R12).
    #[derive(Default)]
    RestartPolicy {
        #[default]
        Always = "always",
        /// Not where it ended with code 0.
        OnFailure = "on_failure",
        Never = "never",
    }

    VariableScope {
        Build = "build",
        Runtime = "runtime",
        Both = "both",
    }

    ProcessKind {
        Web = "web",
        Worker = "worker",
        Release = "release",
        Cron = "cron",
    }

    PluginKind {
        Runtime = "runtime",
        Billing = "billing",
        Ingress = "ingress",
    }

    PluginStatus {
        Enabled = "enabled",
        Disabled = "disabled",
        /// Could not be loaded: wrong ABI, unreadable library, bad manifest.
        Incompatible = "incompatible",
        /// Three strikes.
        Quarantined = "quarantined",
    }

    LedgerEntryKind {
        /// An instance of an application ran.
        UsageInstance = "usage_instance",
        /// A managed database ran.
        UsageDatabase = "usage_database",
        /// Usage was charged that turned out not to have been.
        Refund = "refund",
        TopUp = "top_up",
        Adjustment = "adjustment",
    }

    /// What a ledger entry takes from, and gives to.
    LedgerAccount {
        /// What the platform owes an organization.
        Wallet = "wallet",
        /// What organizations were charged.
        Revenue = "revenue",
        /// What organizations paid.
        Payments = "payments",
        /// What an administrator gave or took.
        Adjustments = "adjustments",
        /// Usage that nobody is charged for, while billing is off.
        Waived = "waived",
    }

    /// What is metered.
    UsageKind {
        Instance = "instance",
        Database = "database",
    }

    BillingStatus {
        Active = "active",
        /// It covers little more: its people are warned.
        LowBalance = "low_balance",
        /// It covers nothing more; what runs goes on until the grace ends.
        Grace = "grace",
        /// What ran is suspended, until the account is topped up.
        Suspended = "suspended",
    }

    InvoiceStatus {
        /// Not issued yet: it may change.
        Draft = "draft",
        /// Issued, and not covered by the wallet.
        Open = "open",
        Paid = "paid",
        /// Taken back. Its number stays its own.
        Void = "void",
    }

    SuspensionReason {
        InsufficientBalance = "insufficient_balance",
        Abuse = "abuse",
        /// As an administrator decided.
        Admin = "admin",
    }
}

impl UsageKind {
    #[must_use]
    pub const fn entry(self) -> LedgerEntryKind {
        match self {
            Self::Instance => LedgerEntryKind::UsageInstance,
            Self::Database => LedgerEntryKind::UsageDatabase,
        }
    }
}

impl RestartPolicy {
    /// Whether one that ended with this code is started again.
    #[must_use]
    pub const fn restarts(self, exit_code: i64) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit_code != 0,
            Self::Never => false,
        }
    }
}

impl DeploymentStatus {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Live | Self::Failed | Self::Canceled | Self::Superseded => true,
            Self::Queued | Self::Scheduling | Self::Building | Self::Starting | Self::HealthChecking | Self::Swapping => false,
        }
    }

    /// Whether `next` may follow. From every unfinished state a deployment may fail or be canceled, save that a switch
    /// once begun is not canceled: it ends live or failed.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use DeploymentStatus as S;
        let onward: &[S] = match self {
            S::Queued => &[S::Scheduling, S::Superseded, S::Failed, S::Canceled],
            S::Scheduling => &[S::Building, S::Starting, S::Failed, S::Canceled],
            S::Building => &[S::Starting, S::Failed, S::Canceled],
            S::Starting => &[S::HealthChecking, S::Failed, S::Canceled],
            S::HealthChecking => &[S::Swapping, S::Failed, S::Canceled],
            S::Swapping => &[S::Live, S::Failed],
            S::Live => &[S::Superseded],
            S::Failed | S::Canceled | S::Superseded => &[],
        };
        onward.contains(&next)
    }
}

impl OperationStatus {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Canceled => true,
            Self::Queued | Self::Running => false,
        }
    }
}

impl TaskStatus {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Canceled => true,
            Self::Queued | Self::Running => false,
        }
    }
}

impl InstanceStatus {
    /// Whether a container of this instance may exist and be billed for.
    #[must_use]
    pub const fn is_running(self) -> bool {
        match self {
            Self::Starting | Self::Healthy | Self::Unhealthy | Self::Restarting | Self::Stopping => true,
            Self::Created | Self::Stopped | Self::Exited | Self::Lost => false,
        }
    }

    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Stopped | Self::Exited | Self::Lost => true,
            Self::Created | Self::Starting | Self::Healthy | Self::Unhealthy | Self::Restarting | Self::Stopping => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_deployment_never_runs_again() {
        for from in DeploymentStatus::ALL.iter().filter(|s| s.is_terminal()) {
            for to in DeploymentStatus::ALL.iter().filter(|s| !s.is_terminal()) {
                assert!(!from.may_become(*to), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn every_unfinished_deployment_can_fail() {
        for from in DeploymentStatus::ALL.iter().filter(|s| !s.is_terminal()) {
            assert!(from.may_become(DeploymentStatus::Failed), "{from}");
        }
    }

    #[test]
    fn a_state_survives_text() {
        for status in InstanceStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert!("nonsense".parse::<InstanceStatus>().is_err());
    }
}
