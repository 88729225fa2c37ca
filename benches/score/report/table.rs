use super::{Report, Row};

/// The report as a table for the terminal: a block per scenario, a line per subject, a column per metric.
pub(crate) fn to_table(report: &Report) -> String {
    let mut text = String::new();
    if report.is_compact {
        for group in alike(&report.rows) {
            text.push('\n');
            text += &layout(&lines(&group));
        }
        let seeds = report.rows.iter().map(|row| row.seeds).max().unwrap_or(0);
        text += &format!("\nMedian of {seeds} seeds; the input of each row is in --json and --html.\n");
        return text + &footer(report);
    }
    for block in report.rows.chunk_by(|a, b| a.scenario == b.scenario) {
        text += &format!("\n{}: {} (median of {} seeds)\n", block[0].scenario, block[0].input, block[0].seeds);
        text += &layout(&cells(block));
    }
    text + &footer(report)
}

fn footer(report: &Report) -> String {
    let mut text = format!("\n{}, {} cores, {}\n", report.machine.cpu, report.machine.cores, report.machine.os);
    for (name, version) in &report.versions {
        text += &format!("  {name}: {version}\n");
    }
    text
}

/// Scenarios that share a table.
pub(super) struct Group<'a> {
    metrics: Vec<MetricName<'a>>,
    pub(super) blocks: Vec<&'a [Row]>,
}

type MetricName<'a> = (&'a str, &'a str);

/// Scenarios with the same metrics, one after the other, together.
pub(super) fn alike(rows: &[Row]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for block in rows.chunk_by(|a, b| a.scenario == b.scenario) {
        let metrics = once_each(block.iter().map(|row| (row.metric, row.unit)));
        match groups.last_mut() {
            Some(group) if metrics.iter().all(|metric| group.metrics.contains(metric)) => group.blocks.push(block),
            _ => groups.push(Group { metrics, blocks: vec![block] }),
        }
    }
    groups
}

/// Head line, and a line per scenario and subject; the scenario is named where it begins.
pub(super) fn lines(group: &Group<'_>) -> Vec<Vec<String>> {
    let head = group.metrics.iter().map(|(metric, unit)| format!("{metric} [{unit}]"));
    let mut lines = vec![["scenario", "subject"].map(String::from).into_iter().chain(head).collect::<Vec<_>>()];
    for block in &group.blocks {
        for (index, subject) in once_each(block.iter().map(|row| row.subject.as_str())).into_iter().enumerate() {
            let scenario = if index == 0 { block[0].scenario.clone() } else { String::new() };
            let value = |metric: &MetricName<'_>| {
                let found = block.iter().find(|row| row.subject == subject && (row.metric, row.unit) == *metric);
                found.map_or_else(String::new, |row| cell(row) + &target(row))
            };
            lines.push([scenario, subject.to_owned()].into_iter().chain(group.metrics.iter().map(value)).collect());
        }
    }
    lines
}

/// Each item where it is first.
fn once_each<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn target(row: &Row) -> String {
    row.target.map_or_else(String::new, |target| format!(" ({target})"))
}

/// Head line, a line per subject, and one with the targets.
pub(super) fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let subjects = once_each(rows.iter().map(|row| row.subject.as_str()));
    let metrics = once_each(rows.iter().map(|row| (row.metric, row.unit)));
    let head = metrics.iter().map(|(metric, unit)| format!("{metric} [{unit}]"));
    let mut lines = vec![core::iter::once(String::new()).chain(head).collect::<Vec<_>>()];
    let find = |subject: &str, metric: &(&str, &str)| {
        rows.iter().find(|row| row.subject == subject && (row.metric, row.unit) == *metric)
    };
    for subject in subjects {
        let values = metrics.iter().map(|metric| find(subject, metric).map_or_else(String::new, cell));
        lines.push(core::iter::once(subject.to_owned()).chain(values).collect());
    }
    if rows.iter().any(|row| row.target.is_some()) {
        let target = |metric| find("ours", metric).and_then(|row| row.target);
        let targets = metrics.iter().map(|metric| target(metric).map_or_else(String::new, |target| target.to_string()));
        lines.push(core::iter::once("target".to_owned()).chain(targets).collect());
    }
    lines
}

fn cell(row: &Row) -> String {
    let mark = match row.met {
        Some(true) => " met",
        Some(false) => " MISSED",
        None => "",
    };
    row.value.map_or_else(|| "-".to_owned(), short) + mark
}

/// Four digits or so.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn layout(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column| lines.iter().filter_map(|line| line.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            text += &if column == 0 { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Metric, Setting, Target};
    use super::*;

    #[test]
    fn a_block_has_a_line_per_subject_and_marks_what_was_missed() {
        let setting = Setting { scenario: "s".into(), input: "something".into(), seeds: 7 };
        let mut report = Report::new("bwe");
        report.add_targeted(&setting, Metric("utilization", "%"), 96.0, Target::AtLeast(95.0));
        report.add_targeted(&setting, Metric("p95", "ms"), 50.0, Target::AtMost(40.0));
        report.add(&setting, "peer 1.0", Metric("p95", "ms"), f64::NAN);
        let lines: Vec<String> = to_table(&report).lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines[..5],
            [
                "s: something (median of 7 seeds)",
                "            utilization [%]     p95 [ms]",
                "  ours             96.0 met  50.0 MISSED",
                "  peer 1.0                             -",
                "  target              >= 95        <= 40",
            ]
        );
    }
}
