use core::fmt::Write;

use super::{ROWS, Report, SYNC};
use crate::chart::{Chart, Series, Style, escape};
use crate::report::STYLE;
use crate::video::recorder::{Fate, STEP};

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
    page.push_str("<div class=\"targets\">\n");
    for (name, value, met) in &targets {
        let (class, word) = if *met { ("good", "met") } else { ("poor", "missed") };
        let _ = writeln!(page, "<div class=\"{class}\"><b>{value}</b><small>{name}: {word}</small></div>");
    }
    page.push_str("</div>\n");
    strip(report, &mut page);
    fates(report, &mut page);
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

/// A line for each picture, coloured by what became of it.
fn fates(report: &Report, page: &mut String) {
    const KINDS: [(Fate, &str, &str); 4] = [
        (Fate::InStep, "f", "seen in step with the sound"),
        (Fate::OutOfStep, "b", "out of step"),
        (Fate::Unseen, "d", "sent and not seen"),
        (Fate::LeftOut, "e", "left out for the rate"),
    ];
    page.push_str("<figure><h3>Every picture</h3><span class=\"legend\">");
    for (kind, class, name) in KINDS {
        let count = report.fates.iter().filter(|fate| **fate == kind).count();
        let _ = write!(page, "<span class=\"key {class}\">{name}: {count}</span>");
    }
    let _ = write!(
        page,
        "</span><svg class=\"fates\" viewBox=\"0 0 {} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Every picture\">",
        report.fates.len().max(1)
    );
    let mut from = 0;
    for run in report.fates.chunk_by(|a, b| a == b) {
        let class = KINDS.iter().find(|kind| kind.0 == run[0]).map_or("", |kind| kind.1);
        let _ = write!(page, "<rect class=\"{class}\" x=\"{from}\" width=\"{}\" height=\"10\"/>", run.len());
        from += run.len();
    }
    page.push_str("</svg><figcaption>From the first taken to the last; the first two seconds are given for lip sync to settle.</figcaption></figure>\n");
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
    (sync.floor, sync.ceiling, sync.mark) =
        (1.5 * SYNC.start(), -1.5 * SYNC.start(), Some((*SYNC.end(), "25 ms early")));
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
:root{--f:#2c8a4b}.f{--k:var(--f)}.fates{height:2.6rem;margin:.6rem 0;border-radius:3px}.fates rect{fill:var(--k)}
.targets{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.8rem;margin:1.2rem 0}
.targets div{padding:.6rem .9rem;border-left:5px solid;background:color-mix(in srgb,currentColor 5%,transparent)}.targets .good{border-color:#2c8a4b}
.targets .poor{border-color:#c23b4b}.targets b{font-size:1.5rem;font-variant-numeric:tabular-nums}
.strip{display:grid;grid-template-columns:repeat(6,1fr);gap:.5rem;margin:.6rem 0}.strip img{width:100%;display:block;margin-bottom:.3rem}
.strip p{margin:0;aspect-ratio:16/9;display:grid;place-items:center;border:1px dashed var(--rule);color:var(--dim);font-size:.8rem}
.strip small{text-align:center}
";
