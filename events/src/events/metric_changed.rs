//! `metric.changed`: a metric has another value.

use crate::{Fact, Figure};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A metric has another value. It is no fact of the log but computed from it; the bus keeps the last one of each name on
/// `flywheel.metrics.<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricChanged {
    /// The metric, as `flywheel metrics` names it.
    pub name: String,
    /// The position of the log up to which it counts.
    pub log_position: u64,
    /// All its values: one for each window and each combination of dimensions.
    pub values: Vec<MetricValue>,
    /// How many values more there are than an event takes; `flywheel metrics` prints them all.
    pub left_out: u64,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricValue {
    /// A count, a ratio, a mean or seconds; null where there is nothing to divide by.
    pub value: Option<Figure>,
    /// What was counted above the line; null where the value is no quotient.
    pub numerator: Option<u64>,
    /// What was counted below the line, or how many observations a quantile rests on; null for a plain count.
    pub denominator: Option<u64>,
    /// The ISO week (UTC) it is of, like `2025-W49`, or `all`.
    pub window: String,
    /// What it is of: `{"pipeline": "build"}`.
    pub dimensions: BTreeMap<String, String>,
}

impl Fact for MetricChanged {
    const TYPE: &'static str = "dev.dreamos.metric.changed.v1";

    fn example() -> Self {
        let dimensions = [("pipeline".to_owned(), "build".to_owned())].into();
        Self {
            name: "pipeline_success_rate".into(),
            log_position: 1204,
            values: vec![MetricValue {
                value: Some(Decimal::new(75, 2).into()),
                numerator: Some(3),
                denominator: Some(4),
                window: "all".into(),
                dimensions,
            }],
            left_out: 0,
        }
    }
}
