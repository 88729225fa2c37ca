use core::fmt::Write;

use super::{Report, Summary};

/// The call as a table for the terminal, ending with the verdict.
#[must_use]
pub fn to_table(report: &Report) -> String {
    let [first, second] = &report.ways;
    let mut table = format!(
        "{} for {} s, seed {}: {}\n\n",
        report.network, report.seconds, report.seed, report.network_description
    );
    let heads = [first, second].map(|way| format!("{} to {}", way.talker, way.listener));
    line(&mut table, "", &heads);
    for (name, value) in ROWS {
        line(&mut table, name, &[first, second].map(|way| value(&way.summary)));
    }
    for way in [first, second] {
        let _ = write!(table, "\n  {} protects:", way.talker);
        for (n, protected) in way.summary.protection.iter().enumerate() {
            let _ = write!(table, "{} {:.0} % {}", if n == 0 { "" } else { ";" }, protected.percent, protected.reason);
        }
    }
    table.push('\n');
    let cost = &report.cost;
    let _ = write!(
        table,
        "\n  One endpoint costs {:.0} us per 10 ms; {:.0} times faster than real time.\n\n{}\n",
        cost.micros_per_10_ms,
        cost.real_time_factor,
        report.verdict.sentence()
    );
    table
}

/// A row of the table: its name, and how its value is read from a summary.
type Row = (&'static str, fn(&Summary) -> String);

const ROWS: [Row; 14] = [
    ("mouth to ear, median", |s| delay(s.mouth_to_ear_p50_ms)),
    ("mouth to ear, p95", |s| delay(s.mouth_to_ear_p95_ms)),
    ("network loss", |s| format!("{:.1} %", s.network_loss_percent)),
    ("unrepaired, expected / was", |s| format!("{:.2} / {:.2} %", s.expected_unrepaired_percent, s.unrepaired_percent)),
    ("residual loss, of speech", |s| format!("{:.2}, {:.2} %", s.residual_loss_percent, s.residual_speech_percent)),
    ("concealed sound", |s| format!("{:.2} %", s.concealed_percent)),
    ("voice frames", |s| s.frames_sent.to_string()),
    ("from RED", |s| s.frames_from_red.to_string()),
    ("from RTX / ULPFEC / coded", |s| {
        format!("{} / {} / {}", s.frames_from_rtx, s.frames_from_fec, s.frames_from_coded)
    }),
    ("from LBRR / DRED", |s| format!("{} / {}", s.frames_from_inband_fec, s.frames_from_dred)),
    ("repair, expected", |s| format!("{:.0} %", s.expected_repair_percent)),
    ("repair, sent", |s| format!("{:.0} %", s.repair_percent)),
    ("redundancy overhead", |s| format!("{:.0} %", s.overhead_percent)),
    ("sent / voice alone", |s| format!("{:.0} / {:.0} kb/s", s.sent_kbps, s.voice_kbps)),
];

/// No sound travels in no time: zero is that none did.
fn delay(ms: f64) -> String {
    if ms > 0.0 { format!("{ms:.0} ms") } else { "none".into() }
}

fn line(table: &mut String, name: &str, values: &[String; 2]) {
    let _ = writeln!(table, "  {name:<28}{:>16}{:>16}", values[0], values[1]);
}
