//! Text and JSON on standard output.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

/// One JSON document.
pub fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// One JSON object on a line of its own, for output that streams.
pub fn json_line(value: &Value) {
    println!("{value}");
}

/// Aligned columns under a header; says so when there is nothing.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]], empty: &str) {
    if rows.is_empty() {
        println!("{empty}");
        return;
    }
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(header);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
}

/// A field of a JSON answer as text; empty where it is null or missing.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// `HEALTH_CHECKING` as people read it.
pub fn words(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}
