//! Events: what happened to an application, for the people whose it is.

use slipway_model::{ApplicationId, EventId, Viewer};
use slipway_store::{
    Page, Slice, Tx,
    applications::Application,
    events::{self, Event, NewEvent},
};

use crate::{Platform, error::Result};

/// Writes down what is being done in the same transaction.
pub(crate) async fn record(tx: &mut Tx, platform: &Platform, application: &Application, kind: &str, message: String) -> Result<()> {
    let event = NewEvent {
        id: EventId::new(&*platform.clock),
        organization_id: Some(application.organization_id),
        application_id: Some(application.id),
        resource: Some(application.id.to_string()),
        kind: kind.to_owned(),
        message,
        data: None,
        created_at: platform.now(),
    };
    events::insert(tx, &event).await?;
    Ok(())
}

/// Writes down what is being done to something of the platform.
pub(crate) async fn record_platform(tx: &mut Tx, platform: &Platform, resource: String, kind: &str, message: String) -> Result<()> {
    let event = NewEvent {
        id: EventId::new(&*platform.clock),
        organization_id: None,
        application_id: None,
        resource: Some(resource),
        kind: kind.to_owned(),
        message,
        data: None,
        created_at: platform.now(),
    };
    events::insert(tx, &event).await?;
    Ok(())
}

/// What happened to an application, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, application: ApplicationId, page: &Page) -> Result<Slice<Event>> {
    Ok(events::of_application(&mut platform.db.read_as(viewer).await?, viewer, application, page).await?)
}
