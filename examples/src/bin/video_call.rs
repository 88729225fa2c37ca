//! A call with a picture: see `video_call --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rtc_core::Bitrate;
use rtc_examples::cli::{NetworkOptions, within};
use rtc_examples::network::Network;
use rtc_examples::output;
use rtc_examples::progress::Progress;
use rtc_examples::video::{self, Report, Setup, VideoCallConfig, to_html, to_table};

/// A call with sound and AV1 pictures through an emulated network, in virtual time.
#[derive(Debug, Parser)]
#[command(name = "video_call", version, about)]
struct Cli {
    /// Length of the call in seconds
    #[arg(long, value_name = "S", default_value = "12", value_parser = within(1.0..=600.0))]
    seconds: f64,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "out/video_call")]
    out: PathBuf,
    /// Width of the picture; its height is nine sixteenths of that
    #[arg(long, value_name = "PIXELS", default_value = "320", value_parser = clap::value_parser!(u16).range(64..=1920))]
    width: u16,
    /// Pictures a second
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(5..=60))]
    fps: u32,
    /// Most the picture may take, before protection, kb/s
    #[arg(long, value_name = "KBPS", default_value = "500", value_parser = clap::value_parser!(u64).range(50..=20_000))]
    bitrate: u64,
    /// The network
    #[command(flatten)]
    network: NetworkOptions,
}

fn main() -> ExitCode {
    match call(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("video_call: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs the call and writes what came of it.
fn call(cli: &Cli) -> Result<(), String> {
    let network = Network::from_options(&cli.network).map_err(|error| error.to_string())?;
    let width = usize::from(cli.width);
    let config = VideoCallConfig {
        size: (width, width * 9 / 16 / 2 * 2),
        fps: cli.fps,
        max_bitrate: Bitrate::from_kbps(cli.bitrate),
    };
    let length = core::time::Duration::from_secs_f64(cli.seconds);
    let setup = Setup { config, network, seed: cli.network.seed, length };
    output::check(&cli.out)?;
    let mut progress = Progress::new("calling", cli.seconds);
    let seen = video::run(&setup, |second| progress.set(second)).map_err(|error| error.to_string())?;
    progress.finish();
    let report = Report::of(&setup, seen);
    let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
    output::write_all(&cli.out, |folder| {
        for (name, text) in [("report.json", &json), ("report.html", &to_html(&report))] {
            std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    })?;
    output::say(&to_table(&report));
    output::say(&format!("{} (report.json beside it)", cli.out.join("report.html").display()));
    Ok(())
}
