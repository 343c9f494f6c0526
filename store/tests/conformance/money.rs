//! Usage and the ledger.

use slipway_model::{ApplicationId, Currency, InstanceId, LedgerEntryId, Money, UsageId, Viewer, state::LedgerEntryKind};
use slipway_store::{
    Page,
    ledger::{self, LedgerEntry},
    usage::{self, UsageRecord},
};
use slipway_store_testing::on_both;

use crate::world::World;

fn record(world: &World, instance: InstanceId) -> UsageRecord {
    UsageRecord {
        id: UsageId::new(&world.clock),
        organization_id: world.organization.id,
        application_id: ApplicationId::new(&world.clock),
        instance_id: instance,
        started_at: world.now(),
        ended_at: None,
        rated_until: world.now(),
        hourly_rate: Money::from_nanos(7),
    }
}

#[tokio::test]
async fn an_instance_is_metered_once_at_a_time() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let instance = InstanceId::new(&world.clock);
        assert!(usage::begin(&mut tx, &record(&world, instance)).await.unwrap());
        assert!(!usage::begin(&mut tx, &record(&world, instance)).await.unwrap());
        assert_eq!(usage::open(&mut tx).await.unwrap().len(), 1);
        let ended = usage::end(&mut tx, instance, world.later(60)).await.unwrap().unwrap();
        assert_eq!(ended.ended_at, Some(world.later(60)));
        assert_eq!(usage::end(&mut tx, instance, world.later(61)).await.unwrap(), None);
        assert_eq!(usage::open(&mut tx).await.unwrap(), []);
        assert!(usage::begin(&mut tx, &record(&world, instance)).await.unwrap(), "it may start again");
        let early = usage::end(&mut tx, instance, world.later(-5)).await.unwrap().unwrap();
        assert_eq!(early.ended_at, Some(early.started_at), "nothing ends before it began");
    })
    .await;
}

#[tokio::test]
async fn usage_is_rated_up_to_its_end_and_by_one() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let instance = InstanceId::new(&world.clock);
        let row = record(&world, instance);
        usage::begin(&mut tx, &row).await.unwrap();
        assert_eq!(usage::unrated(&mut tx, world.now(), 10).await.unwrap(), []);
        assert_eq!(usage::unrated(&mut tx, world.later(60), 10).await.unwrap(), std::slice::from_ref(&row));
        assert!(usage::rated(&mut tx, row.id, world.now(), world.later(60)).await.unwrap());
        assert!(!usage::rated(&mut tx, row.id, world.now(), world.later(60)).await.unwrap(), "somebody else was first");
        usage::end(&mut tx, instance, world.later(90)).await.unwrap();
        assert_eq!(usage::unrated(&mut tx, world.later(3600), 10).await.unwrap().len(), 1);
        assert!(usage::rated(&mut tx, row.id, world.later(60), world.later(90)).await.unwrap());
        assert_eq!(usage::unrated(&mut tx, world.later(3600), 10).await.unwrap(), []);
        let organization = world.organization.id;
        for (from, to, expected) in [(0, 10, 1), (80, 100, 1), (90, 100, 0), (-10, 0, 0), (-10, 1, 1)] {
            let (from, to) = (world.later(from), world.later(to));
            let rows = usage::of_organization(&mut tx, &world.viewer, organization, from, to).await.unwrap();
            assert_eq!(rows.len(), expected, "{from} to {to}");
        }
    })
    .await;
}

fn entry(world: &World, key: &str, kind: LedgerEntryKind, nanos: i64) -> LedgerEntry {
    LedgerEntry {
        id: LedgerEntryId::new(&world.clock),
        organization_id: world.organization.id,
        application_id: None,
        instance_id: None,
        kind,
        amount: Money::from_nanos(nanos),
        currency: Currency::EUR,
        description: "for a test".into(),
        period_start: None,
        period_end: None,
        idempotency_key: key.into(),
        created_at: world.now(),
    }
}

#[tokio::test]
async fn the_balance_is_the_exact_sum_of_what_is_written_once() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        assert_eq!(ledger::balance(&mut tx, &world.viewer, organization).await.unwrap(), Money::ZERO);
        let shop = ApplicationId::new(&world.clock);
        let entries = [
            entry(&world, "top-up", LedgerEntryKind::TopUp, 9_000_000_000_000_000_001),
            LedgerEntry { application_id: Some(shop), ..entry(&world, "a", LedgerEntryKind::UsageInstance, -1) },
            LedgerEntry { application_id: Some(shop), ..entry(&world, "b", LedgerEntryKind::UsageInstance, -2) },
            entry(&world, "c", LedgerEntryKind::Adjustment, -5),
        ];
        for row in &entries {
            assert!(ledger::insert(&mut tx, &Viewer::Platform, row).await.unwrap());
            assert!(!ledger::insert(&mut tx, &Viewer::Platform, row).await.unwrap(), "{}", row.idempotency_key);
        }
        let balance = ledger::balance(&mut tx, &world.viewer, organization).await.unwrap();
        assert_eq!(balance, Money::from_nanos(8_999_999_999_999_999_993));
        let spending = ledger::spending(&mut tx, &world.viewer, organization, world.now(), world.later(1)).await.unwrap();
        assert_eq!(spending, [(Some(shop), Money::from_nanos(3))]);
        assert_eq!(ledger::spending(&mut tx, &world.viewer, organization, world.later(1), world.later(2)).await.unwrap(), []);
        let listed = ledger::list(&mut tx, &world.viewer, organization, &Page::first(3)).await.unwrap();
        assert_eq!((listed.items.len(), listed.has_next), (3, true));
    })
    .await;
}
