//! `sonora`, a port of libwebrtc's audio processing, and `nnnoiseless`, a port of RNNoise.

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioProcessor, AudioRef, EchoCanceller};
use sonora::config::{AdaptiveDigital, GainController2, NoiseSuppression, NoiseSuppressionLevel};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::subject::{MakeCanceller, MakeProcessor, Subject};

const SONORA: &str = "0.2";

pub(super) fn canceller() -> Subject<MakeCanceller> {
    let config = || Config { echo_canceller: Some(Default::default()), ..Default::default() };
    Subject::peer("sonora AEC3", SONORA, Box::new(move |rate| Some(Box::new(Sonora::new(rate, config())))))
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    let high = || Config {
        noise_suppression: Some(NoiseSuppression { level: NoiseSuppressionLevel::High, ..Default::default() }),
        ..Default::default()
    };
    let make: MakeProcessor =
        Box::new(|rate| (rate == Frequency::KHZ_48).then(|| Box::<RnNoise>::default() as Box<dyn AudioProcessor>));
    vec![
        Subject::peer("sonora NS", SONORA, Box::new(move |rate| Some(Box::new(Sonora::new(rate, high()))))),
        Subject::peer("nnnoiseless", "0.5", make),
    ]
}

pub(super) fn gain_control() -> Subject<MakeProcessor> {
    let adaptive = || Config {
        gain_controller2: Some(GainController2 {
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..Default::default()
        }),
        ..Default::default()
    };
    Subject::peer("sonora AGC2", SONORA, Box::new(move |rate| Some(Box::new(Sonora::new(rate, adaptive())))))
}

struct Sonora {
    processing: AudioProcessing,
    /// Where it reads what it writes over.
    input: Vec<f32>,
}

impl Sonora {
    fn new(rate: Frequency, config: Config) -> Self {
        let stream = StreamConfig::new(rate.as_hz(), 1);
        let processing = AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
        Self { processing, input: vec![0.0; stream.num_frames()] }
    }
}

impl EchoCanceller for Sonora {
    fn render(&mut self, far: AudioRef<'_>) {
        // Frames of another length, which there are none of, would be refused.
        let _ = self.processing.process_render_f32(&[far.plane(0)], &mut [&mut self.input]);
    }

    fn capture(&mut self, mut near: AudioMut<'_>) {
        let _ = self.processing.set_stream_delay_ms(0);
        self.input.copy_from_slice(near.plane_mut(0));
        let _ = self.processing.process_capture_f32(&[&self.input], &mut [near.plane_mut(0)]);
    }
}

impl AudioProcessor for Sonora {
    fn process(&mut self, frame: AudioMut<'_>) {
        self.capture(frame);
    }
}

struct RnNoise {
    state: Box<nnnoiseless::DenoiseState<'static>>,
    input: Vec<f32>,
}

impl Default for RnNoise {
    fn default() -> Self {
        Self { state: nnnoiseless::DenoiseState::new(), input: vec![0.0; nnnoiseless::DenoiseState::FRAME_SIZE] }
    }
}

impl AudioProcessor for RnNoise {
    /// Its samples are those of 16 bits.
    fn process(&mut self, mut frame: AudioMut<'_>) {
        let plane = frame.plane_mut(0);
        self.input.iter_mut().zip(&*plane).for_each(|(to, from)| *to = from * 32_768.0);
        self.state.process_frame(plane, &self.input);
        plane.iter_mut().for_each(|sample| *sample /= 32_768.0);
    }
}
