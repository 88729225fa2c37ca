//! Rate against capacity over time, with the first seed.

use rtc_core::ConfigError;
use rtc_examples::chart::{Chart, Series, Style};

use super::metrics::BIN;
use super::path::{Run, schedule};
use super::scenarios::Scenario;

/// Colours left beside the capacity's.
const CLASSES: [&str; 4] = ["b", "c", "d", "e"];

pub(super) struct Curves(Chart);

impl Curves {
    pub(super) fn new(scenario: &Scenario) -> Result<Self, ConfigError> {
        let capacity = schedule(scenario.forward)?;
        let bins = u32::try_from(scenario.seconds * 10).unwrap_or(0);
        let value = |bin: u32| {
            let time = core::time::Duration::from_millis(u64::from(bin) * 100);
            capacity.as_ref().map(|schedule| schedule.rate_at(time).as_bps_f64() / 1e3)
        };
        Ok(Self(Chart {
            title: scenario.name.into(),
            caption: format!(
                "{}. Media that arrived, over the last second, against what the link can carry.",
                scenario.input
            ),
            unit: "kb/s",
            step: BIN,
            floor: 0.0,
            ceiling: f64::INFINITY,
            mark: None,
            series: vec![Series {
                name: "capacity".into(),
                class: "a",
                style: Style::Area,
                values: (0..bins).map(value).collect(),
            }],
        }))
    }

    pub(super) fn add(&mut self, subject: &str, scenario: &Scenario, run: &Run) {
        let Some(class) = CLASSES.get(self.0.series.len() - 1) else { return };
        let rates = super::delivered_rates(scenario, run);
        let smooth = |bin: usize| {
            let window = &rates[bin.saturating_sub(9)..=bin];
            Some(window.iter().sum::<f64>() / window.len() as f64 / 1e3)
        };
        let values = (0..rates.len()).map(smooth).collect();
        self.0.series.push(Series { name: subject.to_owned().into(), class, style: Style::Line, values });
    }

    pub(super) fn to_html(&self) -> String {
        self.0.to_html()
    }
}
