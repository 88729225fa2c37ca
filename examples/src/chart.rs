//! Line charts as SVG: self-contained, readable in light and dark, small.

use core::fmt::Write;
use std::borrow::Cow;

mod plot;

pub use plot::{Plot, Points};

/// One line or area of a chart: values over time, `None` where there is nothing to show.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name in the legend.
    pub name: Cow<'static, str>,
    /// CSS class that colours it; the page defines them.
    pub class: &'static str,
    /// How it is drawn.
    pub style: Style,
    /// One value per step of the chart.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// A series drawn like this.
    #[must_use]
    pub fn new(name: &'static str, class: &'static str, style: Style, values: &[Option<f64>]) -> Self {
        Self { name: name.into(), class, style, values: values.to_vec() }
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line through the values.
    Line,
    /// A stair-case line, for values that hold until they change.
    Step,
    /// The area below the values.
    Area,
}

/// A chart of several series over the same time.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What is shown, in words.
    pub title: String,
    /// One sentence for a reader who sees such a chart for the first time.
    pub caption: String,
    /// Unit of the vertical axis.
    pub unit: &'static str,
    /// Seconds from one value to the next.
    pub step: f64,
    /// Lowest and, if it is to be cut, highest value shown.
    pub floor: f64,
    /// The vertical axis ends here at the latest.
    pub ceiling: f64,
    /// A level to compare with, and its name.
    pub mark: Option<(f64, &'static str)>,
    /// What is drawn, first below.
    pub series: Vec<Series>,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

impl Chart {
    /// A chart that begins at zero and shows all there is, without a mark.
    #[must_use]
    pub fn new(title: &str, caption: &str, unit: &'static str, step: f64, series: Vec<Series>) -> Self {
        Self {
            title: title.into(),
            caption: caption.into(),
            unit,
            step,
            floor: 0.0,
            ceiling: f64::INFINITY,
            mark: None,
            series,
        }
    }

    /// The chart as a `<figure>` with its title, legend and caption.
    #[must_use]
    pub fn to_html(&self) -> String {
        figure(
            &self.title,
            self.series.iter().map(|series| (series.class, &series.name)),
            &self.to_svg(),
            &self.caption,
        )
    }

    /// The drawing alone.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let scale = Scale::of(self);
        let mut svg =
            format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#, escape(&self.title));
        // Writing to a String cannot fail, here and below.
        self.draw_axes(&scale, &mut svg);
        for series in &self.series {
            self.draw_series(&scale, series, &mut svg);
        }
        if let Some((level, name)) = self.mark.filter(|(level, _)| *level <= scale.high) {
            let y = scale.y(level);
            let _ = write!(
                svg,
                r#"<line class="mark" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text class="mark" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                WIDTH - RIGHT - 4.0,
                y - 4.0,
                escape(name)
            );
        }
        svg.push_str("</svg>");
        svg
    }

    fn draw_axes(&self, scale: &Scale, svg: &mut String) {
        for level in ticks(scale.low, scale.high, 5.0) {
            let y = scale.y(level);
            let _ = write!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                short(level)
            );
        }
        for second in ticks(0.0, scale.seconds, 10.0) {
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{} s</text>"#,
                scale.x(second),
                HEIGHT - 8.0,
                short(second)
            );
        }
        let _ = write!(svg, r#"<text class="unit" x="{LEFT}" y="{TOP}" dx="4" dy="6">{}</text>"#, escape(self.unit));
    }

    fn draw_series(&self, scale: &Scale, series: &Series, svg: &mut String) {
        let mut path = String::new();
        for run in runs(&series.values) {
            let points: Vec<(f64, f64)> =
                run.map(|(index, value)| (scale.x(index as f64 * self.step), scale.y(value))).collect();
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            let start = if series.style == Style::Area { (first.0, scale.y(scale.low)) } else { *first };
            let _ = write!(path, "M{:.1} {:.1}", start.0, start.1);
            for (x, y) in &points {
                if series.style == Style::Step {
                    let _ = write!(path, "H{x:.1}V{y:.1}");
                } else {
                    let _ = write!(path, "L{x:.1} {y:.1}");
                }
            }
            if series.style == Style::Area {
                let _ = write!(path, "L{:.1} {:.1}Z", last.0, scale.y(scale.low));
            }
        }
        let kind = if series.style == Style::Area { "area" } else { "line" };
        let _ = write!(
            svg,
            r#"<path class="{kind} {}" d="{path}"><title>{}</title></path>"#,
            series.class,
            escape(&series.name)
        );
    }
}

