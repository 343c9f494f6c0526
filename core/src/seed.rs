//! What a fresh platform begins with. Every start runs it again; nothing that an administrator changed is changed back.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use slipway_model::{ApiTokenId, MembershipId, Money, OrganizationId, PlanId, RegionId, Role, Secret, Slug, UserId, Viewer};
use slipway_store::{
    Page,
    api_tokens::{self, ApiToken},
    memberships::{self, Membership},
    organizations::{self, Organization},
    plans::{self, Plan},
    regions::{self, Region},
    runtimes::{self as stored_runtimes, Runtime},
    users::{self, User},
};

use crate::{
    Platform,
    auth::{self, NewToken},
    error::{Error, Result},
    plans::require_admin,
    plugins, runtimes,
};

/// Who runs a fresh platform.
pub const ADMIN_EMAIL: &str = "admin@localhost";
/// In the data directory: an API token of that administrator.
pub const TOKEN_FILE: &str = "admin.token";
/// In the data directory: that administrator's first password.
pub const PASSWORD_FILE: &str = "admin.password";

/// Slug of the region that a new platform begins with.
pub const REGION: &str = "local";

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

struct DefaultPlan {
    slug: &'static str,
    name: &'static str,
    cpu_millis: i64,
    memory_bytes: i64,
    storage_bytes: i64,
    max_instances: i64,
    price_hourly: Money,
    price_monthly: Money,
}

/// The smallest first.
const PLANS: [DefaultPlan; 4] = [
    DefaultPlan {
        slug: "nano",
        name: "Nano",
        cpu_millis: 250,
        memory_bytes: 256 * MIB,
        storage_bytes: GIB,
        max_instances: 2,
        price_hourly: Money::from_nanos(4_000_000),
        price_monthly: Money::from_nanos(2_500_000_000),
    },
    DefaultPlan {
        slug: "small",
        name: "Small",
        cpu_millis: 500,
        memory_bytes: 512 * MIB,
        storage_bytes: 2 * GIB,
        max_instances: 5,
        price_hourly: Money::from_nanos(8_000_000),
        price_monthly: Money::from_nanos(5_000_000_000),
    },
    DefaultPlan {
        slug: "medium",
        name: "Medium",
        cpu_millis: 1_000,
        memory_bytes: GIB,
        storage_bytes: 5 * GIB,
        max_instances: 10,
        price_hourly: Money::from_nanos(16_000_000),
        price_monthly: Money::from_nanos(10_000_000_000),
    },
    DefaultPlan {
        slug: "large",
        name: "Large",
        cpu_millis: 2_000,
        memory_bytes: 4 * GIB,
        storage_bytes: 10 * GIB,
        max_instances: 20,
        price_hourly: Money::from_nanos(48_000_000),
        price_monthly: Money::from_nanos(30_000_000_000),
    },
];

/// Brings the platform to where it can be used: an administrator, an organization, plans, a region, the plugins' runtimes.
///
/// # Errors
/// Those of the database and of the data directory.
pub async fn run(platform: &Platform) -> Result<()> {
    bootstrap(platform).await?;
    defaults(platform).await?;
    plugins::synchronize(platform).await?;
    runtimes::synchronize(platform).await
}

