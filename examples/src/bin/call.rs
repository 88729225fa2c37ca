//! A two-party voice call: see `call --help`.

use std::path::Path;
use std::process::ExitCode;

use rtc_core::audio::AudioBuffer;
use rtc_examples::cli::{Cli, Command, Options};
use rtc_examples::network::Network;
use rtc_examples::progress::Progress;
use rtc_examples::report::{Cost, Report, Verdict, Way, to_html, to_table};
use rtc_examples::simulate::{self, Setup};
use rtc_examples::voice::VoiceConfig;
use rtc_examples::{live, output, wav};

/// What the demo's talkers say if no file is named.
const VOICES: [&[u8]; 2] = [include_bytes!("../../voices/near.wav"), include_bytes!("../../voices/far.wav")];

fn main() -> ExitCode {
    let cli = match Cli::from_env() {
        Ok(cli) => cli,
        Err(message) => return refuse(&message),
    };
    let says = match clips(&cli.options) {
        Ok(says) => says,
        Err(message) => return refuse(&message),
    };
    let voice = VoiceConfig::from_options(&cli.options.voice);
    let result = match cli.command {
        Some(Command::Listen { addr }) => live::listen(addr, &cli.options, voice, says),
        Some(Command::Connect { addr }) => live::connect(addr, &cli.options, voice, says),
        None if cli.options.live => live::both(&cli.options, voice, says),
        None => simulated(&cli.options, voice, says),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => refuse(&message),
    }
}

/// Runs the call in virtual time and writes what came of it; whether the media arrived.
fn simulated(options: &Options, voice: VoiceConfig, says: [AudioBuffer; 2]) -> Result<bool, String> {
    let network = Network::from_options(&options.network).map_err(|error| error.to_string())?;
    let setup = Setup {
        says,
        voice,
        network,
        seed: options.network.seed,
        length: core::time::Duration::from_secs_f64(options.seconds),
        skew: options.network.skew,
    };
    output::check(&options.out)?;
    let mut progress = Progress::new("calling", options.seconds);
    #[expect(clippy::disallowed_methods, reason = "what the run costs is wall-clock time")]
    let start = std::time::Instant::now();
    let heard = simulate::run(&setup, |second| progress.set(second)).map_err(|error| error.to_string())?;
    #[expect(clippy::disallowed_methods, reason = "what the run costs is wall-clock time")]
    let cost = Cost::of(options.seconds, start.elapsed().as_secs_f64());
    progress.finish();

    let [at_far, at_near] = heard;
    let verdict = Verdict::of([&at_far.summary, &at_near.summary]);
    let sounds = [("far-heard.wav", at_far.sound), ("near-heard.wav", at_near.sound)];
    let report = Report {
        network: setup.network.name,
        network_description: setup.network.description,
        seed: setup.seed,
        seconds: options.seconds,
        verdict,
        ways: [
            Way { talker: "near", listener: "far", summary: at_far.summary, timeline: at_far.timeline },
            Way { talker: "far", listener: "near", summary: at_near.summary, timeline: at_near.timeline },
        ],
        cost,
    };
    let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
    output::write_all(&options.out, |folder| {
        for (name, sound) in &sounds {
            wav::write(&folder.join(name), sound.as_ref()).map_err(|error| error.to_string())?;
        }
        write(&folder.join("report.json"), &json)?;
        write(&folder.join("report.html"), &to_html(&report))
    })?;
    output::say(&to_table(&report));
    output::say(&format!("{} (sounds and report.json beside it)", options.out.join("report.html").display()));
    Ok(verdict.arrived())
}

/// What the two ends say.
fn clips(options: &Options) -> Result<[AudioBuffer; 2], String> {
    let channels = if options.voice.stereo { 2 } else { 1 };
    let read = |file: &Option<std::path::PathBuf>, default: &[u8]| {
        match file {
            Some(path) => wav::read(path, channels, options.seconds),
            None => wav::read_from(default, channels, options.seconds),
        }
        .map_err(|error| error.to_string())
    };
    Ok([read(&options.near, VOICES[0])?, read(&options.far, VOICES[1])?])
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// One line on what is wrong with the arguments or files.
fn refuse(message: &str) -> ExitCode {
    eprintln!("call: {message}");
    ExitCode::from(2)
}
