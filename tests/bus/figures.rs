//! The figures of a process, as Prometheus reads them.

use crate::swarm::{Process, path, until};
use std::{collections::BTreeMap, process::Command};

/// A figure's name, and its labels.
type Labels = BTreeMap<String, String>;

/// What a process said of itself at one moment.
#[derive(Debug)]
pub struct Figures(Vec<(String, Labels, f64)>);

impl Figures {
    /// Fetches them from where the process says that they are.
    pub async fn of(process: &Process) -> Self {
        until("it says where its figures are", || async { process.said().contains("/metrics") }).await;
        let said = process.said();
        let url = said.split_whitespace().find(|word| word.ends_with("/metrics")).expect("a URL");
        let python = path(".tools/python/bin/python");
        assert!(python.exists(), "there are no Python packages: `tests/tools/python` installs them");
        let output = Command::new(python).arg(path("tests/bus/figures.py")).arg(url).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// The sum of a figure over everything that has these labels; nothing where there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_of = |its: &Labels| labels.iter().all(|(name, value)| its.get(*name).is_some_and(|its| its == value));
        let mut found = self.0.iter().filter(|(its, labels, _)| its == name && is_of(labels)).peekable();
        found.peek()?;
        Some(found.map(|(.., value)| value).sum())
    }

    /// A figure of a consumer; 0 where there is none.
    pub fn of_consumer(&self, name: &str, consumer: &str) -> f64 {
        self.get(name, &[("messaging_consumer_group_name", consumer)]).unwrap_or(0.0)
    }

    /// How many facts of a step were published with this outcome.
    pub fn sent(&self, step: &str, outcome: &str) -> f64 {
        let template = format!("flywheel.log.{step}");
        let labels = [("messaging_destination_template", template.as_str()), ("flywheel_outcome", outcome)];
        self.get("messaging_client_sent_messages_total", &labels).unwrap_or(0.0)
    }

    /// Every value of a label.
    pub fn values(&self, name: &str, label: &str) -> Vec<&str> {
        let of_name = self.0.iter().filter(|(its, ..)| its == name);
        let mut values: Vec<_> = of_name.filter_map(|(_, labels, _)| labels.get(label)).map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}
