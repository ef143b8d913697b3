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
    Rule::new("airtable-token", "an Airtable token", &["pat"], r"(?-u:\b)pat[A-Za-z0-9]{14}\.[0-9a-f]{64}")
        .likely(|text| shape::has_run(text, 82)),
    Rule::new("figma-token", "a Figma token", &["figd_"], r"figd_[A-Za-z0-9_-]{40,}"),
    Rule::new(
        "langsmith-key",
        "a LangSmith API key",
        &["lsv2_"],
        r"(?-u:\b)lsv2_(?:pt|sk)_[0-9a-f]{32}(?:_[0-9a-f]{10})?",
    ),
    Rule::new("nvidia-key", "an NVIDIA API key", &["nvapi-"], r"(?-u:\b)nvapi-[A-Za-z0-9_-]{60,}"),
    Rule::new("pinecone-key", "a Pinecone API key", &["pcsk_"], r"(?-u:\b)pcsk_[A-Za-z0-9_]{50,}"),
    Rule::new("cerebras-key", "a Cerebras API key", &["csk-"], r"(?-u:\b)csk-[a-z0-9]{40,}"),
    Rule::new("tavily-key", "a Tavily API key", &["tvly-"], r"(?-u:\b)tvly-[A-Za-z0-9-]{30,}"),
    Rule::new("elevenlabs-key", "an ElevenLabs API key", &["sk_"], r"(?-u:\b)sk_[0-9a-f]{48}(?-u:\b)"),
    Rule::new(
        "langfuse-key",
        "a Langfuse secret key",
        &["sk-lf-"],
        r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ),
    Rule::new("resend-key", "a Resend API key", &["re_"], r"(?-u:\b)re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?-u:\b)")
        .accept(|hit| shape::is_mixed(hit.value())),
    Rule::new("posthog-key", "a PostHog personal key", &["phx_"], r"(?-u:\b)phx_[A-Za-z0-9]{40,}"),
    Rule::new("typeform-token", "a Typeform token", &["tfp_"], r"(?-u:\b)tfp_[A-Za-z0-9_.=-]{40,}"),
    Rule::new(
        "flutterwave-key",
        "a Flutterwave secret key",
        &["flwseck"],
        r"FLWSECK(?:_(?:TEST|LIVE))?-[0-9A-Za-z]{12,}(?:-X)?",
    ),
    Rule::new(
        "dynatrace-token",
        "a Dynatrace token",
        &["dt0"],
        r"(?-u:\b)dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    ),
    Rule::new(
        "onepassword-token",
        "a 1Password service account token",
        &["ops_eyj"],
        r"(?-u:\b)ops_eyJ[A-Za-z0-9+/_=-]{100,}",
    ),
    Rule::new("newrelic-key", "a New Relic key", &["nrak-"], r"NRAK-[A-Z0-9]{27}"),
    Rule::new(
        "alpaca-key",
        "an Alpaca trading key",
        &["alpaca", "apca"],
        r"(?i-u:alpaca|apca)[^\n]{0,60}?[^A-Za-z0-9](?P<v>[PAC]K[A-Z0-9]{16,24})(?-u:\b)",
    )
    .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit())),
];
