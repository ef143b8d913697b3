//! Cleaning a document: every string and every key, with what a field's name says about its value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value;

use super::{
    Cleaner, Found, Setting,
    accounts::Accounts,
    engine, invisible, paths, rules,
    shape::{self, Named},
};

/// The longest name that a session or agent may have and be left alone for.
const NAME_LENGTH_MAX: usize = 128;

/// The fewest digits of a phone number that is written as a number; anything shorter may be a count.
const PHONE_DIGITS_MIN: usize = 10;

/// A walk over one document.
pub(super) struct Walk<'a> {
    pub cleaner: &'a Cleaner,
    pub root: Option<&'a paths::Root>,
    pub accounts: &'a Accounts,
    pub found: Found,
}

impl Walk<'_> {
    /// Cleans a value in place. `key` is the field's name, and that of the list the value is in.
    pub fn value(&mut self, value: &mut Value, key: Option<&str>, pointer: &mut String) {
        match value {
            Value::String(text) => {
                if let Some(cleaned) = self.string(text, key, pointer) {
                    *text = cleaned;
                }
            }
            Value::Array(values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    let length = pointer.len();
                    write!(pointer, "/{index}").expect("a string takes all text");
                    self.value(value, key, pointer);
                    pointer.truncate(length);
                }
            }
            Value::Object(fields) => self.object(fields, key, pointer),
            Value::Number(number) => {
                if let Some(cleaned) = self.number(&number.to_string(), key, pointer) {
                    *value = Value::String(cleaned);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// What stands in the place of a number that its field's name makes a secret, a phone number or an account.
    fn number(&mut self, number: &str, key: Option<&str>, pointer: &str) -> Option<String> {
        let (name, digits) = (key?, super::accounts::digits(number)?);
        let (kind, cleaned) = if shape::named(name) == Named::Secret {
            (rules::SECRET_FIELD, engine::marker(rules::SECRET_FIELD))
        } else if digits.len() >= PHONE_DIGITS_MIN && is_phone_field(name, digits) {
            (rules::PHONE, engine::marker(rules::PHONE))
        } else {
            (rules::ACCOUNT, self.accounts.mask(digits).filter(|_| super::accounts::names_account(name))?.to_owned())
        };
        self.found.add(kind, pointer.to_owned());
        Some(cleaned)
    }

    fn object(&mut self, fields: &mut serde_json::Map<String, Value>, key: Option<&str>, pointer: &mut String) {
        let renamed = self.names(fields, key, pointer);
        for (name, value) in fields.iter_mut() {
            let length = pointer.len();
            pointer.push('/');
            let shown = renamed.get(name).unwrap_or(name);
            match shown.contains(['~', '/']) {
                true => pointer.push_str(&shown.replace('~', "~0").replace('/', "~1")),
                false => pointer.push_str(shown),
            }
            self.value(value, Some(name), pointer);
            pointer.truncate(length);
        }
        if !renamed.is_empty() {
            let old = std::mem::take(fields);
            fields.extend(old.into_iter().map(|(name, value)| (renamed.get(&name).cloned().unwrap_or(name), value)));
        }
    }

    /// The new names of the fields whose names had something in them. Two never get the same.
    fn names(
        &mut self,
        fields: &serde_json::Map<String, Value>,
        key: Option<&str>,
        pointer: &str,
    ) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for name in fields.keys() {
            let Some(cleaned) = self.text(name, key.filter(|key| super::accounts::names_account(key)), pointer) else {
                continue;
            };
            let unique = std::iter::once(cleaned.clone())
                .chain((2_u32..).map(|n| format!("{cleaned} ({n})")))
                .find(|name| !taken.contains(name) && !fields.contains_key(name))
                .expect("there is always a further number");
            taken.insert(unique.clone());
            renamed.insert(name.clone(), unique);
        }
        renamed
    }

    /// The cleaned string, if it changed. What nobody sees goes first: it must not hide what the rest is.
    fn string(&mut self, text: &str, key: Option<&str>, pointer: &str) -> Option<String> {
        let (stripped, removed) = invisible::strip(text);
        removed.iter().for_each(|_| self.found.add(rules::INVISIBLE, pointer.to_owned()));
        let cleaned = self.visible(&stripped, key, pointer);
        cleaned.or_else(|| (!removed.is_empty()).then(|| stripped.into_owned()))
    }

    fn visible(&mut self, text: &str, key: Option<&str>, pointer: &str) -> Option<String> {
        let Some(name) = key else { return self.text(text, None, pointer) };
        if text.is_empty() || is_untouched(name, text) {
            return None;
        }
        if is_secret_field(name, text) {
            let mut kinds = Vec::new();
            let setting = Setting { root: None, accounts: self.accounts, key };
            let cleaned = self.cleaner.clean_string(text, &setting, &mut |_, kind| kinds.push(kind.to_owned()));
            // A format that is known says more than the field's name does.
            if kinds.len() == 1 && cleaned.starts_with("[redacted:") && cleaned.find(']') == Some(cleaned.len() - 1) {
                self.found.add(&kinds[0], pointer.to_owned());
                return Some(cleaned.into_owned());
            }
            self.found.add(rules::SECRET_FIELD, pointer.to_owned());
            return Some(engine::marker(rules::SECRET_FIELD));
        }
        if is_phone_field(name, text) {
            self.found.add(rules::PHONE, pointer.to_owned());
            return Some(engine::marker(rules::PHONE));
        }
        if let Some((reduced, kind)) = paths::whole(text, name, self.root, self.cleaner.home.as_ref()) {
            self.found.add(kind, pointer.to_owned());
            return Some(self.text(&reduced, key, pointer).unwrap_or(reduced));
        }
        self.text(text, key, pointer)
    }

    fn text(&mut self, text: &str, key: Option<&str>, pointer: &str) -> Option<String> {
        let setting = Setting { root: self.root, accounts: self.accounts, key };
        let found = &mut self.found;
        match self.cleaner.clean_string(text, &setting, &mut |_, kind| found.add(kind, pointer.to_owned())) {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(cleaned) => Some(cleaned),
        }
    }
}

/// A field's name in lower case, without separators.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Names, hashes and times that are what their field says.
fn is_untouched(field: &str, text: &str) -> bool {
    let name = plain(field);
    let chars = |extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    match name.as_str() {
        "sessionid" | "agentid" => text.len() <= NAME_LENGTH_MAX && chars("._:-"),
        "hash" | "sha" | "sha1" | "sha256" | "commit" | "commithash" | "digest" | "checksum" | "parent" => {
            text.len() <= 12 && chars("") || text.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        _ => {
            let timely = name == "ts"
                || ["timestamp", "time", "date"].iter().any(|ending| name.ends_with(ending))
                || ["_at", "At", "_ts", "Ts"].iter().any(|ending| field.ends_with(ending));
            timely
                && text.len() <= 40
                && text.starts_with(|c: char| c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_digit() || "TZtz:.+- ".contains(c))
        }
    }
}

/// Whether the field's name makes its value a secret.
fn is_secret_field(name: &str, text: &str) -> bool {
    let named = shape::named(name);
    let value = text.trim();
    // Hardly a field is named after a secret, so its name is asked first.
    if named == Named::Nothing || shape::is_placeholder(value) {
        return false;
    }
    match named {
        Named::Secret => true,
        Named::Perhaps => {
            let scheme = ["bearer ", "basic ", "token "].iter().any(|scheme| value.to_lowercase().starts_with(scheme));
            let credential = value.rsplit(' ').next().unwrap_or_default();
            if scheme {
                return !shape::is_placeholder(credential) && credential.len() >= 6;
            }
            !value.contains(char::is_whitespace)
                && value.len() >= 8
                && !shape::is_harmless(value)
                && !shape::is_identifier(value)
                && shape::is_random(value)
        }
        Named::Nothing => false,
    }
}

/// Whether the field is one for a phone number and holds one.
fn is_phone_field(name: &str, text: &str) -> bool {
    let name = plain(name);
    ["phone", "phonenumber", "mobile", "mobilenumber", "telephone", "fax"].iter().any(|ending| name.ends_with(ending))
        && text.bytes().filter(u8::is_ascii_digit).count() >= 7
        && text.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c))
}
