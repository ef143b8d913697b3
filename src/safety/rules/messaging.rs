//! Tokens and webhooks of messaging and mail services, in their published formats.

use super::Rule;
use crate::safety::shape;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "slack-token",
        "a Slack token",
        &["xox", "xapp-"],
        r"(?:xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,})",
    )
    .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit()) && !shape::is_mask(hit.value())),
    Rule::new(
        "slack-webhook",
        "a Slack webhook's address",
        &["hooks.slack"],
        r"(?:https?://)?hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/(?P<v>[A-Za-z0-9_/+-]{20,})",
    )
    .accept(|hit| !shape::is_placeholder(hit.value())),
    Rule::new(
        "teams-webhook",
        "a Microsoft Teams webhook's address",
        &["webhook.office.com"],
        r"webhook\.office\.com/webhookb2/(?P<v>[A-Za-z0-9@/_-]{20,})",
    ),
    Rule::new(
        "discord-webhook",
        "a Discord webhook's address",
        &["api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/(?P<v>[0-9]{15,22}/[A-Za-z0-9_-]{20,})",
    ),
    Rule::new(
        "discord-token",
        "a Discord bot token",
        &[],
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
    )
    .likely(|text| shape::has_run(text, 59))
    .accept(|hit| shape::is_mixed(hit.value())),
    Rule::new("telegram-token", "a Telegram bot token", &[":aa"], r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    Rule::new("twilio-key", "a Twilio account id or key", &["ac", "sk"], r"(?-u:\b)(?:AC|SK)[0-9a-f]{32}(?-u:\b)")
        .likely(|text| shape::has_run(text, 34)),
    Rule::new("sendgrid-key", "a SendGrid API key", &["sg."], r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}"),
    Rule::new("mailgun-key", "a Mailgun API key", &["key-"], r"(?:^|[^A-Za-z0-9_-])(?P<v>key-[0-9a-z]{32})(?-u:\b)"),
    Rule::new("mailchimp-key", "a Mailchimp API key", &["-us"], r"(?-u:\b)[0-9a-f]{32}-us[0-9]{1,2}(?-u:\b)"),
    Rule::new("brevo-key", "a Brevo API key", &["xkeysib-"], r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
];
