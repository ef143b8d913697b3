//! Keys of cloud platforms and databases, in their published formats.

use super::Rule;
use crate::safety::shape;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "aws-access-key-id",
        "an AWS access key id",
        &["akia", "asia", "abia", "acca"],
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}",
    )
    .accept(|hit| !hit.before().ends_with(|c: char| c.is_ascii_uppercase()) || hit.value().len() == 20),
    Rule::new(
        "aws-secret-access-key",
        "an AWS secret access key beside its name",
        &["aws", "secret"],
        r#"(?i-u:aws|secret_?access_?key|secret_?key|secretkey)[^\n]{0,60}?[^A-Za-z0-9/+](?P<v>[A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|\z)"#,
    )
    .accept(|hit| shape::is_mixed(hit.value()) && shape::is_random(hit.value())),
    Rule::new("google-api-key", "a Google API key", &["aiza"], r"AIza[0-9A-Za-z_-]{35,}"),
    Rule::new("google-oauth-secret", "a Google OAuth client secret", &["gocspx-"], r"GOCSPX-[0-9A-Za-z_-]{28,}"),
    Rule::new("google-oauth-token", "a Google OAuth access token", &["ya29."], r"ya29\.[0-9A-Za-z_-]{30,}"),
    Rule::new(
        "azure-key",
        "an Azure account or shared access key",
        &["accountkey=", "sharedaccesskey="],
        r"(?i-u:AccountKey|SharedAccessKey)=(?P<v>[A-Za-z0-9+/]{40,}={0,2})",
    ),
    Rule::new("azure-key", "an Azure account or shared access key", &["sig="], r"[?&]sig=(?P<v>[A-Za-z0-9%+/=]{40,})"),
    Rule::new("azure-client-secret", "an Azure client secret", &["q~"], r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    Rule::new("digitalocean-token", "a DigitalOcean token", &["_v1_"], r"do[opr]_v1_[0-9a-f]{64}"),
    Rule::new(
        "heroku-key",
        "a Heroku API key",
        &["heroku"],
        r#"(?i-u:heroku)[^\n]{0,40}?[^0-9A-Za-z-](?P<v>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"#,
    )
    .accept(|hit| {
        let before = hit.text[hit.captures.get(0).map_or(0, |all| all.start())..hit.start].to_ascii_lowercase();
        ["key", "token", "secret", "password", "auth"].iter().any(|word| before.contains(word))
    }),
    Rule::new("heroku-key", "a Heroku API key", &["hrku-"], r"HRKU-[0-9A-Za-z_-]{30,}"),
    Rule::new("databricks-token", "a Databricks token", &["dapi"], r"(?-u:\b)dapi[0-9a-f]{32}(?:-[0-9])?"),
    Rule::new("vault-token", "a HashiCorp Vault token", &["hvs.", "hvb."], r"hv[sb]\.[A-Za-z0-9_-]{24,}"),
    Rule::new("planetscale-token", "a PlanetScale token or password", &["pscale_"], r"pscale_[a-z]+_[A-Za-z0-9_.=-]{32,}"),
    Rule::new("pulumi-token", "a Pulumi token", &["pul-"], r"(?-u:\b)pul-[0-9a-f]{40}"),
    Rule::new("terraform-token", "a Terraform token", &[".atlasv1."], r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    Rule::new("fly-token", "a Fly.io token", &["fm1", "fm2", "fo1_"], r"(?-u:\b)(?:fm[12][ar]?|fo1)_[A-Za-z0-9+/=_-]{40,}"),
    Rule::new("netlify-token", "a Netlify token", &["nfp_", "nfc_", "nfo_"], r"(?-u:\b)nf[pco]_[A-Za-z0-9]{36}"),
    Rule::new(
        "vercel-token",
        "a Vercel token",
        &["vcp_", "vci_", "vca_", "vcr_", "vck_"],
        r"(?-u:\b)vc[piark]_[A-Za-z0-9]{24,}",
    ),
    Rule::new(
        "supabase-key",
        "a Supabase token or secret key",
        &["sbp_", "sb_secret_"],
        r"(?-u:\b)(?:sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{22,})",
    ),
    Rule::new("tailscale-key", "a Tailscale key", &["tskey-"], r"tskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]{16,}"),
    Rule::new("alibaba-access-key-id", "an Alibaba Cloud access key id", &["ltai"], r"(?-u:\b)LTAI[A-Za-z0-9]{16,20}(?-u:\b)"),
    Rule::new(
        "doppler-token",
        "a Doppler token",
        &["dp."],
        r"(?-u:\b)dp\.(?:pt|ct|st|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}(?-u:\b)",
    ),
];
