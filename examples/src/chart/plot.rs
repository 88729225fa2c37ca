use core::fmt::Write;
use std::borrow::Cow;

use super::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, escape, figure, short, ticks};

/// What there is of one kind; places are (across, up).
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Name in the legend.
    pub name: Cow<'static, str>,
    /// CSS class that colours it; the page defines them.
    pub class: &'static str,
    /// Single points.
    pub dots: Vec<(f64, f64)>,
    /// Points that a line joins, in order.
    pub line: Vec<(f64, f64)>,
}

/// One quantity against another, both from zero up; what lies beyond the limits is left out.
#[derive(Debug, Clone)]
pub struct Plot {
    /// What is shown, in words.
    pub title: String,
    /// One sentence for a reader who sees such a plot for the first time.
    pub caption: String,
    /// What is across and what is up, with their units.
    pub axes: [&'static str; 2],
    /// The greatest value shown, across and up.
    pub limits: (f64, f64),
    /// What is drawn, first below.
    pub series: Vec<Points>,
}

impl Plot {
    /// The plot as a `<figure>` with its title, legend and caption.
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
        let mut svg =
            format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#, escape(&self.title));
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        // Writing to a String cannot fail, here and below.
        for level in ticks(0.0, self.limits.1, 5.0) {
            let y = self.place((0.0, level)).1;
            let _ = write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#);
            let _ =
                write!(svg, r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#, LEFT - 6.0, y + 4.0, short(level));
        }
        for level in ticks(0.0, self.limits.0, 10.0) {
            let x = self.place((level, 0.0)).0;
            let _ = write!(svg, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{floor}"/>"#);
            let _ =
                write!(svg, r#"<text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"#, HEIGHT - 8.0, short(level));
        }
        let [across, up] = self.axes.map(escape);
        let _ = write!(svg, r#"<text x="{}" y="{}" text-anchor="end">{across}</text>"#, right - 4.0, floor - 5.0);
        let _ = write!(svg, r#"<text x="{}" y="{}">{up}</text>"#, LEFT + 4.0, TOP + 6.0);
        for series in &self.series {
            self.draw(series, &mut svg);
        }
        svg.push_str("</svg>");
        svg
    }

    fn draw(&self, series: &Points, svg: &mut String) {
        let (class, name) = (series.class, escape(&series.name));
        let places = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let inside = points.iter().filter(|(across, up)| *across <= self.limits.0 && *up <= self.limits.1);
            inside.map(|point| self.place(*point)).collect()
        };
        let (dots, line) = (places(&series.dots), places(&series.line));
        let path: Vec<String> = line.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if !path.is_empty() {
            let _ = write!(svg, r#"<path class="line {class}" d="M{}"><title>{name}</title></path>"#, path.join("L"));
        }
        let small = line.into_iter().map(|place| (place, 2.5));
        for ((x, y), radius) in small.chain(dots.into_iter().map(|place| (place, 5.0))) {
            let _ = write!(
                svg,
                r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"><title>{name}</title></circle>"#
            );
        }
    }

    fn place(&self, (across, up): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, limit: f64| if limit > 0.0 { value / limit } else { 0.0 };
        let x = LEFT + (WIDTH - LEFT - RIGHT) * share(across, self.limits.0);
        (x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share(up, self.limits.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_they_belong_and_beyond_the_limits_nowhere() {
        let line = vec![(0.0, 0.0), (100.0, 5.0), (100.1, 1.0)];
        let series = vec![Points { name: "<a>".into(), class: "a", line, dots: vec![(50.0, 5.1), (9.0, 1.0)] }];
        let axes = ["ms", "%"];
        let plot = Plot { title: String::new(), caption: String::new(), axes, limits: (100.0, 5.0), series };
        let svg = plot.to_svg();
        assert!(svg.contains(r#"d="M52.0 194.0L948.0 10.0""#) && svg.contains("&lt;a&gt;"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 3);
    }
}
