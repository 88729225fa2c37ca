//! What was found: rows, and where and with what they were found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cost::Cost;

mod html;
mod table;
mod target;

pub(crate) use html::to_html;
pub(crate) use table::to_table;
pub(crate) use target::Target;

/// All that one mechanism was measured by.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) mechanism: &'static str,
    pub(crate) machine: Machine,
    /// Version by name of all subjects, or why one could not be had.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
    /// Whether the table has a line per scenario and subject in place of a block per scenario.
    #[serde(skip)]
    pub(crate) is_compact: bool,
    /// Drawings for the page, as HTML, by scenario.
    #[serde(skip)]
    pub(crate) figures: Vec<(String, String)>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) os: String,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    /// What went in, in words.
    pub(crate) input: String,
    /// How many seeds the value is the median of.
    pub(crate) seeds: u64,
    /// `ours`, a peer's name with its version, or `bound`.
    pub(crate) subject: String,
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    /// `None` where there is nothing to measure, such as the time to reach what was never reached.
    pub(crate) value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
}

/// A metric: what it is called, and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric(pub(crate) &'static str, pub(crate) &'static str);

/// What the rows of a scenario have in common.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) scenario: String,
    pub(crate) input: String,
    pub(crate) seeds: u64,
}

impl Report {
    pub(crate) fn new(mechanism: &'static str) -> Self {
        let versions = [("ours".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into();
        Self { mechanism, machine: Machine::this(), versions, rows: Vec::new(), is_compact: false, figures: Vec::new() }
    }

    /// Takes note of a subject, and gives its maker if it can be had.
    pub(crate) fn admit<'a, M>(&mut self, subject: &'a crate::subject::Subject<M>) -> Option<&'a M> {
        match &subject.maker {
            Ok(maker) => {
                if let Some((name, version)) = subject.name.rsplit_once(' ').filter(|_| !subject.is_variant) {
                    self.versions.insert(name.to_owned(), version.to_owned());
                }
                Some(maker)
            }
            Err(why) => {
                self.versions.insert(subject.name.clone(), format!("not available: {why}"));
                None
            }
        }
    }

    /// Takes note of why a subject has no figure somewhere.
    pub(crate) fn note(&mut self, subject: &str, why: &str) {
        self.versions.insert(format!("{subject}, {why}"), "not available".into());
    }

    /// Takes note that ours is still to come, and with what.
    pub(crate) fn await_ours(&mut self, package: &str) {
        self.versions.insert("ours".into(), format!("not available: arrives with {package}"));
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, setting: &Setting, subject: &str, metric: Metric, value: f64) {
        self.push(setting, subject, metric, value, None);
    }

    /// Adds a figure of ours, held against a target.
    pub(crate) fn add_targeted(&mut self, setting: &Setting, metric: Metric, value: f64, target: Target) {
        self.push(setting, "ours", metric, value, Some(target));
    }

    /// Adds a figure held against a target, if there is one, of one of several subjects of ours.
    pub(crate) fn add_judged(
        &mut self,
        setting: &Setting,
        subject: &str,
        metric: Metric,
        value: f64,
        target: Option<Target>,
    ) {
        self.push(setting, subject, metric, value, target);
    }

    /// Adds the figures of a cost. `counted` says whether allocations of this subject can be.
    pub(crate) fn add_cost(&mut self, setting: &Setting, subject: &str, unit: &'static str, cost: Cost, counted: bool) {
        self.add(setting, subject, Metric("cpu", unit), cost.nanos);
        if counted {
            self.add(setting, subject, Metric("allocations", "per unit"), cost.allocations);
        }
    }

    fn push(&mut self, setting: &Setting, subject: &str, metric: Metric, value: f64, target: Option<Target>) {
        let value = value.is_finite().then_some(value);
        self.rows.push(Row {
            scenario: setting.scenario.clone(),
            input: setting.input.clone(),
            seeds: setting.seeds,
            subject: subject.into(),
            metric: metric.0,
            unit: metric.1,
            value,
            // A value that is none has not met anything.
            met: target.map(|target| value.is_some_and(|value| target.is_met(value))),
            target,
        });
    }
}

impl Machine {
    fn this() -> Self {
        let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS.to_owned(),
        }
    }
}
