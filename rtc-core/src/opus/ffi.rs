//! Handles of libopus that this crate holds by itself.
//!
//! Crate `opus` keeps its pointers to itself, and DRED needs them: to ask an encoder for it, and to decode it into the state
//! of the decoder that plays. So with feature `dred` these handles stand in for those of crate `opus`, with the same names
//! for as much of it as is used here. This is the only file of the crate with unsafe code, and it is all the file does: what
//! goes in is checked to be what the library's contract asks for, and the handles free what they own.
#![allow(unsafe_code, reason = "libopus has a C interface")]

use core::ffi::c_int;
use core::ptr::NonNull;

use ::opus::{Application, Bandwidth, Bitrate, Channels};
use opusic_sys as sys;

/// A negative code of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Error(c_int);

impl Error {
    pub(super) fn code(&self) -> c_int {
        self.0
    }
}

/// The library's count, or its error.
fn count(code: c_int) -> Result<usize, Error> {
    usize::try_from(code).map_err(|_| Error(code))
}

/// A length as the library takes it.
fn length(len: usize) -> Result<c_int, Error> {
    c_int::try_from(len).map_err(|_| Error(sys::OPUS_BAD_ARG))
}

/// What the library allocated, if it did.
fn owned<T>(pointer: *mut T, code: c_int) -> Result<NonNull<T>, Error> {
    NonNull::new(pointer).filter(|_| code == sys::OPUS_OK).ok_or(Error(code))
}

/// `OpusEncoder`.
#[derive(Debug)]
pub(super) struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    channels: usize,
}

// SAFETY: the library keeps all state of a codec behind this pointer and none per thread, and this handle alone has it. All uses
// take `&mut self`.
unsafe impl Send for Encoder {}

impl Encoder {
    pub(super) fn new(rate: u32, channels: Channels, application: Application) -> Result<Self, Error> {
        let rate = length(rate as usize)?;
        let mut code = sys::OPUS_OK;
        // SAFETY: plain values, which the library checks, and a pointer that is valid for the call.
        let state = unsafe { sys::opus_encoder_create(rate, channels as c_int, application as c_int, &raw mut code) };
        Ok(Self { state: owned(state, code)?, channels: channels as usize })
    }

    pub(super) fn encode_float(&mut self, input: &[f32], output: &mut [u8]) -> Result<usize, Error> {
        let (samples, room) = (length(input.len() / self.channels)?, length(output.len())?);
        // SAFETY: the state is live; the library reads `samples` per channel, no more than `input` has, and writes at most
        // `room` bytes.
        count(unsafe {
            sys::opus_encode_float(self.state.as_ptr(), input.as_ptr(), samples, output.as_mut_ptr(), room)
        })
    }

    pub(super) fn set_vbr(&mut self, on: bool) -> Result<(), Error> {
        self.set(sys::OPUS_SET_VBR_REQUEST, c_int::from(on))
    }

    pub(super) fn set_complexity(&mut self, complexity: i32) -> Result<(), Error> {
        self.set(sys::OPUS_SET_COMPLEXITY_REQUEST, complexity)
    }

    pub(super) fn set_inband_fec(&mut self, on: bool) -> Result<(), Error> {
        self.set(sys::OPUS_SET_INBAND_FEC_REQUEST, c_int::from(on))
    }

    pub(super) fn set_dtx(&mut self, on: bool) -> Result<(), Error> {
        self.set(sys::OPUS_SET_DTX_REQUEST, c_int::from(on))
    }

    pub(super) fn set_max_bandwidth(&mut self, bandwidth: Bandwidth) -> Result<(), Error> {
        self.set(sys::OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth as c_int)
    }

    pub(super) fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), Error> {
        let bits = match bitrate {
            Bitrate::Bits(bits) => bits,
            Bitrate::Max => sys::OPUS_BITRATE_MAX,
            Bitrate::Auto => sys::OPUS_AUTO,
        };
        self.set(sys::OPUS_SET_BITRATE_REQUEST, bits)
    }

    pub(super) fn set_packet_loss_perc(&mut self, percent: i32) -> Result<(), Error> {
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, percent)
    }

    /// How far back packets may tell of, in 10 ms.
    pub(super) fn set_dred_duration(&mut self, frames: i32) -> Result<(), Error> {
        self.set(sys::OPUS_SET_DRED_DURATION_REQUEST, frames)
    }

    pub(super) fn get_lookahead(&mut self) -> Result<i32, Error> {
        let mut samples: c_int = 0;
        // SAFETY: the state is live; this request takes one pointer to an `opus_int32`, valid for the call.
        let code =
            unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples) };
        count(code).map(|_| samples)
    }

    /// Makes a request that takes one number.
    fn set(&mut self, request: c_int, value: c_int) -> Result<(), Error> {
        // SAFETY: the state is live; every request passed here takes one `opus_int32`, whose range the library checks.
        count(unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), request, value) }).map(|_| ())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, owned, and not used again.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// `OpusDecoder`.
