//! Rate against capacity, and queue, over time, with the first seed.

use rtc_examples::chart::{Chart, Series, Style};

use super::figures;
use super::metrics::BIN;
use super::path::Run;
use super::scenarios::Scenario;

/// Colours left beside the capacity's.
const CLASSES: [&str; 6] = ["b", "c", "d", "e", "f", "g"];

/// Rate and queue.
pub(super) struct Curves([Chart; 2]);

impl Curves {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let bins = u32::try_from(scenario.seconds * 10).unwrap_or(0);
        let capacity = |bin: u32| Some(scenario.capacity(f64::from(bin) * BIN) / 1e3);
        let chart = |title: String, caption: String, unit, series| Chart {
            title,
            caption,
            unit,
            step: BIN,
            floor: 0.0,
            ceiling: f64::INFINITY,
            mark: None,
            series,
        };
        let area = Series {
            name: "capacity".into(),
            class: "a",
            style: Style::Area,
            values: (0..bins).map(capacity).collect(),
        };
        let rate =
            format!("{}. Media that arrived, over the last second, against what the link carries.", scenario.input);
        let queue = "The longest wait of a packet of media at the bottleneck in each tenth of a second.";
        Self([
            chart(format!("{}: rate", scenario.name), rate, "kb/s", vec![area]),
            chart(format!("{}: queue", scenario.name), queue.into(), "ms", Vec::new()),
        ])
    }

    pub(super) fn add(&mut self, subject: &str, scenario: &Scenario, run: &Run) {
        let [rate, queue] = &mut self.0;
        let Some(class) = CLASSES.get(queue.series.len()) else { return };
        let rates = figures::delivered_rates(scenario, run, None);
        let smooth = |bin: usize| {
            let window = &rates[bin.saturating_sub(9)..=bin];
            Some(window.iter().sum::<f64>() / window.len() as f64 / 1e3)
        };
        let waits = figures::longest_waits(scenario, run);
        for (chart, values) in [(rate, (0..rates.len()).map(smooth).collect()), (queue, waits)] {
            chart.series.push(Series { name: subject.to_owned().into(), class, style: Style::Line, values });
        }
    }

    pub(super) fn to_html(&self) -> String {
        self.0.iter().map(Chart::to_html).collect()
    }
}
