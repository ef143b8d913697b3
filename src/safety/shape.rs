//! What a value looks like: a placeholder, code, a digest, or chance.

/// Words that stand where a value will be.
const PLACEHOLDER_WORDS: &[&str] = &[
    "your",
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "replace",
    "dummy",
    "redacted",
    "insert",
    "sample",
    "todo",
    "fixme",
    "goes-here",
    "goes_here",
    "my-secret",
    "my_secret",
    "mysecret",
    "hidden",
    "omitted",
];

/// Values that say what kind of value it is, or that there is none.
const TYPE_WORDS: &[&str] = &[
    "string",
    "str",
    "text",
    "number",
    "int",
    "integer",
    "bool",
    "boolean",
    "object",
    "any",
    "unknown",
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "required",
    "optional",
    "secret",
    "password",
    "token",
    "void",
    "bytes",
    "char",
    "varchar",
    "default",
    "empty",
    "unset",
    "missing",
    "invalid",
    "valid",
    "expired",
    "rotated",
    "changed",
    "revoked",
    "pending",
    "disabled",
    "enabled",
    "masked",
    "api_key",
    "apikey",
    "n/a",
    "env",
    "vault",
    "keychain",
    "prompt",
    "test",
];

/// From this length on, a text with this much entropy is no name however it looks.
const CHANCE_LENGTH_MIN: usize = 32;
const CHANCE_MILLIBITS_MIN: usize = 4_400;

/// `$VAR`, `${{ secrets.X }}`, `%VAR%`, `{{ x }}`, `<token>` and the like.
pub(super) fn is_variable(value: &str) -> bool {
    let value = value.trim();
    let name = |c: char| c.is_ascii_alphanumeric() || "_.-:{}() ".contains(c);
    if let Some(rest) = value.strip_prefix('$') {
        return rest.starts_with(['{', '('])
            || rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && rest.chars().all(name);
    }
    let wrapped = [('<', '>'), ('{', '}'), ('[', ']'), ('%', '%')];
    wrapped.iter().any(|(open, close)| value.len() > 2 && value.starts_with(*open) && value.ends_with(*close))
        || value.starts_with("{{")
        || value.starts_with("[redacted:")
        || [
            "process.env",
            "os.environ",
            "os.getenv",
            "env.",
            "env::",
            "std::env",
            "secrets.",
            "config.",
            "settings.",
            "self.",
            "this.",
        ]
        .iter()
        .any(|prefix| value.starts_with(prefix))
}

/// `xxxx`, `****`, `....`: one character over and over, perhaps with a readable end.
pub(super) fn is_mask(value: &str) -> bool {
    let value = value.trim();
    let masking = |c: char| matches!(c, 'x' | 'X' | '*' | '.' | '•' | '…' | '#' | '_' | '-' | '?' | '█');
    let masked = value.chars().filter(|c| masking(*c)).count();
    let all = value.chars().count();
    let run = value.split(|c| !masking(c)).map(|run| run.chars().count()).max().unwrap_or(0);
    value.contains("***")
        || value.ends_with('…')
        || value.ends_with("...")
        || all > 0 && masked == all
        || run * 2 > all && run >= 4
}

/// A mask, a variable, or a word that stands where a value will be.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.trim().to_lowercase();
    let bare = lower.trim_start_matches('!').trim_end_matches([';', ',', '.', '!', '?', ':', '|']);
    bare.is_empty()
        || is_variable(value)
        || is_mask(value)
        || TYPE_WORDS.contains(&bare)
        || PLACEHOLDER_WORDS.iter().any(|word| {
            // As a word of its own: chance may spell one inside of a token.
            lower.match_indices(word).any(|(at, _)| {
                let (before, after) = (&lower[..at], &lower[at + word.len()..]);
                !before.ends_with(|c: char| c.is_ascii_alphanumeric())
                    && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
            })
        })
}

/// Dates, versions, plain numbers, paths and addresses: written beside key words, and no secrets.
pub(super) fn is_harmless(value: &str) -> bool {
    let numeric = value.chars().all(|c| c.is_ascii_digit() || ".,:-/TZ+%".contains(c));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let version = value.trim_start_matches(['v', '^', '~']).split(['-', '+']).next().unwrap_or_default();
    let is_version = version.split('.').count() >= 3
        && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let path = ["/", "./", "../", "~/", "http://", "https://", "file:", "arn:", "vault:", "op://"]
        .iter()
        .any(|start| value.starts_with(start))
        && value.matches('/').count() + value.matches(':').count() >= 1
        && value.split(['/', ':']).all(|part| part.len() < 30);
    (numeric && (digits < value.len() || digits < 6)) || is_version || path
}