/// The first administrator, made once. The files are written before the transaction that makes them true is committed: a crash between
/// leaves files that open nothing, which the next start replaces, and never an administrator whom nobody can be.
async fn bootstrap(platform: &Platform) -> Result<()> {
    if users::count(&mut platform.db.read().await?).await? > 0 {
        return Ok(());
    }
    let mut random = [0; 18];
    platform.clock.fill(&mut random);
    let password = Secret::new(BASE64URL_NOPAD.encode(&random));
    let password_hash = auth::hash(&*platform.clock, password.clone()).await?;
    let token = NewToken::api(&*platform.clock);
    let now = platform.now();
    let user = User {
        id: UserId::new(&*platform.clock),
        email: ADMIN_EMAIL.to_owned(),
        name: Some("Administrator".to_owned()),
        password_hash: Some(password_hash),
        platform_admin: true,
        disabled_at: None,
        created_at: now,
        updated_at: now,
    };
    let organization = Organization {
        id: OrganizationId::new(&*platform.clock),
        slug: "default".parse().map_err(Error::internal)?,
        name: "Default".parse().map_err(Error::internal)?,
        created_at: now,
    };
    let owner = Membership {
        id: MembershipId::new(&*platform.clock),
        organization_id: organization.id,
        user_id: user.id,
        role: Role::Owner,
        created_at: now,
    };
    let api_token = ApiToken {
        id: ApiTokenId::new(&*platform.clock),
        user_id: user.id,
        organization_id: None,
        application_id: None,
        permissions: None,
        name: "First administrator".to_owned(),
        prefix: token.prefix,
        expires_at: None,
        last_used_at: None,
        created_at: now,
        revoked_at: None,
    };
    let mut tx = platform.db.begin().await?;
    // Another process may have been first.
    if users::count(&mut tx).await? > 0 {
        return Ok(());
    }
    users::insert(&mut tx, &user).await?;
    organizations::insert(&mut tx, &organization).await?;
    memberships::insert(&mut tx, &owner).await?;
    api_tokens::insert(&mut tx, &api_token, token.digest).await?;
    let directory = platform.config.data_dir.clone();
    let secrets = [(directory.join(TOKEN_FILE), token.secret), (directory.join(PASSWORD_FILE), password)];
    tokio::task::spawn_blocking(move || secrets.iter().try_for_each(|(path, secret)| write_private(path, secret)))
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::internal(anyhow::Error::new(error).context("cannot write the administrator's token")))?;
    tx.commit().await?;
    tracing::info!(email = ADMIN_EMAIL, token = %platform.config.data_dir.join(TOKEN_FILE).display(), "made the first administrator");
    Ok(())
}

/// Plans where there are none, a region where there is none.
async fn defaults(platform: &Platform) -> Result<()> {
    let now = platform.now();
    let mut tx = platform.db.begin().await?;
    if plans::list(&mut tx, false, &Page::first(1)).await?.items.is_empty() {
        for plan in default_plans(platform)? {
            plans::insert(&mut tx, &plan).await?;
        }
    }
    if regions::list(&mut tx, false, &Page::first(1)).await?.items.is_empty() {
        let region = Region {
            id: RegionId::new(&*platform.clock),
            slug: known_slug(REGION)?,
            name: "Local".to_owned(),
            country: None,
            active: true,
            created_at: now,
            updated_at: now,
        };
        regions::insert(&mut tx, &region).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The plans that a platform begins with.
fn default_plans(platform: &Platform) -> Result<Vec<Plan>> {
    let now = platform.now();
    let plan = |(order, default): (i64, DefaultPlan)| {
        Ok(Plan {
            id: PlanId::new(&*platform.clock),
            slug: known_slug(default.slug)?,
            name: default.name.to_owned(),
            description: None,
            cpu_millis: default.cpu_millis,
            memory_bytes: default.memory_bytes,
            storage_bytes: default.storage_bytes,
            max_instances: default.max_instances,
            price_hourly: default.price_hourly,
            price_monthly: default.price_monthly,
            runtimes: None,
            active: true,
            sort_order: order,
            version: 1,
            // Lists stand by age: the smallest comes first.
            created_at: now + TimeDelta::microseconds(order),
            updated_at: now,
        })
    };
    (0..).zip(PLANS).map(plan).collect()
}

/// The plans of a fresh platform that this one does not have, by their short names; and, unless it is only asked what would be, they are
/// made. What there is stays as it is. The runtimes of the enabled plugins are read again.
///
/// # Errors
/// [`Error::Forbidden`] for whoever does not run this platform.
pub async fn again(platform: &Platform, viewer: &Viewer, dry_run: bool) -> Result<(Vec<Plan>, Vec<Runtime>)> {
    require_admin(viewer)?;
    let mut tx = platform.db.begin().await?;
    let mut missing = Vec::new();
    for plan in default_plans(platform)? {
        if plans::by_slug(&mut tx, &plan.slug).await?.is_none() {
            missing.push(plan);
        }
    }
    let before = stored_runtimes::offered(&mut tx).await?;
    if dry_run {
        return Ok((missing, Vec::new()));
    }
    for plan in &missing {
        plans::insert(&mut tx, plan).await?;
    }
    tx.commit().await?;
    runtimes::synchronize(platform).await?;
    let mut found = stored_runtimes::offered(&mut platform.db.read_once().await?).await?;
    found.retain(|runtime| !before.iter().any(|before| before.id == runtime.id));
    Ok((missing, found))
}

fn known_slug(slug: &str) -> Result<Slug> {
    slug.parse().map_err(Error::internal)
}

/// Beside its place, onto disk, then renamed: whoever reads it sees all of it, and nobody else may read it.
fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let _ = std::fs::remove_file(&draft);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    match path.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
