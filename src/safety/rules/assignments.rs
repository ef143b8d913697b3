//! Values beside a key word: `password=…`, `"api_key": "…"`. Only here does it count whether a value looks like chance.

use super::Rule;
use crate::safety::{engine::Hit, shape};

const KEYWORDS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "api key",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "private-key",
    "privatekey",
    "credential",
    "auth_key",
    "auth-key",
    "authkey",
    "encryption_key",
    "encryption-key",
    "encryptionkey",
    "signing_key",
    "signing-key",
    "signingkey",
    "account_key",
    "account-key",
    "accountkey",
];

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "secret-assignment",
        "a value beside a key word such as password or api_key",
        KEYWORDS,
        r#"(?P<key>(?i-u:[a-z0-9_.-]*(?:password|passwd|passphrase|passwort|pwd|secret|token|api[_ -]?key|access[_-]?key|private[_-]?key|auth[_-]?key|encryption[_-]?key|signing[_-]?key|account[_-]?key|secret[_-]?key|secret[_-]?key[_-]?base|credentials?|_pass|(?-u:\b)pass)))\\?["'`]?\]?[ \t]*(?P<op>:=|=>|==|=|:|(?i-u:is|was)[ ])[ \t]*(?:[rbfu]?\\?"(?P<v>[^"\\\n]{4,})|[rbfu]?'(?P<w>[^'\n]{4,})'|`?(?P<x>[^\s"'`,;&<>(){}\[\]=:\\|$*][^\s"'`,;&<>(){}\[\]\\|]{3,60}))"#,
    )
    .accept(is_secret)
    .extend(rest_of_value),
    Rule::new(
        "secret-assignment",
        "a value beside a key word such as password or api_key",
        &["password>", "passwd>", "passphrase>", "secret>", "token>", "key>"],
        r"<(?P<key>(?i-u:[a-z0-9_.:-]*(?:password|passwd|passphrase|secret|token|api[_-]?key)))>(?P<v>[^<>\s]{6,})</",
    )
    .accept(is_argument),
    Rule::new(
        "secret-assignment",
        "a value beside a key word such as password or api_key",
        &["--"],
        r#"--(?P<key>(?i-u:[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api[_-]?key)))[ \t]+["']?(?P<v>[^\s"'$<{(-][^\s"']{5,})"#,
    )
    .accept(is_argument),
    Rule::new(
        "connection-string",
        "a password in a connection string",
        &["pwd", "password"],
        r#"(?i:(?:server|host|data source|user id|uid|user|username|database|dbname)[ ]*=[^;\n"']*;[^\n"']*?(?:password|pwd)[ ]*=)(?P<v>[^;\n"'\[]+)"#,
    )
    .accept(|hit| !shape::is_placeholder(hit.value())),
    Rule::new(
        "connection-string",
        "a password in a connection string",
        &["password="],
        r#"(?i:(?:host|dbname|user)=[^\s"']+(?:[ ]+[a-z_]+=[^\s"']+)*?[ ]+password=)(?P<v>[^\s"'\[]+)"#,
    )
    .accept(|hit| !shape::is_placeholder(hit.value())),
];

/// Whether what a flag or an element of that name holds is one to hide.
fn is_argument(hit: &Hit<'_>) -> bool {
    let value = hit.value();
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    !shape::is_placeholder(value)
        && !shape::is_harmless(value)
        && digit
        && (shape::names_password(hit.name("key").unwrap_or_default())
            || !shape::is_identifier(value) && shape::is_random(value))
}

/// The rest of an unquoted value. In a URL's query an ampersand ends it.
fn rest_of_value(hit: &Hit<'_>) -> usize {
    let whole = hit.captures.get(0).map_or(hit.start, |whole| whole.start());
    let ends = if hit.text[..whole].ends_with(['?', '&', '#']) { "\"'`,;<>(){}[]\\|&" } else { "\"'`,;<>(){}[]\\|" };
    let after = hit.after();
    let quoted = hit.name("x").is_none();
    if quoted {
        // Over escapes up to the quote that ends it, which may itself be escaped.
        let mut length = 0;
        while after[length..].starts_with('\\') && !after[length + 1..].starts_with(['"', '\'', '`']) {
            let rest = &after[length + 1..];
            length += 1 + rest.find(['"', '\\', '\n']).unwrap_or(rest.len());
        }
        length
    } else {
        after.find(|c: char| c.is_whitespace() || ends.contains(c)).unwrap_or(after.len())
    }
}

/// Whether the value beside a key word is one to hide. Code, types, prose and placeholders are not.
fn is_secret(hit: &Hit<'_>) -> bool {
    let key = hit.name("key").unwrap_or_default();
    let value = hit.value();
    if shape::is_placeholder(value) || hit.name("op") == Some("==") && hit.name("x").is_some() {
        return false;
    }
    let quoted = hit.name("x").is_none();
    // A call, an index or a path into something is code.
    if !quoted && (hit.after().starts_with(['(', '[']) || hit.after().starts_with("::") || value.contains("::")) {
        return false;
    }
    let value = value.trim_end_matches(['.', '!', '?']);
    if value.contains(char::is_whitespace) || value.len() < 4 || shape::is_harmless(value) {
        return false;
    }
    // In a sentence, too many words follow that are none.
    let said = hit.name("op").is_some_and(|op| op.starts_with(|c: char| c.is_ascii_alphabetic()));
    if shape::names_password(key) && said {
        let one_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let chance =
            value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
        return value.len() >= 6 && chance && (quoted || one_word && !shape::names_algorithm(value));
    }
    if shape::names_password(key) {
        let varied = value.bytes().any(|byte| !byte.is_ascii_alphabetic());
        let plain = !quoted && shape::is_identifier(value) && !value.bytes().any(|byte| byte.is_ascii_digit());
        return varied && !plain || shape::is_passphrase(value);
    }
    value.len() >= 8 && !shape::is_identifier(value) && shape::is_random(value)
}