/// Words joined by `_`, `-`, `.`, `/` or a change of case, perhaps numbered.
pub(super) fn is_identifier(value: &str) -> bool {
    let mut words: Vec<usize> = Vec::new();
    let mut previous = '_';
    for c in value.chars() {
        if c == '_' || c == '-' || c == '.' || c == '/' {
            previous = '_';
            continue;
        }
        if !c.is_ascii_alphanumeric() {
            return false;
        }
        let kind = |c: char| (c.is_ascii_digit(), c.is_ascii_uppercase());
        let begins =
            previous == '_' || kind(previous) != kind(c) && !(previous.is_ascii_uppercase() && c.is_ascii_lowercase());
        match words.last_mut() {
            Some(length) if !begins => *length += 1,
            _ => words.push(1),
        }
        previous = c;
    }
    // Words repeat their letters; forty letters of chance hardly do.
    if value.len() >= CHANCE_LENGTH_MIN && is_mixed(value) && entropy_millibits(value) >= CHANCE_MILLIBITS_MIN {
        return false;
    }
    let letters: usize = words.iter().sum();
    let vowels = value.bytes().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    !words.is_empty() && letters >= words.len() * 3 && vowels * 6 >= letters && digits * 4 <= letters
}

/// Several words joined by hyphens and the like, as passphrases are.
pub(super) fn is_passphrase(value: &str) -> bool {
    value.len() >= 20 && value.split(['-', '.', ' ']).filter(|word| word.len() >= 3).count() >= 4
}

/// Whether so many characters of which tokens are made stand in a row.
pub(super) fn has_run(text: &str, length: usize) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() >= length && text.as_bytes().split(|byte| !token(*byte)).any(|run| run.len() >= length)
}

/// Both cases and digits.
pub(super) fn is_mixed(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

/// Whether a value looks like chance: letters and digits, and at least 2.5 bits of entropy a byte.
pub(super) fn is_random(value: &str) -> bool {
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let varied = is_mixed_case_and_long(value);
    (digit && letter || varied) && entropy_millibits(value) >= 2_500
}

fn is_mixed_case_and_long(value: &str) -> bool {
    let upper = value.bytes().filter(u8::is_ascii_uppercase).count();
    let lower = value.bytes().filter(u8::is_ascii_lowercase).count();
    value.len() >= 20 && upper >= 4 && lower >= 4
}

/// Shannon entropy in thousandths of a bit a byte, from a logarithm that is linear between powers of two.
fn entropy_millibits(value: &str) -> usize {
    let mut counts = [0_usize; 256];
    value.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = value.len().max(1);
    let weighted: usize = counts.iter().filter(|count| **count > 0).map(|count| count * log2_milli(*count)).sum();
    log2_milli(length).saturating_sub(weighted / length)
}

fn log2_milli(n: usize) -> usize {
    let whole = n.ilog2();
    let rest = n - (1 << whole);
    1_000 * whole as usize + rest.saturating_mul(1_000) / (1 << whole)
}

/// A field's name without case and separators.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a name is a password's.
pub(super) fn names_password(key: &str) -> bool {
    let key = plain(key);
    ["password", "passwd", "passphrase", "passwort", "pwd", "dbpass"].iter().any(|word| key.ends_with(word))
}

/// Whether a word names how something is kept, as in "the password is sha256 and salted".
pub(super) fn names_algorithm(word: &str) -> bool {
    let word = word.to_lowercase();
    ["sha", "md5", "base64", "base32", "bcrypt", "argon2", "scrypt", "pbkdf2", "utf", "oauth", "aes", "rsa", "hmac"]
        .iter()
        .any(|name| word.starts_with(name))
}

/// What a field's name says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Whatever it holds is a secret, placeholders aside.
    Secret,
    /// What it holds is a secret if it looks like one.
    Perhaps,
    /// Nothing.
    Nothing,
}

/// What the name of a JSON field says about its value.
pub(super) fn named(key: &str) -> Named {
    let key = plain(key);
    let ends = |words: &[&str]| words.iter().any(|word| key.ends_with(word));
    if ends(&[
        "password",
        "passwd",
        "passphrase",
        "passwort",
        "apikey",
        "apisecret",
        "secretkey",
        "clientsecret",
        "privatekey",
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "bearertoken",
        "sessiontoken",
        "secretaccesskey",
        "connectionstring",
        "accountkey",
        "webhooksecret",
        "signingsecret",
        "signingkey",
        "encryptionkey",
        "jwtsecret",
        "accesskey",
        "apitoken",
        "bottoken",
        "oauthtoken",
        "idtoken",
        "appsecret",
        "authkey",
    ]) {
        Named::Secret
    } else if ends(&[
        "token",
        "secret",
        "secrets",
        "pwd",
        "pass",
        "credential",
        "credentials",
        "authorization",
        "auth",
        "bearer",
        "cookie",
    ]) {
        Named::Perhaps
    } else {
        Named::Nothing
    }
}
