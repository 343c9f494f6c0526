//! An invoice on paper: A4, in the fonts that every reader has, so that its text can be searched and copied.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use slipway_model::{Money, state::InvoiceStatus};
use slipway_store::invoices::Invoice;

use super::invoices::{Line, lines, number};
use crate::error::Result;

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const LEFT: f32 = 56.0;
const RIGHT: f32 = WIDTH - 56.0;
const LINE: f32 = 15.0;
/// Right edges of the columns of numbers.
const QUANTITY: f32 = 380.0;
const UNIT_PRICE: f32 = 460.0;
/// Of a description; the rest is cut.
const MOST_CHARACTERS: usize = 48;
const ROWS_OF_FIRST_PAGE: usize = 34;
const ROWS_OF_PAGE: usize = 46;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

/// The invoice as a PDF document.
///
/// # Errors
/// It is stored in a form that is none.
pub fn of(invoice: &Invoice) -> Result<Vec<u8>> {
    let (lines, notes) = lines(invoice)?;
    let mut pages = vec![head(invoice)];
    let mut room = ROWS_OF_FIRST_PAGE;
    let mut y = 640.0;
    columns(&mut pages[0], y);
    for line in &lines {
        if room == 0 {
            let mut page = Content::new();
            y = HEIGHT - 80.0;
            columns(&mut page, y);
            pages.push(page);
            room = ROWS_OF_PAGE;
        }
        y -= LINE;
        room -= 1;
        if let Some(page) = pages.last_mut() {
            row(page, y, line);
        }
    }
    if let Some(page) = pages.last_mut() {
        foot(page, y - LINE, invoice, &notes);
    }
    Ok(document(invoice, pages))
}

fn head(invoice: &Invoice) -> Content {
    let mut page = Content::new();
    let title = number(invoice).map_or_else(|| "Draft of an invoice".to_owned(), |number| format!("Invoice {number}"));
    text(&mut page, BOLD, 20.0, LEFT, HEIGHT - 80.0, &title);
    let last_day = invoice.period_end - chrono::TimeDelta::microseconds(1);
    let mut said = vec![
        format!("Customer: {}", invoice.customer),
        format!("Period: {} to {} (UTC)", invoice.period_start.format("%Y-%m-%d"), last_day.format("%Y-%m-%d")),
    ];
    said.extend(invoice.issued_at.map(|at| format!("Issued: {}", at.format("%Y-%m-%d"))));
    said.push(match invoice.status {
        InvoiceStatus::Draft => "Not issued yet.".to_owned(),
        InvoiceStatus::Open => "Open.".to_owned(),
        InvoiceStatus::Paid => "Paid from the wallet.".to_owned(),
        InvoiceStatus::Void => "Void: this invoice was taken back.".to_owned(),
    });
    for (index, sentence) in said.iter().enumerate() {
        text(&mut page, PLAIN, 10.0, LEFT, HEIGHT - 110.0 - LINE * index as f32, sentence);
    }
    page
}

fn columns(page: &mut Content, y: f32) {
    text(page, BOLD, 9.0, LEFT, y, "Description");
    right(page, BOLD, 9.0, QUANTITY, y, "Quantity");
    right(page, BOLD, 9.0, UNIT_PRICE, y, "Unit price");
    right(page, BOLD, 9.0, RIGHT, y, "Amount");
    rule(page, y - 4.0);
}

fn row(page: &mut Content, y: f32, line: &Line) {
    let description: String = line.description.chars().take(MOST_CHARACTERS).collect();
    text(page, PLAIN, 9.0, LEFT, y, &description);
    right(page, PLAIN, 9.0, QUANTITY, y, &line.quantity.to_string());
    right(page, PLAIN, 9.0, UNIT_PRICE, y, &shown(line.unit_price));
    right(page, PLAIN, 9.0, RIGHT, y, &shown(line.amount));
}

