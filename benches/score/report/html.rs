use rtc_examples::chart::escape;

use super::table::short;
use super::{Report, Row};

/// The report as a page that needs nothing but itself: curves, then all figures.
pub(crate) fn to_html(report: &Report) -> String {
    let rows: String = report.rows.iter().map(row_html).collect();
    let versions: String = report
        .versions
        .iter()
        .map(|(name, version)| format!("<li>{}: {}</li>", escape(name), escape(version)))
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>score {mechanism}</title><style>{STYLE}</style>\
         <h1>score {mechanism}</h1><p>{cpu}, {cores} cores, {os}</p>{figures}\
         <table><thead><tr><th>scenario<th>input<th>seeds<th>subject<th>metric<th>value<th>unit<th>target<th>met</thead>\
         <tbody>{rows}</tbody></table><ul>{versions}</ul></html>\n",
        mechanism = report.mechanism,
        figures = report.figures.concat(),
        cpu = escape(&report.machine.cpu),
        cores = report.machine.cores,
        os = escape(&report.machine.os),
    )
}

fn row_html(row: &Row) -> String {
    let met = match row.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    format!(
        "<tr class=\"{met}\"><td>{}<td>{}<td>{}<td>{}<td>{}<td class=\"n\">{}<td>{}<td>{}<td>{met}</tr>\n",
        escape(&row.scenario),
        escape(&row.input),
        row.seeds,
        escape(&row.subject),
        escape(row.metric),
        row.value.map_or_else(|| "-".to_owned(), short),
        escape(row.unit),
        row.target.map_or_else(String::new, |target| escape(&target.to_string())),
    )
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
table{border-collapse:collapse;font-size:13px}td,th{padding:.15rem .5rem;border-bottom:1px solid var(--line);text-align:left}
.n{text-align:right}tr.missed td:last-child{color:#dc2626}tr.met td:last-child{color:#059669}
";
