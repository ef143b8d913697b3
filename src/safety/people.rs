//! What identifies people and their machines in a text: addresses, numbers, accounts.

use super::{
    accounts::Accounts,
    engine::{self, Span},
};

/// E-mail addresses, public IP addresses, phone numbers and broker accounts in a text.
pub(super) fn find(text: &str, accounts: &Accounts, key: Option<&str>) -> Vec<Span> {
    // A digit is in a number, and a sign before every domain: most texts have neither.
    if !text.contains(['@', '%']) && !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut spans = engine::people().find(text);
    if key.is_some_and(|key| key.to_lowercase().contains("version")) {
        spans.retain(|span| span.kind != "public-ip");
    }
    spans.extend(accounts.find(text, key));
    engine::outside_markers(text, spans)
}
