use core::fmt::Write;

use crate::chart::{Chart, Series, Style, escape};

use super::{Report, STEP, Summary, Verdict, Way};

/// The call as one self-contained page. The sounds are linked as files beside it.
#[must_use]
pub fn to_html(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Call over {}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><main>\n",
        escape(&report.network)
    );
    let class = match report.verdict {
        Verdict::Good => "good",
        Verdict::Fair => "fair",
        Verdict::Poor | Verdict::Dead => "poor",
    };
    let (word, rest) = report.verdict.sentence().split_once(": ").unwrap_or_else(|| (report.verdict.sentence(), ""));
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        page,
        "<header><p class=\"kicker\">A voice call, {} seconds, seed {}</p><h1>{}</h1><p class=\"net\">{}</p>\
         <p class=\"verdict {class}\"><b>{word}</b> {}</p></header>",
        report.seconds,
        report.seed,
        escape(&report.network),
        escape(&report.network_description),
        escape(rest),
    );
    table(report, &mut page);
    for way in &report.ways {
        section(way, &mut page);
    }
    let cost = &report.cost;
    let _ = writeln!(
        page,
        "<footer>One endpoint costs {:.0} us per 10 ms of call; the simulation ran {:.0} times faster than real time.</footer>\
         </main></body></html>",
        cost.micros_per_10_ms, cost.real_time_factor
    );
    page
}

/// A row of the table: its name, what it means, and how its value is read from a summary.
type Row = (&'static str, &'static str, fn(&Summary) -> String);

const ROWS: [Row; 11] = [
    ("Mouth to ear", "median and 95th percentile", |s| {
        if s.mouth_to_ear_max_ms > 0.0 {
            format!("{:.0} / {:.0} ms", s.mouth_to_ear_p50_ms, s.mouth_to_ear_p95_ms)
        } else {
            "none".into()
        }
    }),
    ("Network loss", "packets that never arrived", |s| format!("{:.1} %", s.network_loss_percent)),
    ("Unrepaired", "frames neither copies nor repair brought: as the sender expected, and as it was", |s| {
        format!("{:.2}, {:.2} %", s.expected_unrepaired_percent, s.unrepaired_percent)
    }),
    ("Residual loss", "voice frames missing after all recovery; of those of speech", |s| {
        format!("{:.2}; {:.2} %", s.residual_loss_percent, s.residual_speech_percent)
    }),
    ("Repair", "copies and repair packets to a voice packet: as the sender expected, and as it was", |s| {
        format!("{:.0}, {:.0} %", s.expected_repair_percent, s.repair_percent)
    }),
    ("Concealed", "sound made up to bridge gaps", |s| format!("{:.2} %", s.concealed_percent)),
    ("Brought back", "frames from RED, RTX, ULPFEC, coded repair", |s| {
        format!("{}, {}, {}, {}", s.frames_from_red, s.frames_from_rtx, s.frames_from_fec, s.frames_from_coded)
    }),
    ("Said again", "frames from LBRR and DRED inside later Opus packets", |s| {
        format!("{}, {}", s.frames_from_inband_fec, s.frames_from_dred)
    }),
    ("Voice frames", "sent; decoded from their own packet", |s| format!("{}; {}", s.frames_sent, s.frames_received)),
    ("Rate", "sent, and voice alone, with headers", |s| format!("{:.0}, {:.0} kb/s", s.sent_kbps, s.voice_kbps)),
    ("Overhead", "bytes beyond the voice packets", |s| format!("{:.0} %", s.overhead_percent)),
];

fn table(report: &Report, page: &mut String) {
    page.push_str("<table><thead><tr><th></th>");
    for way in &report.ways {
        let _ = write!(page, "<th>{} to {}</th>", way.talker, way.listener);
    }
    page.push_str("</tr></thead><tbody>\n");
    for (name, meaning, value) in ROWS {
        let _ = write!(page, "<tr><th>{name}<small>{meaning}</small></th>");
        for way in &report.ways {
            let _ = write!(page, "<td>{}</td>", value(&way.summary));
        }
        page.push_str("</tr>\n");
    }
    let _ = write!(page, "<tr><th>Protection<small>why it was as it was, by voice packets</small></th>");
    for way in &report.ways {
        let reasons = way.summary.protection.iter();
        let reasons: Vec<_> =
            reasons.map(|protected| format!("{:.0} % {}", protected.percent, escape(&protected.reason))).collect();
        let _ = write!(page, "<td>{}</td>", reasons.join("<br>"));
    }
    page.push_str("</tr>\n</tbody></table>\n");
}

fn section(way: &Way, page: &mut String) {
    let _ = writeln!(
        page,
        "<section><h2>{} talks, {} hears <audio controls preload=\"none\" src=\"{}-heard.wav\"></audio></h2>",
        way.talker, way.listener, way.listener
    );
    for chart in charts(way) {
        page.push_str(&chart.to_html());
    }
    page.push_str("</section>\n");
}

