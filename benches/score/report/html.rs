use rtc_examples::chart::escape;

use super::table::{Group, alike, cells, lines};
use super::{Report, Row};

/// The report as a page that needs nothing but itself: scenario by scenario its curves, then its figures.
pub(crate) fn to_html(report: &Report) -> String {
    let blocks: String = if report.is_compact {
        alike(&report.rows).iter().map(group).collect()
    } else {
        report.rows.chunk_by(|a, b| a.scenario == b.scenario).map(|rows| block(report, rows)).collect()
    };
    let version = |(name, version): (&String, &String)| format!("<li>{}: {}</li>", escape(name), escape(version));
    let versions: String = report.versions.iter().map(version).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>score {mechanism}</title><style>{STYLE}</style>\
         <h1>score {mechanism}</h1><p>{cpu}, {cores} cores, {os}</p>{blocks}<ul>{versions}</ul></html>\n",
        mechanism = report.mechanism,
        cpu = escape(&report.machine.cpu),
        cores = report.machine.cores,
        os = escape(&report.machine.os),
    )
}

/// One table for scenarios with the same metrics; the input of each is above its lines.
fn group(group: &Group<'_>) -> String {
    let mut inputs = group.blocks.iter().map(|block| (block[0].input.as_str(), block[0].seeds));
    let mut rows = String::new();
    for (index, line) in lines(group).iter().enumerate() {
        let begins = index > 0 && !line[0].is_empty();
        if let Some((input, seeds)) = begins.then(|| inputs.next()).flatten() {
            let (input, columns) = (escape(input), line.len());
            rows +=
                &format!("<tr><td class=\"input\" colspan=\"{columns}\">{input} (median of {seeds} seeds)</td></tr>");
        }
        rows += &format!("<tr>{}</tr>", line.iter().map(|text| cell(text)).collect::<String>());
    }
    format!("<div class=\"wide\"><table>{rows}</table></div>\n")
}

/// The curves of a scenario, and a table with a line per subject.
fn block(report: &Report, rows: &[Row]) -> String {
    let first = &rows[0];
    let figures = report.figures.iter().filter(|(scenario, _)| *scenario == first.scenario);
    let figures: String = figures.map(|(_, figure)| figure.as_str()).collect();
    let title = if figures.is_empty() { format!("<h3>{}</h3>", escape(&first.scenario)) } else { figures };
    let lines: String = cells(rows)
        .iter()
        .map(|line| format!("<tr>{}</tr>", line.iter().map(|text| cell(text)).collect::<String>()))
        .collect();
    let input = escape(&first.input);
    format!(
        "{title}<div class=\"wide\"><table><caption>{input} (median of {} seeds)</caption>{lines}</table></div>\n",
        first.seeds
    )
}

fn cell(text: &str) -> String {
    let says = |verdict| text.split(' ').any(|word| word == verdict);
    let class = if says("MISSED") {
        "missed"
    } else if says("met") {
        "met"
    } else {
        ""
    };
    format!("<td class=\"{class}\">{}</td>", escape(text))
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}
.a{--c:#2563eb}.b{--c:#dc2626}.c{--c:#059669}.d{--c:#9333ea}.e{--c:#d97706}.f{--c:#0891b2}.g{--c:#be185d}
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}
figure{margin:2rem 0}h3{margin:0}figcaption{opacity:.75}
svg{width:100%;height:auto;overflow:visible}svg text{font-size:11px;fill:currentColor}
.grid{stroke:var(--line)}.mark{stroke:currentColor;stroke-dasharray:4 3}text.mark{stroke:none}
.line{fill:none;stroke-width:1.5;stroke:var(--c)}.area{opacity:.25;fill:var(--c)}.dot{fill:var(--c)}
.key{margin-right:1rem;display:inline-block}.key::before{content:'\\25A0 ';color:var(--c)}
.wide{overflow-x:auto;margin-bottom:2rem}table{border-collapse:collapse;font-size:13px}caption{text-align:left;opacity:.75}
td{padding:.15rem .5rem;border-bottom:1px solid var(--line);text-align:right}td:first-child{text-align:left;white-space:nowrap}
tr:first-child{vertical-align:bottom}td.input{font-size:11px;opacity:.6;border:0}td.missed{color:#dc2626}td.met{color:#059669}
";
