//! Private keys, signed tokens, and credentials that stand where a protocol puts them.

use super::Rule;
use crate::safety::shape;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "private-key",
        "a PEM, OpenSSH or PGP private key, the whole block",
        &["private key"],
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    ),
    Rule::new(
        "private-key",
        "a PEM, OpenSSH or PGP private key, the whole block",
        &["private key"],
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?:[ \t\r\n]|\\[nr])*[A-Za-z0-9+/=]{16,})+(?:(?:[ \t\r\n]|\\[nr])*[A-Za-z0-9+/]+=*(?:[ \t\r\n]|\\[nr]|\z))?",
    ),
    Rule::new("age-key", "an age secret key", &["age-secret-key-1"], r"(?i:AGE-SECRET-KEY-1[0-9A-Z]{40,})"),
    Rule::new(
        "nats-seed",
        "the seed of a NATS nkey",
        &[],
        r"(?-u:\b)S[ACNOUX][A-Z2-7]{56}(?-u:\b)",
    )
    .likely(|text| shape::has_run(text, 58))
    .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit())),
    Rule::new(
        "jwt",
        "a JSON Web Token",
        &["eyj"],
        r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    ),
    Rule::new(
        "authorization",
        "the credentials of an Authorization header",
        &["authorization"],
        r#"(?i-u:authorization)\\?["']?[ \t]*[:=,][ \t]*\\?["']?(?i-u:bearer|basic|token|digest|apikey|negotiate)[ \t]+(?P<v>[^\s"'`,;<>{}\[\]\\$*]{6,})"#,
    )
    .accept(|hit| !shape::is_placeholder(hit.value())),
    Rule::new(
        "authorization",
        "the credentials of an Authorization header",
        &["bearer"],
        r#"(?-u:\b)(?i-u:bearer)[ \t]+(?P<v>[A-Za-z0-9._~+/=-]{16,})"#,
    )
    .accept(|hit| !shape::is_placeholder(hit.value()) && shape::is_random(hit.value())),
    Rule::new(
        "url-credentials",
        "a user name and password in a URL",
        &["://"],
        r#"[A-Za-z][A-Za-z0-9+.-]*://(?P<v>[^\s/"'`<>:]*:[^\s/"'`<>]+)@[A-Za-z0-9\[_$%{]"#,
    )
    .accept(|hit| {
        hit.value().split_once(':').is_some_and(|(_, password)| {
            !shape::is_variable(password) && !shape::is_mask(password) && !password.starts_with('[')
        })
    }),
    Rule::new(
        "url-credentials",
        "a user name and password in a URL",
        &["://"],
        r"[A-Za-z][A-Za-z0-9+.-]*://(?P<v>[A-Za-z0-9_-]{20,})@[A-Za-z0-9]",
    )
    .accept(|hit| shape::is_random(hit.value())),
    Rule::new(
        "cookie",
        "the session in a Cookie header",
        &["cookie:"],
        r#"(?i-u:cookie):[^\n]*?(?i-u:sess[a-z_.-]*|[a-z_.-]*sid|auth[a-z_-]*|jwt)=(?P<v>[^\s;,"']{12,})"#,
    )
    .accept(|hit| shape::is_random(hit.value())),
    Rule::new(
        "url-credentials",
        "a user name and password in a URL",
        &["curl"],
        r#"(?-u:\b)curl(?-u:\b)[^\n]*?[ \t](?:-u|--user)[ =]?["']?(?P<v>[^\s"':$<]+:[^\s"'$<]{4,})"#,
    )
    .accept(|hit| !shape::is_placeholder(hit.value())),
];
