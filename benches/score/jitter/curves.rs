//! Delay over time with the first seed, and delay against concealment.

use rtc_examples::chart::{Chart, Plot, Points, Series, Style};

use super::oracle::Curve;
use super::replay::{Pull, Stream};
use super::scenarios::Delays;
use crate::report::Setting;
use crate::subject::{MakePlayer, Subject};

/// Colours left beside the network's and the oracle's.
const CLASSES: [&str; 6] = ["b", "c", "d", "e", "f", "g"];
/// Pulls of one value over time; half as many packets.
const STEP: usize = 10;

/// What is drawn of a scenario.
pub(super) struct Page {
    chart: Chart,
    plot: Plot,
}

impl Page {
    pub(super) fn new(setting: &Setting) -> Self {
        let chart = Chart {
            title: setting.scenario.clone(),
            caption: format!("{}. Delay of the slowest packet in 100 ms, and of play-out.", setting.input),
            unit: "ms",
            step: 0.1,
            floor: 0.0,
            ceiling: 1_500.0,
            mark: None,
            series: Vec::new(),
        };
        let plot = Plot {
            title: format!("{}: delay against concealment", setting.scenario),
            caption: "Nearer the corner is better. A dot is a player as it comes, medians over the seeds; a line leads through its other \
                settings, and that of the oracle, with the first seed, is what nobody can cross."
                .into(),
            axes: ["mean delay [ms]", "concealed [%]"],
            limits: (0.0, 0.0),
            series: Vec::new(),
        };
        Self { chart, plot }
    }

    /// Adds a player's delay over time.
    pub(super) fn add_delays(&mut self, subject: &str, stream: &Stream, pulls: &[Pull], delays: &Delays) {
        let series = &mut self.chart.series;
        if series.is_empty() {
            let slowest = |packets: &[Option<core::time::Duration>]| packets.iter().flatten().max().copied();
            let network = delays.chunks(STEP / 2).map(|packets| Some(slowest(packets)?.as_secs_f64() * 1e3));
            series.push(Series { name: "network".into(), class: "a", style: Style::Area, values: network.collect() });
        }
        let Some(class) = CLASSES.get(series.len() - 1) else { return };
        let values = pulls.chunks(STEP).map(|pulls| pulls.iter().rev().find_map(|pull| stream.delay(pull))).collect();
        series.push(Series { name: subject.to_owned().into(), class, style: Style::Line, values });
    }

    pub(super) fn set_oracle(&mut self, oracle: &Curve) {
        let line = oracle.0.iter().map(|point| (point.delay, 100.0 * point.concealed)).collect();
        self.plot.series.insert(0, Points { name: "oracle".into(), class: "a", line, dots: Vec::new() });
    }

    /// Adds a player's mean delay and concealment; after [`set_oracle`](Self::set_oracle).
    pub(super) fn add_point(&mut self, subject: &Subject<MakePlayer>, point: (f64, f64)) {
        let plot = &mut self.plot;
        if let Some(series) = plot.series.last_mut().filter(|_| subject.is_variant) {
            if series.line.is_empty() {
                series.line.clone_from(&series.dots);
            }
            series.line.push(point);
            series.line.sort_by(|a, b| a.0.total_cmp(&b.0));
            return;
        }
        plot.limits = (plot.limits.0.max(1.2 * point.0), plot.limits.1.max(1.5 * point.1));
        let Some(class) = CLASSES.get(plot.series.len() - 1) else { return };
        let name = subject.name.clone().into();
        plot.series.push(Points { name, class, dots: vec![point], line: Vec::new() });
    }

    pub(super) fn to_html(&self) -> String {
        let plot = Plot { limits: (self.plot.limits.0, self.plot.limits.1.max(0.1)), ..self.plot.clone() };
        self.chart.to_html() + &plot.to_html()
    }
}
