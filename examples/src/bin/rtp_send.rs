//! Sound over RTP: see `rtp_send --help`.

use std::process::ExitCode;

use clap::Parser;
use rtc_examples::rtp::{self, SendOptions};

fn main() -> ExitCode {
    let options = SendOptions::parse();
    match rtp::send(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("rtp_send: {message}");
            ExitCode::from(2)
        }
    }
}
