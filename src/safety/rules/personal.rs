//! What identifies people and their machines. Broker account ids are in `accounts`: their masks need a document.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{PHONE, Rule};
use crate::safety::engine::Hit;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "email",
        "an e-mail address, no-reply ones aside",
        &["@", "%40"],
        r"[\p{L}\p{N}._%+-]*[\p{L}\p{N}_+-](?:@|%40)(?P<domain>[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)*\.(?P<tld>\p{L}{2,}))",
    )
    .likely(has_domain)
    .accept(is_email),
    Rule::new("public-ip", "a public IP address", &[], r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
        .likely(has_four_parts)
        .accept(is_public_v4),
    Rule::new("public-ip", "a public IP address", &[], r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,35}")
        .likely(has_hex_group)
        .accept(is_public_v6),
    Rule::new(
        PHONE,
        "a phone number in its international or a clear national form",
        &["+"],
        r"\+[1-9](?:[ .\u{A0}-]?\(?[0-9]\)?){7,14}",
    )
    .accept(is_international),
    Rule::new(
        PHONE,
        "a phone number in its international or a clear national form",
        &[],
        r"(?:1[ -])?(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ -]|[2-9][0-9]{2}-[2-9][0-9]{2}-)[0-9]{4}",
    )
    .likely(has_national_number)
    .accept(stands_alone),
    Rule::new(
        PHONE,
        "a phone number in its international or a clear national form",
        &["phone", "mobile", "tel", "cell", "fax", "whatsapp", "sms"],
        r"(?-u:\b)(?i-u:(?:tele)?phone|mobile|tel|fax|whatsapp|cell)(?:[ .]?(?i-u:number|no))?[ ]?[:.=][ ]*(?P<v>[+(]?[0-9](?:[ ()/.-]{0,2}[0-9]){6,14})",
    )
    .accept(stands_alone),
];

/// Endings of file names that look like a domain's.
const NOT_DOMAINS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "js", "mjs", "ts", "tsx", "jsx", "json", "yaml", "yml", "toml",
    "service", "timer", "socket", "lock", "html", "css", "scss", "txt", "md", "py", "rs", "go", "sh", "tgz", "gz",
    "zip", "whl",
];

/// Something before an `@`, and a domain of several labels behind it.
fn has_domain(text: &str) -> bool {
    let signs = text.match_indices('@').chain(text.match_indices("%40"));
    let named = |at: usize| text[..at].ends_with(|c: char| !c.is_whitespace());
    let behind = |at: usize| text[at..].split(char::is_whitespace).next().unwrap_or_default();
    signs.into_iter().any(|(at, sign)| named(at) && behind(at + sign.len()).contains('.'))
}

/// Three digits with a point behind them, close to each other.
fn has_four_parts(text: &str) -> bool {
    const LENGTH_MAX: usize = 4;
    let ends = |pair: &[u8]| pair[0].is_ascii_digit() && pair[1] == b'.';
    let mut ends = text.as_bytes().windows(2).enumerate().filter(|(_, pair)| ends(pair)).map(|(at, _)| at);
    let (Some(mut first), Some(mut second)) = (ends.next(), ends.next()) else { return false };
    ends.any(|third| {
        let close = third - first <= 2 * LENGTH_MAX;
        (first, second) = (second, third);
        close
    })
}

/// Four hexadecimal digits and a colon, as in an address of version 6.
fn has_hex_group(text: &str) -> bool {
    let group = |bytes: &[u8]| {
        matches!(bytes[0], b'2' | b'3') && bytes[4] == b':' && bytes[1..4].iter().all(u8::is_ascii_hexdigit)
    };
    text.as_bytes().windows(5).any(group)
}

/// Four digits behind a hyphen or a blank, which follows a digit.
fn has_national_number(text: &str) -> bool {
    let number = |bytes: &[u8]| {
        bytes[0].is_ascii_digit() && matches!(bytes[1], b'-' | b' ') && bytes[2..].iter().all(u8::is_ascii_digit)
    };
    text.as_bytes().windows(6).any(number)
}