/// A drawing with its title, legend of classes and names, and caption.
fn figure<'a>(
    title: &str,
    legend: impl Iterator<Item = (&'static str, &'a Cow<'static, str>)>,
    svg: &str,
    caption: &str,
) -> String {
    let keys: String =
        legend.map(|(class, name)| format!(r#"<span class="key {class}">{}</span>"#, escape(name))).collect();
    format!(
        "<figure><h3>{}</h3><div class=\"legend\">{keys}</div>{svg}<figcaption>{}</figcaption></figure>\n",
        escape(title),
        escape(caption),
    )
}

/// Text made safe inside HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// From values to places in the drawing.
struct Scale {
    low: f64,
    high: f64,
    seconds: f64,
}

impl Scale {
    fn of(chart: &Chart) -> Self {
        let values = || chart.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let longest = chart.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let peak = values().chain(chart.mark.map(|(level, _)| level)).fold(f64::NEG_INFINITY, f64::max);
        let high = (peak + 0.08 * (peak - chart.floor)).min(chart.ceiling);
        let high = if high > chart.floor { high } else { chart.floor + 1.0 };
        Self { low: chart.floor, high, seconds: (longest as f64 * chart.step).max(1e-9) }
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (second / self.seconds).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }
}

/// The stretches of a series without gaps, each value with its index.
fn runs(values: &[Option<f64>]) -> impl Iterator<Item = impl Iterator<Item = (usize, f64)> + '_> + '_ {
    let mut start = 0;
    values.chunk_by(|a, b| a.is_some() == b.is_some()).filter_map(move |run| {
        let first = start;
        start += run.len();
        run[0].is_some().then(|| run.iter().flatten().enumerate().map(move |(index, value)| (first + index, *value)))
    })
}

/// Round values from `low` to `high`, about `count` of them.
fn ticks(low: f64, high: f64, count: f64) -> impl Iterator<Item = f64> {
    let raw = (high - low) / count;
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * magnitude).find(|step| *step >= raw);
    let step = step.unwrap_or(10.0 * magnitude);
    let first = (low / step).ceil();
    (0..).map(move |index| (first + f64::from(index)) * step).take_while(move |value| *value <= high)
}

fn short(value: f64) -> String {
    if value.abs() >= 1000.0 {
        format!("{}k", (value / 100.0).round() / 10.0)
    } else {
        format!("{}", (value * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 300.0, 5.0).collect::<Vec<_>>(), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(ticks(-60.0, 0.0, 5.0).collect::<Vec<_>>(), [-60.0, -40.0, -20.0, 0.0]);
    }

    #[test]
    fn all_values_lie_inside_below_zero_too() {
        let series =
            Series { name: "loudness".into(), class: "a", style: Style::Line, values: vec![Some(-20.0), Some(-40.0)] };
        let chart = Chart {
            title: String::new(),
            caption: String::new(),
            unit: "dBFS",
            step: 0.1,
            floor: -70.0,
            ceiling: 0.0,
            mark: None,
            series: vec![series],
        };
        assert!(Scale::of(&chart).high > -20.0);
    }

    #[test]
    fn gaps_end_a_run_and_keep_the_index() {
        let values = [Some(1.0), None, None, Some(2.0), Some(3.0)];
        let runs: Vec<Vec<_>> = runs(&values).map(Iterator::collect).collect();
        assert_eq!(runs, [vec![(0, 1.0)], vec![(3, 2.0), (4, 3.0)]]);
    }

    #[test]
    fn a_chart_without_values_is_still_a_drawing() {
        let chart = Chart {
            title: "<nothing>".into(),
            caption: String::new(),
            unit: "ms",
            step: 0.1,
            floor: 0.0,
            ceiling: f64::INFINITY,
            mark: None,
            series: vec![Series { name: "none".into(), class: "a", style: Style::Line, values: vec![None; 10] }],
        };
        let svg = chart.to_svg();
        assert!(svg.contains("&lt;nothing&gt;") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
