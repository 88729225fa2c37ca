//! Audio processing, mixing and resampling of libwebrtc and libspeexdsp.

use core::time::Duration;

use peer_speex::{Processing, ProcessingConfig, Resampler};
use peer_webrtc::{Apm, ApmConfig, AudioMixer};
use rtc_core::Frequency;
use rtc_core::audio::{AudioProcessor, EchoCanceller};

use crate::mixer::Tracks;
use crate::subject::{MIX_RATE, MakeCanceller, MakeMix, MakeProcessor, MakeResample, Resample, Subject};

/// How long an echo the filter covers: what its authors advise, and some.
const TAIL: Duration = Duration::from_millis(250);

pub(super) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    let aec3: MakeCanceller = Box::new(|rate| boxed(apm(rate, |config| config.echo_canceller = true)));
    let speex = |has_preprocessor| -> MakeCanceller {
        Box::new(move |rate| {
            let config = ProcessingConfig { echo_tail: Some(TAIL), denoise: has_preprocessor, gain_control: false };
            Some(Box::new(Processing::new(rate, config)))
        })
    };
    vec![
        Subject::peer("libwebrtc AEC3", peer_webrtc::VERSION, aec3),
        Subject::foreign("speexdsp AEC", peer_speex::VERSION, speex(false)),
        Subject::foreign("speexdsp AEC and preprocessor", peer_speex::VERSION, speex(true)),
    ]
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    /// "High", of four levels from 0.
    const HIGH: u8 = 2;
    vec![
        webrtc("libwebrtc NS", |config| config.noise_suppression = Some(HIGH)),
        speex("speexdsp denoise", ProcessingConfig { denoise: true, ..Default::default() }),
    ]
}

pub(super) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    vec![
        webrtc("libwebrtc AGC2", |config| config.gain_control = true),
        speex("speexdsp AGC", ProcessingConfig { gain_control: true, ..Default::default() }),
    ]
}

fn webrtc(name: &str, set: fn(&mut ApmConfig)) -> Subject<MakeProcessor> {
    let make: MakeProcessor = Box::new(move |rate| Some(Box::new(apm(rate, set)?) as Box<dyn AudioProcessor>));
    Subject::peer(name, peer_webrtc::VERSION, make)
}

fn speex(name: &str, config: ProcessingConfig) -> Subject<MakeProcessor> {
    Subject::foreign(name, peer_speex::VERSION, Box::new(move |rate| Some(Box::new(Processing::new(rate, config)))))
}

fn apm(rate: Frequency, set: impl Fn(&mut ApmConfig)) -> Option<Apm> {
    let mut config = ApmConfig::default();
    config.rate = rate;
    set(&mut config);
    Apm::new(&config).ok()
}

fn boxed(canceller: Option<Apm>) -> Option<Box<dyn EchoCanceller>> {
    Some(Box::new(canceller?))
}

/// It would leave out all but the loudest three; here it mixes all.
pub(super) fn mixer() -> Subject<MakeMix> {
    let make: MakeMix = Box::new(|tracks| {
        let mixer = AudioMixer::new(MIX_RATE, u16::try_from(tracks.len()).unwrap_or(u16::MAX));
        Box::new(Tracks::new(mixer.expect("48 kHz is one of its rates"), tracks))
    });
    Subject::peer("libwebrtc AudioMixer", peer_webrtc::VERSION, make)
}

pub(super) fn resampler() -> Subject<MakeResample> {
    /// Of 0 to 10; what it calls desktop.
    const QUALITY: u8 = 5;
    let make: MakeResample = Box::new(|from, to| Box::new(Speex(Resampler::new(from, to, QUALITY))));
    Subject::foreign("speexdsp resampler", peer_speex::VERSION, make)
}

struct Speex(Resampler);

impl Resample for Speex {
    fn process(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        self.0.process(input, out)
    }
}
