use core::fmt::Write;

use super::{ROWS, Report};
use crate::chart::{Chart, Series, Style, escape};
use crate::report::STYLE;
use crate::video::recorder::STEP;

/// The call as one self-contained page.
#[must_use]
pub fn to_html(report: &Report) -> String {
    let targets = report.summary.targets(report.seconds);
    let missed = targets.iter().filter(|(_, _, met)| !met).count();
    let (class, word, rest) = match missed {
        0 => ("good", "GOOD", "seen promptly, heard in step, and nothing of it is missing".to_owned()),
        1 | 2 => ("fair", "FAIR", format!("{missed} of {} targets missed", targets.len())),
        _ => ("poor", "POOR", format!("{missed} of {} targets missed", targets.len())),
    };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Video call over {}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}{STRIP}</style></head><body><main>\n",
        escape(&report.network)
    );
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        page,
        "<header><p class=\"kicker\">A video call, {} x {} at {} a second, {} seconds, seed {}</p><h1>{}</h1><p class=\"net\">{}</p>\
         <p class=\"verdict {class}\"><b>{word}</b> {rest}</p></header>",
        report.size.0,
        report.size.1,
        report.fps,
        report.seconds,
        report.seed,
        escape(&report.network),
        escape(&report.network_description),
    );
    page.push_str("<table><thead><tr><th>Target</th><th>Held</th><th></th></tr></thead><tbody>\n");
    for (name, value, met) in &targets {
        let word = if *met { "met" } else { "<b>missed</b>" };
        let _ = writeln!(page, "<tr><th>{name}</th><td>{value}</td><td>{word}</td></tr>");
    }
    page.push_str("</tbody></table>\n");
    strip(report, &mut page);
    for chart in charts(report) {
        page.push_str(&chart.to_html());
    }
    page.push_str("<table><tbody>\n");
    for (name, meaning, value) in ROWS {
        let _ = writeln!(page, "<tr><th>{name}<small>{meaning}</small></th><td>{}</td></tr>", value(&report.summary));
    }
    page.push_str("</tbody></table></main></body></html>\n");
    page
}

/// A few pictures as they were taken, and below them as they were seen.
fn strip(report: &Report, page: &mut String) {
    page.push_str("<figure><h3>Pictures taken, and below them as they were seen</h3><div class=\"strip\">");
    for (second, taken, seen) in &report.strip {
        let seen = match seen {
            Some(seen) => format!("<img alt=\"as seen\" src=\"{seen}\">"),
            None => "<p>not seen</p>".to_owned(),
        };
        let _ = write!(page, "<div><img alt=\"as taken\" src=\"{taken}\">{seen}<small>{second:.2} s</small></div>");
    }
    page.push_str(
        "</div><figcaption>The field in the corner flashes with each click of the sound.</figcaption></figure>\n",
    );
}

fn charts(report: &Report) -> [Chart; 4] {
    let line = |name, class, values| Series::new(name, class, Style::Line, values);
    let step = |name, class, values| Series::new(name, class, Style::Step, values);
    let area = |name, class, values| Series::new(name, class, Style::Area, values);
    let chart = |title, caption, unit, series| Chart::new(title, caption, unit, STEP, series);
    let t = &report.timeline;
    let busiest = t.target_kbps.iter().chain(&t.sent_kbps).flatten().copied().fold(0.0, f64::max);
    let mut rate = chart(
        "Rate",
        "What the network could carry (where it has a limit), what the sender believed it could, and over the last second what was \
         sent and what of it were pictures, without what protects them.",
        "kb/s",
        vec![
            area("capacity", "e", &t.capacity_kbps),
            step("target", "b", &t.target_kbps),
            line("sent", "a", &t.sent_kbps),
            line("pictures", "c", &t.video_kbps),
        ],
    );
    rate.ceiling = 2.0 * busiest.max(1.0);
    let mut delay = chart(
        "Camera to screen",
        "The longest delay of a picture in each tenth of a second, and how long the picture before it stood still.",
        "ms",
        vec![area("camera to screen", "a", &t.latency_ms), line("standing still", "d", &t.still_ms)],
    );
    delay.mark = Some((300.0, "300 ms: people begin to talk over each other"));
    let mut sync = chart(
        "Lip sync",
        "How much sound was early, by the media times of what was seen and heard, and as flash and click of each clap came out of the \
         decoders. Sound that comes 100 ms late or 25 ms early is within what people notice.",
        "ms early",
        vec![line("by media time", "a", &t.sync_ms), dots("of claps", &t.clap_ms)],
    );
    (sync.floor, sync.mark) = (-150.0, Some((25.0, "25 ms early")));
    let mut likeness = chart(
        "Likeness",
        "Peak signal-to-noise ratio of the pictures seen to those taken, luma: the encoder's part, as what is decoded is whole.",
        "dB",
        vec![line("likeness", "c", &t.psnr_db)],
    );
    likeness.floor = 15.0;
    [rate, delay, sync, likeness]
}

/// Single values, each drawn over two steps so that it can be seen.
fn dots(name: &'static str, values: &[Option<f64>]) -> Series {
    let mut wide = values.to_vec();
    for (at, value) in values.iter().enumerate() {
        if let (Some(value), Some(next)) = (value, wide.get_mut(at + 1)) {
            *next = Some(*value);
        }
    }
    Series { name: name.into(), class: "b", style: Style::Line, values: wide }
}

const STRIP: &str = "
.strip{display:grid;grid-template-columns:repeat(6,1fr);gap:.5rem;margin:.6rem 0}.strip img{width:100%;display:block;margin-bottom:.3rem}
.strip p{margin:0;aspect-ratio:16/9;display:grid;place-items:center;border:1px dashed var(--rule);color:var(--dim);font-size:.8rem}
.strip small{text-align:center}
";
