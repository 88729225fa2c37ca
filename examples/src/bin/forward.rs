//! One camera, many viewers: see `forward --help`.

use std::process::ExitCode;

use clap::Parser;
use rtc_examples::forward::{self, ForwardOptions};
use rtc_examples::output;

fn main() -> ExitCode {
    let options = ForwardOptions::parse();
    let outcomes = if options.live { forward::live(&options) } else { forward::simulate(&options) };
    match outcomes {
        Ok(outcomes) => {
            output::say(forward::to_table(&outcomes).trim_end());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("forward: {message}");
            ExitCode::from(2)
        }
    }
}
