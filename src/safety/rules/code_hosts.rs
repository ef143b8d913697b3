//! Tokens of code hosts and package registries, in their published formats.

use super::Rule;
use crate::safety::shape;

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
        &["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glft-", "glagent-", "glimt-", "gloas-"],
        r"gl(?:pat|dt|rt|ptt|cbt|soat|ft|agent|imt|oas)-[A-Za-z0-9_.-]{20,}",
    ),
    Rule::new(
        "atlassian-token",
        "an Atlassian or Bitbucket token",
        &["atatt3", "atctt3", "atbb"],
        r"(?-u:\b)(?:AT[AC]TT3[A-Za-z0-9_=-]{60,}|ATBB[A-Za-z0-9]{32})",
    ),
    Rule::new(
        "circleci-token",
        "a CircleCI token",
        &["ccipat_", "cciprj_"],
        r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}",
    ),
    Rule::new("buildkite-token", "a Buildkite token", &["bkua_"], r"(?-u:\b)bkua_[0-9a-f]{40}"),
    Rule::new(
        "sourcegraph-token",
        "a Sourcegraph token",
        &["sgp_"],
        r"(?-u:\b)sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}",
    ),
    Rule::new("npm-token", "an npm access token", &["npm_"], r"npm_[A-Za-z0-9]{36,}"),
    Rule::new("pypi-token", "a PyPI upload token", &["pypi-"], r"pypi-[A-Za-z0-9_-]{50,}"),
    Rule::new(
        "crates-io-token",
        "a token of the Rust package registry",
        &["cio"],
        r"(?-u:\b)cio[A-Za-z0-9]{32}(?-u:\b)",
    )
    .likely(|text| shape::has_run(text, 35))
    .accept(|hit| hit.value().bytes().any(|byte| byte.is_ascii_digit())),
    Rule::new("rubygems-token", "a RubyGems API key", &["rubygems_"], r"rubygems_[0-9a-f]{48,}"),
    Rule::new("docker-token", "a Docker Hub token", &["dckr_"], r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
];
