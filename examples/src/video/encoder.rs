use core::fmt;
use std::collections::VecDeque;

use rav1e::prelude::{
    ChromaSampling, Config, Context, EncoderConfig, EncoderStatus, FrameParameters, FrameType, FrameTypeOverride,
    Rational, SceneDetectionSpeed,
};
use rtc_core::codec::{EncodeError, EncodedFrame, VideoEncoder};
use rtc_core::svc::LayerId;
use rtc_core::video::{PixelFormat, VideoFrame};
use rtc_core::{Bitrate, ConfigError, RtpTime};

/// A new encoder is built for this part of the wish, so that a lesser one finds room.
const RESERVE: f64 = 0.9;
/// A wish this far above what the encoder was built for is worth a new one.
const RAISE: f64 = 1.4;
/// From this far below on pictures are left out; this far below that is not enough any more.
const ENOUGH: f64 = 0.85;
const LOWER: f64 = 0.65;
/// Seconds between two new encoders, upwards and downwards: each begins with a key frame.
const RAISE_AFTER: u32 = 3;
const LOWER_AFTER: u32 = 1;

/// AV1 by rav1e, in its fastest mode.
///
/// rav1e keeps the rate it was built for. Less is met at once by leaving pictures out; where the wish is far from what it was built
/// for, a new encoder takes over, which begins with a key frame. It looks four pictures ahead even in low-latency mode: these are
/// delay that an encoder made for calls would not have.
pub struct Av1Encoder {
    config: EncoderConfig,
    context: Context<u8>,
    wanted: Bitrate,
    /// Pictures since the encoder is in use.
    age: u32,
    /// The part of the next picture that the rate has room for already.
    room: f64,
    /// Media times of the pictures inside.
    inside: VecDeque<RtpTime>,
    ready: VecDeque<EncodedFrame>,
    /// Whether a frame was given for the last picture. One for each and no more: what an old encoder holds at its end would come
    /// sooner than pictures do else, and a receiver take that for a shorter way.
    given: bool,
}

impl Av1Encoder {
    /// An encoder of I420 pictures of this size.
    ///
    /// # Errors
    /// [`ConfigError`] if rav1e takes none of this size or rate.
    pub fn new((width, height): (usize, usize), fps: u32, bitrate: Bitrate) -> Result<Self, ConfigError> {
        let mut config = EncoderConfig::with_speed_preset(10);
        (config.width, config.height) = (width, height);
        config.time_base = Rational::new(1, u64::from(fps));
        config.chroma_sampling = ChromaSampling::Cs420;
        config.low_latency = true;
        // Key frames come when asked for, and not because somebody claps.
        config.set_key_frame_interval(0, 0);
        config.speed_settings.scene_detection_mode = SceneDetectionSpeed::None;
        config.speed_settings.rdo_lookahead_frames = 1;
        config.speed_settings.multiref = false;
        config.bitrate = bits(bitrate);
        Ok(Self {
            context: context(&config)?,
            config,
            wanted: bitrate,
            age: 0,
            room: 0.0,
            inside: VecDeque::new(),
            ready: VecDeque::new(),
            given: false,
        })
    }

    /// What is wanted, of what the encoder was built for.
    fn ratio(&self) -> f64 {
        self.wanted.as_bps_f64() / f64::from(self.config.bitrate)
    }

    fn seconds(&self, seconds: u32) -> u32 {
        u32::try_from(self.config.time_base.den).unwrap_or(u32::MAX).saturating_mul(seconds)
    }

    /// Whether a new encoder is to take over.
    fn is_outgrown(&self, key: bool) -> bool {
        let ratio = self.ratio();
        let (raise, lower) = (ratio > RAISE, ratio < LOWER);
        // A key frame that is to come anyway costs nothing more.
        (key && !(0.95..1.25).contains(&ratio))
            || (raise && self.age >= self.seconds(RAISE_AFTER))
            || (lower && self.age >= self.seconds(LOWER_AFTER))
    }

    /// Lets a new encoder take over. The old one gives what it holds, but not where that is more than the path can take: then
    /// the key frame comes sooner without.
    fn renew(&mut self) -> Result<(), EncodeError> {
        if self.ratio() > LOWER {
            self.context.flush();
            self.drain();
        }
        self.inside.clear();
        self.config.bitrate = bits(self.wanted * RESERVE);
        self.context = context(&self.config).map_err(|_| EncodeError::Codec(0))?;
        (self.age, self.room) = (0, 0.0);
        Ok(())
    }

    /// Whether this picture is left out.
    fn leaves_out(&mut self) -> bool {
        self.room = (self.room + self.ratio() / ENOUGH).min(1.0);
        let is_out = self.room < 0.999;
        if !is_out {
            self.room = 0.0;
        }
        is_out
    }

    fn drain(&mut self) {
        loop {
            match self.context.receive_packet() {
                Ok(packet) => self.ready.push_back(EncodedFrame {
                    timestamp: self.inside.pop_front().unwrap_or_default(),
                    key: packet.frame_type == FrameType::KEY,
                    layer: LayerId::default(),
                    payload: packet.data.into(),
                    user_data: bytes::Bytes::new(),
                }),
                Err(EncoderStatus::Encoded) => {}
                Err(_) => return,
            }
        }
    }
}

impl VideoEncoder for Av1Encoder {
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError> {
        if picture.format() != PixelFormat::I420
            || (picture.width(), picture.height()) != (self.config.width, self.config.height)
        {
            return Err(EncodeError::Shape);
        }
        self.given = false;
        if self.is_outgrown(key) {
            self.renew()?;
        } else if !key && self.leaves_out() {
            self.age += 1;
            return Ok(());
        }
        self.age += 1;
        let mut frame = self.context.new_frame();
        for (to, from) in frame.planes.iter_mut().zip(picture.planes()) {
            to.copy_from_raw_u8(from.data, from.stride, 1);
        }
        let frame_type_override = if key { FrameTypeOverride::Key } else { FrameTypeOverride::No };
        let parameters = FrameParameters { frame_type_override, ..FrameParameters::default() };
        self.context.send_frame((frame, parameters)).map_err(|_| EncodeError::Codec(1))?;
        self.inside.push_back(picture.timestamp());
        self.drain();
        Ok(())
    }

    fn poll_frame(&mut self) -> Option<EncodedFrame> {
        let frame = if self.given { None } else { self.ready.pop_front() };
        self.given |= frame.is_some();
        frame
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        self.wanted = rate;
    }
}

impl fmt::Debug for Av1Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Av1Encoder").field("bitrate", &self.config.bitrate).field("wanted", &self.wanted).finish()
    }
}

fn context(config: &EncoderConfig) -> Result<Context<u8>, ConfigError> {
    let config = Config::new().with_encoder_config(config.clone()).with_threads(1);
    config.new_context().map_err(|_| ConfigError::new("video", "is of a size or rate that rav1e does not take"))
}

/// rav1e counts bits in an `i32`, and takes zero for no limit.
fn bits(rate: Bitrate) -> i32 {
    i32::try_from(rate.as_bps()).unwrap_or(i32::MAX).max(10_000)
}