fn foot(page: &mut Content, y: f32, invoice: &Invoice, notes: &[String]) {
    rule(page, y + 10.0);
    text(page, BOLD, 10.0, LEFT, y - 5.0, &format!("Total in {}", invoice.currency));
    right(page, BOLD, 10.0, RIGHT, y - 5.0, &shown(invoice.total));
    for (index, note) in notes.iter().take(4).enumerate() {
        let note: String = note.chars().take(110).collect();
        text(page, PLAIN, 8.0, LEFT, y - 25.0 - 12.0 * index as f32, &note);
    }
}

fn document(invoice: &Invoice, pages: Vec<Content>) -> Vec<u8> {
    let (catalog, tree, plain, bold, info) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4), Ref::new(5));
    let page_ref = |index: usize| Ref::new(10 + 2 * i32::try_from(index).unwrap_or(0));
    let content_ref = |index: usize| Ref::new(11 + 2 * i32::try_from(index).unwrap_or(0));
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    let title = number(invoice).map_or_else(|| "Draft of an invoice".to_owned(), |number| format!("Invoice {number}"));
    pdf.document_info(info).title(TextStr(&title)).producer(TextStr("Slipway"));
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids((0..pages.len()).map(page_ref)).count(count);
    for (id, name) in [(plain, &b"Helvetica"[..]), (bold, &b"Helvetica-Bold"[..])] {
        pdf.type1_font(id).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (index, content) in pages.into_iter().enumerate() {
        let mut page = pdf.page(page_ref(index));
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content_ref(index));
        page.resources().fonts().pair(PLAIN, plain).pair(BOLD, bold);
        page.finish();
        pdf.stream(content_ref(index), &content.finish());
    }
    pdf.finish()
}

fn text(page: &mut Content, font: Name<'_>, size: f32, x: f32, y: f32, text: &str) {
    page.begin_text().set_font(font, size).next_line(x, y).show(Str(&encoded(text))).end_text();
}

/// Ends at `x`.
fn right(page: &mut Content, font: Name<'_>, size: f32, x: f32, y: f32, shown: &str) {
    let width: f32 = shown.chars().map(width).sum::<f32>() * size / 1000.0;
    text(page, font, size, x - width, y, shown);
}

/// In thousandths of the font's size. Digits are as wide in both fonts; for words it is near enough.
fn width(of: char) -> f32 {
    match of {
        '0'..='9' => 556.0,
        '.' | ',' | ' ' | 'i' | 'l' | 't' => 278.0,
        '-' => 333.0,
        _ => 540.0,
    }
}

fn rule(page: &mut Content, y: f32) {
    page.set_line_width(0.5).move_to(LEFT, y).line_to(RIGHT, y).stroke();
}

/// With two decimal places at least, and all that there are.
fn shown(amount: Money) -> String {
    let mut amount = amount.to_decimal();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

/// In the encoding of the fonts, which has the letters of western Europe; others become question marks.
fn encoded(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| match letter {
            '€' => 0x80,
            '–' => 0x96,
            '—' => 0x97,
            '‘' => 0x91,
            '’' => 0x92,
            '“' => 0x93,
            '”' => 0x94,
            '…' => 0x85,
            ' '..='~' => letter as u8,
            '\u{a0}'..='\u{ff}' => letter as u8,
            _ => b'?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_places_and_no_less_than_they_have() {
        assert_eq!(shown("1.5".parse().unwrap()), "1.50");
        assert_eq!(shown("-3".parse().unwrap()), "-3.00");
        assert_eq!(shown("0.000000001".parse().unwrap()), "0.000000001");
    }

    #[test]
    fn letters_that_the_fonts_do_not_have_are_marked() {
        assert_eq!(encoded("Ñandú €"), [0xd1, b'a', b'n', b'd', 0xfa, b' ', 0x80]);
        assert_eq!(encoded("日本\n"), b"???");
    }
}
