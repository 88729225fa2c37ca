//! `score`: quality and cost of our crates, the peers and the theoretical bound, on the same input in the same run.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

mod audio3a;
mod bwe;
mod cost;
mod fec;
mod interop;
mod jitter;
mod memory;
mod mixer;
mod peers;
mod recorded;
mod report;
mod subject;
mod transport;

use report::Report;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Quality and cost of our crates beside the peers and the theoretical bound: same input, same seeds, same run.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What is measured.
    mechanism: Mechanism,
    #[command(flatten)]
    options: Options,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Write a page with curves to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What is run of a mechanism.
#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// How many seeds each scenario is run with; figures are medians over them.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Only subjects whose name contains this.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Of `bwe`: in place of peers, ours with one part left out at a time.
    #[arg(long)]
    ablation: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mechanism {
    Bwe,
    Jitter,
    Fec,
    Audio3a,
    Mixer,
    Svc,
    Transport,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(run) = arguments.mechanism.runner() else {
        eprintln!("score {}: arrives with its crate", arguments.mechanism.name());
        return ExitCode::from(2);
    };
    let bar = ProgressBar::no_length().with_style(style());
    let report = run(&arguments.options, &bar);
    bar.finish_and_clear();
    if report.rows.is_empty() {
        eprintln!("score {}: no scenario or subject of that name", arguments.mechanism.name());
        return ExitCode::from(2);
    }
    match deliver(&arguments, &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("score: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the report and writes the page.
fn deliver(arguments: &Arguments, report: &Report) -> io::Result<()> {
    if let Some(path) = &arguments.html {
        fs::write(path, report::to_html(report))?;
    }
    let mut text = if arguments.json { serde_json::to_string_pretty(report)? } else { report::to_table(report) };
    text.push('\n');
    io::stdout().write_all(text.as_bytes())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Measures a mechanism.
type Runner = fn(&Options, &ProgressBar) -> Report;

impl Mechanism {
    fn runner(self) -> Option<Runner> {
        match self {
            Self::Audio3a => Some(audio3a::run),
            Self::Bwe => Some(bwe::run),
            Self::Fec => Some(fec::run),
            Self::Jitter => Some(jitter::run),
            Self::Mixer => Some(mixer::run),
            Self::Transport => Some(transport::run),
            Self::Svc => None,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Options {
    fn wants_scenario(&self, name: &str) -> bool {
        self.scenario.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    fn wants_subject(&self, name: &str) -> bool {
        self.subject.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}