fn charts(way: &Way) -> [Chart; 5] {
    let line = |name, class, values| Series::new(name, class, Style::Line, values);
    let step = |name, class, values| Series::new(name, class, Style::Step, values);
    let area = |name, class, values| Series::new(name, class, Style::Area, values);
    let chart = |title, caption, unit, series| Chart::new(title, caption, unit, STEP, series);
    let t = &way.timeline;
    let mut delay = chart(
        "Delay",
        "From the talker's mouth to the listener's ear, the part of it that is waiting in the jitter buffer, and what the buffer aims at.",
        "ms",
        vec![
            area("mouth to ear", "a", &t.mouth_to_ear_ms),
            line("jitter buffer", "b", &t.buffer_ms),
            step("buffer target", "c", &t.buffer_target_ms),
        ],
    );
    delay.mark = Some((300.0, "300 ms: people begin to talk over each other"));
    let loss = chart(
        "Loss",
        "Packets the network lost, voice frames the sender expected to be missing after its repair, and those still missing \
         after all recovery, each over the last second.",
        "%",
        vec![
            area("network", "d", &t.network_loss_percent),
            step("expected after repair", "b", &t.expected_unrepaired_percent),
            line("after recovery", "a", &t.residual_loss_percent),
        ],
    );
    let busiest = t.target_kbps.iter().chain(&t.sent_kbps).flatten().copied().fold(0.0, f64::max);
    let mut rate = chart(
        "Rate",
        "What the network could carry (where it has a limit), what the sender believed it could, and what was sent over the last second.",
        "kb/s",
        vec![
            area("capacity", "e", &t.capacity_kbps),
            step("target", "b", &t.target_kbps),
            line("sent", "a", &t.sent_kbps),
        ],
    );
    rate.ceiling = 2.0 * busiest.max(1.0);
    let concealed = chart(
        "Concealment",
        "Milliseconds of sound made up in each tenth of a second.",
        "ms",
        vec![area("made up", "d", &t.concealed_ms)],
    );
    let mut loudness = chart(
        "Loudness",
        "Speech as said and as heard, laid over each other: where they differ, something was lost or made up.",
        "dBFS",
        vec![area("said", "e", &t.said_dbfs), line("heard", "a", &t.heard_dbfs)],
    );
    (loudness.floor, loudness.ceiling) = (-70.0, 0.0);
    [delay, loss, rate, concealed, loudness]
}

pub(crate) const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fbfaf7;--fg:#22262b;--dim:#6c737c;--rule:#dedbd3;--a:#1565a7;--b:#c2571a;--c:#7a5cc0;--d:#c23b4b;--e:#9aa7a0}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e4e6e8;--dim:#98a0a8;--rule:#30353b;--a:#62b0f0;--b:#f09a5a;--c:#b39cf0;--d:#f0727f;--e:#6f7b76}}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem}
.kicker{margin:0;color:var(--dim)}h1{margin:0;font-size:2.4rem;line-height:1.15}.net{margin:.2rem 0 1rem;color:var(--dim)}
.verdict{padding:.6rem 1rem;border-left:5px solid;background:color-mix(in srgb,currentColor 7%,transparent)}
.good{border-color:#2c8a4b}.fair{border-color:#d19a1d}.poor{border-color:#c23b4b}
table{border-collapse:collapse;width:100%;margin:1.5rem 0}th,td{padding:.35rem .5rem;text-align:right;border-bottom:1px solid var(--rule)}
th:first-child{text-align:left;font-weight:600}small{display:block;font-weight:400;color:var(--dim)}td{font-variant-numeric:tabular-nums}
h2{margin:2.5rem 0 .5rem;display:flex;gap:1rem;align-items:center;flex-wrap:wrap}audio{height:2rem}
figure{margin:1.2rem 0}h3{margin:0;display:inline-block;font-size:1.05rem}figcaption{color:var(--dim);font-size:.88rem}
.legend{float:right;font-size:.88rem}.key{margin-left:1rem}.key:before{content:'';display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px;background:var(--k)}
svg{width:100%;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--dim)}.grid{stroke:var(--rule);stroke-width:1}
.a{--k:var(--a)}.b{--k:var(--b)}.c{--k:var(--c)}.d{--k:var(--d)}.e{--k:var(--e)}
.line{fill:none;stroke:var(--k);stroke-width:1.6;stroke-linejoin:round}.area{fill:var(--k);fill-opacity:.28;stroke:var(--k);stroke-width:1}
line.mark{stroke:var(--d);stroke-dasharray:5 4}text.mark{fill:var(--d)}footer{margin-top:2.5rem;color:var(--dim);font-size:.88rem}
";
