//! Sound over RTP: see `rtp_receive --help`.

use std::process::ExitCode;

use clap::Parser;
use rtc_examples::rtp::{self, ReceiveOptions};

fn main() -> ExitCode {
    let options = ReceiveOptions::parse();
    match rtp::receive(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("rtp_receive: {message}");
            ExitCode::from(2)
        }
    }
}
