//! The ledger as comma-separated values (RFC 4180), for spreadsheets and bookkeeping.

use slipway_model::{OrganizationId, Role, Timestamp, Viewer};
use slipway_store::ledger::{self, LedgerEntry};

use super::reports::check_span;
use crate::{Platform, error::Result, organizations};

const HEADER: &str = "sequence,id,created_at,kind,debit,credit,amount,currency,wallet_change,balance_after,subject,resource,period_start,period_end,seconds,hourly_rate,description\r\n";
/// Entries that are read at a time.
const BATCH: i64 = 1_000;
/// Entries of one export.
const MOST: usize = 200_000;

/// The entries that were written in a span of time, in the order in which they were.
///
/// # Errors
/// [`crate::Error::NotFound`] for strangers, [`crate::Error::Forbidden`] for members who are no administrators; a span that is none, or
/// has more entries than one export holds.
pub async fn ledger(p: &Platform, viewer: &Viewer, organization: OrganizationId, from: Timestamp, to: Timestamp) -> Result<String> {
    organizations::require(viewer, organization, Role::Admin)?;
    check_span(from, to)?;
    let mut text = HEADER.to_owned();
    let (mut last, mut count) = (0, 0);
    loop {
        let mut tx = p.db.read_as(viewer).await?;
        let entries = ledger::since(&mut tx, viewer, organization, (from, to), last, BATCH).await?;
        drop(tx);
        let Some(end) = entries.last() else { return Ok(text) };
        last = end.sequence;
        count += entries.len();
        if count > MOST {
            let message = format!("There are more than {MOST} entries. Use a shorter span of time.");
            return Err(crate::error::UserError::too_long("to", message).into());
        }
        entries.iter().for_each(|entry| row(&mut text, entry));
    }
}

fn row(text: &mut String, entry: &LedgerEntry) {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)).unwrap_or_default();
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let fields = [
        entry.sequence.to_string(),
        entry.id.to_string(),
        time(Some(entry.created_at)),
        entry.kind.to_string(),
        entry.debit.to_string(),
        entry.credit.to_string(),
        entry.amount.to_string(),
        entry.currency.to_string(),
        entry.of_wallet().to_string(),
        entry.balance_after.to_string(),
        id(entry.subject_id),
        id(entry.resource_id),
        time(entry.period_start),
        time(entry.period_end),
        entry.quantity_micros.map(|micros| rust_decimal::Decimal::new(micros, 6).normalize().to_string()).unwrap_or_default(),
        entry.hourly_rate.map(|rate| rate.to_string()).unwrap_or_default(),
        entry.description.clone(),
    ];
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// Spreadsheets take what begins so for a formula: a quote before it makes it text. Numbers are left alone.
fn quoted(field: &str) -> String {
    let is_number = field.parse::<rust_decimal::Decimal>().is_ok();
    let field = if !is_number && field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { field.to_owned() };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stays_one_field_and_is_no_formula() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a, \"b\"\n"), "\"a, \"\"b\"\"\n\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(quoted("-12.5"), "-12.5");
    }
}