fn is_email(hit: &Hit<'_>) -> bool {
    let (domain, ending) = (hit.name("domain").unwrap_or_default(), hit.name("tld").unwrap_or_default());
    let local = hit.value()[..hit.value().len() - domain.len()].trim_end_matches("%40").trim_end_matches('@');
    let name: String = local.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    if ["noreply", "donotreply"].iter().any(|word| name.contains(word)) || domain.starts_with("users.noreply.") {
        return false;
    }
    // A version (`package@1.2.3-beta.rc`), a size (`icon@2x.png`), a file, or code (`a@b.dot()`).
    let first = domain.split('.').next().unwrap_or_default();
    let digits = first.trim_start_matches('v').trim_end_matches('x');
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && domain.split('.').count() > 1 {
        let version = domain.split('.').nth(1).is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        if version || first.ends_with('x') {
            return false;
        }
    }
    if NOT_DOMAINS.contains(&ending.to_lowercase().as_str()) || hit.after().starts_with('(') {
        return false;
    }
    // The user of an address such as `ssh://git@host/…` or `git@host:org/repo`.
    if hit.before().ends_with("://") {
        return false;
    }
    let place = hit
        .after()
        .strip_prefix(':')
        .map(|after| after.split(|c: char| c.is_whitespace() || "\"'`,;()<>".contains(c)).next().unwrap_or_default());
    let remote = place.is_some_and(|place| place.contains('/') || place.ends_with(".git"));
    !remote && (local != "git" || hit.after().starts_with('>'))
}

fn is_public_v4(hit: &Hit<'_>) -> bool {
    let Ok(address) = hit.value().parse::<Ipv4Addr>() else { return false };
    let [a, b, c, _] = address.octets();
    let special = matches!(a, 0 | 10 | 127 | 224..)
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a == 100 && (64..128).contains(&b)
        || (a == 198 && (b == 18 || b == 19))
        || (a, b, c) == (192, 0, 0);
    if special {
        return false;
    }
    let (before, after) = (hit.before(), hit.after());
    if before.ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
        || after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        || after.strip_prefix(['.', '-']).is_some_and(|after| after.starts_with(|c: char| c.is_alphanumeric()))
    {
        return false;
    }
    !is_version(before)
}

/// Whether what stands before a number of four parts says that it is a version.
fn is_version(before: &str) -> bool {
    let product = before.strip_suffix('/').is_some_and(|name| name.ends_with(|c: char| c.is_ascii_alphanumeric()))
        && !before.rsplit(char::is_whitespace).next().unwrap_or_default().contains("//");
    let required = ["==", ">=", "<=", "~=", "^", "~>"].iter().any(|operator| before.trim_end().ends_with(operator));
    let words = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'`:=({[*".contains(c));
    let word = words.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let named = [
        "v",
        "ver",
        "version",
        "versions",
        "release",
        "released",
        "build",
        "section",
        "sections",
        "upgrade",
        "bump",
        "oid",
        "objectidentifier",
    ];
    product || required || named.contains(&word.as_str()) || word.ends_with("version")
}

fn is_public_v6(hit: &Hit<'_>) -> bool {
    let value = hit.value();
    let clear = !hit.before().ends_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_')
        && !hit.after().starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let address = value.trim_end_matches(':').parse::<Ipv6Addr>().or_else(|_| value.parse());
    clear && address.is_ok_and(|address| address.segments()[..2] != [0x2001, 0xdb8])
}

fn is_international(hit: &Hit<'_>) -> bool {
    let value = hit.value();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let groups: Vec<&str> = value.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    // A gain written in thousands, or a plain number, is no phone number.
    let cents = value.rsplit_once('.').is_some_and(|(_, cents)| cents.len() <= 2);
    let whole = &groups[1..groups.len() - usize::from(cents && groups.len() > 1)];
    let thousands = !whole.is_empty() && whole.iter().all(|group| group.len() == 3) && digits < 11;
    let decimal = value.contains('.') && groups.len() == 2;
    let long_enough = if groups.len() == 1 { digits >= 10 } else { digits >= 8 };
    long_enough && !thousands && !decimal && stands_alone(hit)
}

/// No digits, letters, decimals or units beside it: not a piece of an id, a time or an amount.
fn stands_alone(hit: &Hit<'_>) -> bool {
    let (before, after) = (hit.before(), hit.after());
    let joined = after
        .strip_prefix(['.', ',', '-', ':', '/'])
        .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
    !before.ends_with(|c: char| c.is_alphanumeric() || "-_.+/$€#".contains(c))
        && !after.starts_with(|c: char| c.is_alphanumeric() || "_%$€".contains(c))
        && !joined
}
