//! What billing plugins are asked beside rating. A plugin that was written before these questions is not asked: it gets the usual
//! answers. Amounts are checked where they come in.

use std::collections::HashSet;

use rust_decimal::Decimal;
use slipway_plugin_abi::{
    BILLING_QUESTIONS_SINCE,
    manifest::Kind,
    messages::{
        BillingReply, BillingRequest, InvoiceLayout, InvoiceRequest, Quote, QuoteRequest, Reply, Request, Standing, StandingRequest,
    },
};

use crate::{CallError, Plugin, reply};

/// Lines of one invoice, if it was asked about no more things than half as many; a plugin that gives more has lost its way.
const MOST_LINES: usize = 10_000;

impl Plugin {
    fn knows_billing_questions(&self) -> bool {
        self.message_version() >= BILLING_QUESTIONS_SINCE
    }

    /// What something would cost if it ran all the time.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn billing_quote(&self, request: QuoteRequest) -> Result<Quote, CallError> {
        self.admit(Kind::Billing)?;
        if let Some(usual) = Quote::usual(&request).filter(|_| !self.knows_billing_questions()) {
            return Ok(usual);
        }
        let currency = request.currency.clone();
        self.ask(Request::Billing(BillingRequest::Quote(request)), |answer| match answer {
            Reply::Billing(BillingReply::Quote(quote)) => check_quote(&currency, quote),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// How an account stands.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn billing_standing(&self, request: StandingRequest) -> Result<Standing, CallError> {
        self.admit(Kind::Billing)?;
        if !self.knows_billing_questions() {
            return Ok(Standing::usual(&request));
        }
        self.ask(Request::Billing(BillingRequest::Standing(request)), |answer| match answer {
            Reply::Billing(BillingReply::Standing(standing)) => Ok(standing),
            other => reply::unexpected(&other),
        })
        .await
    }

    /// The lines of an invoice.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn billing_invoice(&self, request: InvoiceRequest) -> Result<InvoiceLayout, CallError> {
        self.admit(Kind::Billing)?;
        if !self.knows_billing_questions() {
            return Ok(InvoiceLayout::usual(&request));
        }
        let asked = request.clone();
        self.ask(Request::Billing(BillingRequest::Invoice(request)), |answer| match answer {
            Reply::Billing(BillingReply::Invoice(layout)) => check_invoice(&asked, layout),
            other => reply::unexpected(&other),
        })
        .await
    }
}

fn check_currency(asked: &str, given: &str) -> Result<(), String> {
    if asked == given { Ok(()) } else { Err(format!("it answers in {given:?}, and was asked in {asked}")) }
}

fn check_places(what: &str, amount: Decimal) -> Result<(), String> {
    if amount.normalize().scale() > 9 { Err(format!("{what} has more than nine decimal places: {amount}")) } else { Ok(()) }
}

fn check_quote(currency: &str, quote: Quote) -> Result<Quote, String> {
    check_currency(currency, &quote.currency)?;
    for (what, amount) in [("a quote per hour", quote.hourly), ("a quote per month", quote.monthly)] {
        if amount < Decimal::ZERO {
            return Err(format!("{what} is negative: {amount}"));
        }
        check_places(what, amount)?;
    }
    Ok(quote)
}

fn check_invoice(asked: &InvoiceRequest, layout: InvoiceLayout) -> Result<InvoiceLayout, String> {
    check_currency(&asked.currency, &layout.currency)?;
    if layout.lines.len() > MOST_LINES.max(2 * asked.items.len()) {
        return Err(format!("an invoice of {} lines", layout.lines.len()));
    }
    let keys: HashSet<&str> = asked.items.iter().map(|item| item.key.as_str()).collect();
    let mut total = Decimal::ZERO;
    for line in &layout.lines {
        if line.key.as_ref().is_some_and(|key| !keys.contains(key.as_str())) {
            return Err(format!("a line about {:?}, which is not among the items", line.key));
        }
        if line.quantity < Decimal::ZERO || line.unit_price < Decimal::ZERO {
            return Err(format!("the line {:?} has a negative quantity or price", line.description));
        }
        check_places("a line", line.amount)?;
        total = total.checked_add(line.amount).ok_or("the lines add up to more than can be counted")?;
    }
    let charged = asked.items.iter().try_fold(Decimal::ZERO, |sum, item| sum.checked_add(item.amount));
    let charged = charged.ok_or("what was charged adds up to more than can be counted")?;
    if total != charged {
        return Err(format!("its lines add up to {total}, and {charged} was charged"));
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use slipway_plugin_abi::messages::{InvoiceItem, InvoiceLine, UsageKind};

    use super::*;

    fn item(key: &str, amount: &str) -> InvoiceItem {
        InvoiceItem {
            key: key.into(),
            name: key.into(),
            kind: UsageKind::Instance,
            micros: 3_600_000_000,
            hourly_rate: "0.1".parse().unwrap(),
            amount: amount.parse().unwrap(),
        }
    }

    fn asked() -> InvoiceRequest {
        InvoiceRequest {
            currency: "EUR".into(),
            customer: "acme".into(),
            period_start: "2026-01-01T00:00:00Z".parse().unwrap(),
            period_end: "2026-02-01T00:00:00Z".parse().unwrap(),
            items: vec![item("a", "0.1"), item("b", "0.2")],
        }
    }

    #[test]
    fn the_lines_of_an_invoice_add_up_to_what_was_charged() {
        let asked = asked();
        let usual = InvoiceLayout::usual(&asked);
        assert_eq!(check_invoice(&asked, usual.clone()), Ok(usual.clone()));
        let mut short = usual.clone();
        short.lines.pop();
        assert!(check_invoice(&asked, short).unwrap_err().contains("add up to 0.1"));
        let mut dear = usual.clone();
        dear.lines[0].amount += Decimal::new(1, 9);
        assert!(check_invoice(&asked, dear).unwrap_err().contains("0.300000001"));
        let foreign = InvoiceLine { key: Some("c".into()), ..usual.lines[0].clone() };
        assert!(check_invoice(&asked, InvoiceLayout { lines: vec![foreign], ..usual.clone() }).unwrap_err().contains("not among"));
        assert!(check_invoice(&asked, InvoiceLayout { currency: "USD".into(), ..usual }).unwrap_err().contains("USD"));
    }

    #[test]
    fn an_invoice_has_a_line_for_each_of_many_things_and_not_many_for_few() {
        let few = asked();
        let many = InvoiceRequest { items: (0..10_001).map(|n| item(&format!("app-{n}"), "0.1")).collect(), ..asked() };
        assert_eq!(check_invoice(&many, InvoiceLayout::usual(&many)).map(|layout| layout.lines.len()), Ok(10_001));
        let endless = InvoiceLayout { currency: few.currency.clone(), ..InvoiceLayout::usual(&many) };
        assert!(check_invoice(&few, endless).unwrap_err().contains("an invoice of 10001 lines"));
    }

    #[test]
    fn a_quote_is_not_negative_and_in_the_currency_that_was_asked() {
        let quote =
            |currency: &str, hourly: &str| Quote { currency: currency.into(), hourly: hourly.parse().unwrap(), monthly: Decimal::ONE };
        assert!(check_quote("EUR", quote("EUR", "0.1")).is_ok());
        assert!(check_quote("EUR", quote("EUR", "-0.1")).unwrap_err().contains("negative"));
        assert!(check_quote("EUR", quote("EUR", "0.0000000001")).unwrap_err().contains("nine"));
        assert!(check_quote("EUR", quote("USD", "0.1")).unwrap_err().contains("USD"));
    }
}
