//! Pages of a list.

use chrono::TimeDelta;
use slipway_model::{Clock, OrganizationId, Viewer, state::DeploymentStatus};
use slipway_store::{
    Listed, Page, Slice, Tx,
    applications::{self, Application},
    deployments::{self, Deployment},
    organizations::{self, Organization},
    regions,
};
use slipway_store_testing::on_both;

use crate::world::{World, clock, organization, region, stranger};

/// Seven organizations, of which three are of one moment. Newest first, as the list gives them.
async fn seven(tx: &mut Tx) -> Vec<OrganizationId> {
    let clock = clock();
    let mut rows = Vec::new();
    for (index, moment) in [0, 1, 2, 2, 2, 3, 4].into_iter().enumerate() {
        let created_at = clock.now() + TimeDelta::microseconds(moment);
        let row = Organization { created_at, ..organization(&clock, &format!("o-{index}")) };
        organizations::insert(tx, &row).await.unwrap();
        rows.push(row);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
    rows.into_iter().map(|row| row.id).collect()
}

fn ids(slice: &Slice<Organization>) -> Vec<OrganizationId> {
    slice.items.iter().map(|row| row.id).collect()
}

async fn list(tx: &mut Tx, page: Page) -> Slice<Organization> {
    organizations::list(tx, &Viewer::Platform, &page).await.unwrap()
}

#[tokio::test]
async fn every_row_is_seen_once_going_on() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let all = seven(&mut tx).await;
        for size in 1..=8 {
            let mut seen = Vec::new();
            let mut page = Page::first(size);
            loop {
                let slice = list(&mut tx, page).await;
                assert_eq!(slice.has_previous, !seen.is_empty());
                seen.extend(ids(&slice));
                assert_eq!(slice.has_next, seen.len() < all.len(), "pages of {size}");
                if !slice.has_next {
                    break;
                }
                page = Page::first(size).after(slice.items.last().unwrap().cursor());
            }
            assert_eq!(seen, all, "pages of {size}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_row_is_seen_once_going_back() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let all = seven(&mut tx).await;
        for size in 1..=8 {
            let mut seen: Vec<OrganizationId> = Vec::new();
            let mut page = Page::last(size);
            loop {
                let slice = list(&mut tx, page).await;
                assert_eq!(slice.has_next, !seen.is_empty());
                seen.splice(0..0, ids(&slice));
                assert_eq!(slice.has_previous, seen.len() < all.len(), "pages of {size}");
                if !slice.has_previous {
                    break;
                }
                page = Page::last(size).before(slice.items.first().unwrap().cursor());
            }
            assert_eq!(seen, all, "pages of {size}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_can_lie_between_two_cursors() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let all = seven(&mut tx).await;
        let rows = list(&mut tx, Page::first(7)).await.items;
        let (left, right) = (rows[1].cursor(), rows[5].cursor());
        assert_eq!(ids(&list(&mut tx, Page::first(9).after(left).before(right)).await), all[2..5]);
        assert_eq!(ids(&list(&mut tx, Page::last(2).after(left).before(right)).await), all[3..5]);
    })
    .await;
}

#[tokio::test]
async fn a_row_added_meanwhile_moves_nothing() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let all = seven(&mut tx).await;
        let first = list(&mut tx, Page::first(3)).await;
        let clock = clock();
        clock.advance(TimeDelta::hours(1));
        organizations::insert(&mut tx, &organization(&clock, "newcomer")).await.unwrap();
        let second = list(&mut tx, Page::first(3).after(first.items[2].cursor())).await;
        assert_eq!(ids(&second), all[3..6]);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_begins_with_the_oldest_pages_the_same_way() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let mut all = Vec::new();
        for index in 0..5 {
            let row = region(&clock, &format!("r-{index}"));
            regions::insert(&mut tx, &row).await.unwrap();
            all.push(row);
        }
        all.sort_by_key(Listed::cursor);
        let first = regions::list(&mut tx, false, &Page::first(2)).await.unwrap();
        assert_eq!(first.items, all[..2]);
        let rest = regions::list(&mut tx, false, &Page::first(9).after(first.items[1].cursor())).await.unwrap();
        assert_eq!(rest.items, all[2..]);
        let last = regions::list(&mut tx, false, &Page::last(2)).await.unwrap();
        assert_eq!((last.items.as_slice(), last.has_previous, last.has_next), (&all[3..], true, false));
    })
    .await;
}

#[tokio::test]
async fn the_lists_of_several_parents_are_those_of_each() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let mut parents = Vec::new();
        for (name, deployments) in [("none", 0), ("one", 1), ("some", 5)] {
            let application = world.application(name);
            applications::insert(&mut tx, &world.viewer, &application).await.unwrap();
            for number in 1..=deployments {
                // Every other two of one moment.
                let created_at = world.later(number / 2);
                let deployment = Deployment { created_at, ..world.deployment(&application, number) };
                deployments::insert(&mut tx, &deployment).await.unwrap();
            }
            parents.push(application.id);
        }
        let all = deployments::of_each_application(&mut tx, &world.viewer, &parents[2..], None, &Page::default()).await.unwrap();
        let middle = all[&parents[2]].items[2].cursor();
        for size in 1..=6 {
            for page in [Page::first(size), Page::last(size), Page::first(size).after(middle), Page::last(size).before(middle)] {
                for statuses in [None, Some(&[DeploymentStatus::Queued][..]), Some(&[DeploymentStatus::Live][..])] {
                    let together = deployments::of_each_application(&mut tx, &world.viewer, &parents, statuses, &page).await.unwrap();
                    assert_eq!(together.len(), parents.len());
                    for parent in &parents {
                        let alone = deployments::of_each_application(&mut tx, &world.viewer, &[*parent], statuses, &page).await.unwrap();
                        assert_eq!(together[parent], alone[parent], "{page:?} {statuses:?}");
                    }
                }
            }
        }
        let nobody = deployments::of_each_application(&mut tx, &stranger(&world.clock), &parents, None, &Page::default()).await.unwrap();
        assert!(nobody.values().all(|slice| slice.items.is_empty()));
    })
    .await;
}

#[tokio::test]
async fn more_parents_than_one_statement_takes_are_asked_in_several() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let mut parents = Vec::new();
        for index in 0..230 {
            let application = world.application(&format!("app-{index}"));
            applications::insert(&mut tx, &world.viewer, &application).await.unwrap();
            parents.push(application.id);
        }
        let last = world.deployment(&Application { id: parents[229], ..world.application("of-the-last") }, 1);
        deployments::insert(&mut tx, &last).await.unwrap();
        let together = deployments::of_each_application(&mut tx, &world.viewer, &parents, None, &Page::default()).await.unwrap();
        assert_eq!(together.len(), 230);
        assert_eq!(together.values().map(|slice| slice.items.len()).sum::<usize>(), 1);
        assert_eq!(together[&parents[229]].items, [last]);
    })
    .await;
}