#[derive(Debug)]
pub(super) struct Decoder {
    state: NonNull<sys::OpusDecoder>,
    channels: usize,
    /// Samples per channel of the longest packet.
    longest: usize,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Decoder {
    pub(super) fn new(rate: u32, channels: Channels) -> Result<Self, Error> {
        let longest = rate as usize * 3 / 25;
        let rate = length(rate as usize)?;
        let mut code = sys::OPUS_OK;
        // SAFETY: plain values, which the library checks, and a pointer that is valid for the call.
        let state = unsafe { sys::opus_decoder_create(rate, channels as c_int, &raw mut code) };
        Ok(Self { state: owned(state, code)?, channels: channels as usize, longest })
    }

    /// From 5 on, what is missing is made up by the networks that DRED needs anyway.
    pub(super) fn set_complexity(&mut self, complexity: i32) -> Result<(), Error> {
        // SAFETY: the state is live; this request takes one `opus_int32`, whose range the library checks.
        count(unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_SET_COMPLEXITY_REQUEST, complexity) })
            .map(|_| ())
    }

    pub(super) fn decode_float(&mut self, input: &[u8], output: &mut [f32], fec: bool) -> Result<usize, Error> {
        let (len, samples) = (length(input.len())?, length(output.len() / self.channels)?);
        // The library conceals when there is no payload, which is what its null means.
        let payload = if input.is_empty() { core::ptr::null() } else { input.as_ptr() };
        // SAFETY: the state is live; the library reads `len` bytes of the payload and writes at most `samples` per channel,
        // which `output` has.
        count(unsafe {
            sys::opus_decode_float(self.state.as_ptr(), payload, len, output.as_mut_ptr(), samples, c_int::from(fec))
        })
    }

    /// Fills `output`, a multiple of 2.5 ms and 120 ms at most, with the audio that begins `offset` samples before the packet
    /// `dred` was read from.
    pub(super) fn decode_dred(&mut self, dred: &Dred, offset: usize, output: &mut [f32]) -> Result<usize, Error> {
        let samples = output.len() / self.channels;
        // The library queues a set of features for each 10 ms, and does not look whether they fit.
        if samples > self.longest {
            return Err(Error(sys::OPUS_BAD_ARG));
        }
        let (offset, samples) = (length(offset)?, length(samples)?);
        // SAFETY: both states are live and distinct; `dred` is only read. It was zeroed when made and says by itself whether
        // a packet was parsed into it. The queue has room for the features of 1 s, 120 ms are asked for. At most `samples`
        // per channel are written, which `output` has.
        count(unsafe {
            sys::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                dred.state.as_ptr(),
                offset,
                output.as_mut_ptr(),
                samples,
            )
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, owned, and not used again.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// `OpusDREDDecoder`, the network that reads packets' redundancy, and `OpusDRED`, what it read last.
#[derive(Debug)]
pub(super) struct Dred {
    decoder: NonNull<sys::OpusDREDDecoder>,
    state: NonNull<sys::OpusDRED>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Dred {}

impl Dred {
    pub(super) fn new() -> Result<Self, Error> {
        let mut code = sys::OPUS_OK;
        // SAFETY: a pointer that is valid for the call.
        let decoder = unsafe { sys::opus_dred_decoder_create(&raw mut code) };
        let decoder = owned(decoder, code)?;
        // SAFETY: as above.
        let state = unsafe { sys::opus_dred_alloc(&raw mut code) };
        // SAFETY: the size of what was just allocated; a plain structure of numbers, for which zero says that nothing was
        // read. If nothing was allocated, nothing is written.
        unsafe {
            if let Ok(size) = count(sys::opus_dred_get_size())
                && !state.is_null()
            {
                state.cast::<u8>().write_bytes(0, size);
            }
        }
        match owned(state, code) {
            Ok(state) => Ok(Self { decoder, state }),
            Err(error) => {
                // SAFETY: the decoder is live, owned, and not used again.
                unsafe { sys::opus_dred_decoder_destroy(decoder.as_ptr()) };
                Err(error)
            }
        }
    }

    /// Reads the redundancy of a packet, up to `most` samples of `rate`; returns how many samples before the packet it
    /// begins and ends, zero and zero if there is none.
    pub(super) fn parse(&mut self, payload: &[u8], most: usize, rate: u32) -> Result<(usize, usize), Error> {
        let (len, most, rate) = (length(payload.len())?, length(most)?, length(rate as usize)?);
        let mut end: c_int = 0;
        // SAFETY: both states are live; the library reads `len` bytes and writes one number through a pointer that is valid
        // for the call.
        let begin = unsafe {
            sys::opus_dred_parse(
                self.decoder.as_ptr(),
                self.state.as_ptr(),
                payload.as_ptr(),
                len,
                most,
                rate,
                &raw mut end,
                0,
            )
        };
        Ok((count(begin)?, count(end)?))
    }
}

impl Drop for Dred {
    fn drop(&mut self) {
        // SAFETY: both states are live, owned, and not used again.
        unsafe {
            sys::opus_dred_free(self.state.as_ptr());
            sys::opus_dred_decoder_destroy(self.decoder.as_ptr());
        }
    }
}
