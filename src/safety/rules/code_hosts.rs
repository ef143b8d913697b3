//! Tokens of code hosts and package registries, in their published formats.

use super::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "github-token",
        "a GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"gh[pousr]_[A-Za-z0-9_]{36,}",
    ),
    Rule::new("github-token", "a GitHub token", &["github_pat_"], r"github_pat_[A-Za-z0-9_]{36,}"),
    Rule::new(
        "gitlab-token",
        "a GitLab token",
        &["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glft-"],
        r"gl(?:pat|dt|rt|ptt|cbt|soat|ft)-[A-Za-z0-9_.-]{20,}",
    ),
    Rule::new("npm-token", "an npm access token", &["npm_"], r"npm_[A-Za-z0-9]{36,}"),
    Rule::new("pypi-token", "a PyPI upload token", &["pypi-"], r"pypi-[A-Za-z0-9_-]{50,}"),
    Rule::new("crates-io-token", "a crates.io token", &["cio"], r"(?-u:\b)cio[A-Za-z0-9]{32}(?-u:\b)")
        .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit())),
    Rule::new("rubygems-token", "a RubyGems API key", &["rubygems_"], r"rubygems_[0-9a-f]{48,}"),
    Rule::new("docker-token", "a Docker Hub token", &["dckr_"], r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
];
