//! Keys of payment, model and work services, in their published formats.

use super::Rule;
use crate::safety::shape;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "stripe-key",
        "a Stripe key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",
    )
    .accept(|hit| !shape::is_mask(&hit.value()[8..])),
    Rule::new("stripe-webhook-secret", "a Stripe webhook secret", &["whsec_"], r"whsec_[A-Za-z0-9+/=]{24,}"),
    Rule::new("anthropic-key", "an Anthropic API key", &["sk-ant-"], r"sk-ant-[A-Za-z0-9_-]{20,}")
        .accept(|hit| !shape::is_mask(&hit.value()[7..])),
    Rule::new(
        "openai-key",
        "an OpenAI API key",
        &["sk-"],
        r"sk-(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    )
    .accept(|hit| !shape::is_mask(&hit.value()[8..]) && !hit.value().contains("xxxxxxxx")),
    Rule::new("openai-key", "an OpenAI API key", &["sk-"], r"(?:^|[^A-Za-z0-9_-])(?P<v>sk-[A-Za-z0-9]{32,})")
        .accept(|hit| !shape::is_mask(&hit.value()[3..])),
    Rule::new("huggingface-token", "a Hugging Face token", &["hf_"], r"(?-u:\b)hf_[A-Za-z0-9]{30,}")
        .accept(|hit| !shape::is_mask(&hit.value()[3..])),
    Rule::new("groq-key", "a Groq API key", &["gsk_"], r"(?-u:\b)gsk_[A-Za-z0-9]{40,}"),
    Rule::new("xai-key", "an xAI API key", &["xai-"], r"(?-u:\b)xai-[A-Za-z0-9]{60,}"),
    Rule::new("perplexity-key", "a Perplexity API key", &["pplx-"], r"(?-u:\b)pplx-[A-Za-z0-9]{40,}"),
    Rule::new("replicate-token", "a Replicate token", &["r8_"], r"(?-u:\b)r8_[A-Za-z0-9]{37,}"),
    Rule::new(
        "notion-token",
        "a Notion integration token",
        &["secret_", "ntn_"],
        r"(?-u:\b)(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,})",
    ),
    Rule::new("linear-key", "a Linear API key", &["lin_"], r"lin_(?:api|oauth|wh)_[A-Za-z0-9]{32,}"),
    Rule::new("shopify-token", "a Shopify token", &["shp"], r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    Rule::new("square-token", "a Square token", &["sq0"], r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}"),
    Rule::new("grafana-token", "a Grafana token", &["glsa_", "glc_"], r"gl(?:sa|c)_[A-Za-z0-9_=+/]{32,}"),
    Rule::new("sentry-token", "a Sentry token", &["sntrys_", "sntryu_"], r"sntry[su]_[A-Za-z0-9_=+/.-]{40,}"),
    Rule::new("postman-key", "a Postman API key", &["pmak-"], r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    Rule::new("airtable-token", "an Airtable token", &["pat"], r"(?-u:\b)pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    Rule::new("figma-token", "a Figma token", &["figd_"], r"figd_[A-Za-z0-9_-]{40,}"),
    Rule::new("newrelic-key", "a New Relic key", &["nrak-"], r"NRAK-[A-Z0-9]{27}"),
    Rule::new(
        "alpaca-key",
        "an Alpaca trading key",
        &["alpaca", "apca"],
        r"(?i-u:alpaca|apca)[^\n]{0,60}?[^A-Za-z0-9](?P<v>[PAC]K[A-Z0-9]{16,24})(?-u:\b)",
    )
    .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit())),
];
