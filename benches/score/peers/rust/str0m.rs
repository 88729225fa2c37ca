//! str0m in RTP mode, forwarding as its users do: what comes is written to a stream of each subscriber's `Rtc`.

use std::sync::Arc;
use std::time::Instant as StdInstant;

use rtc_core::RtpPacket;
use rtc_core::time::Instant;
use str0m::media::{MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Input, Output, Rtc};

use crate::subject::{Forwarder, MakeForwarder, Sink, Subject};

const SSRC: u32 = 100;

pub(super) fn forwarder() -> Subject<MakeForwarder> {
    Subject::peer("str0m", "0.25", Box::new(|subscribers| Ok(Box::new(Str0m::new(subscribers)?))))
}

/// A connected `Rtc` for each subscriber. The other ends are gone once they are connected: nothing comes back.
struct Str0m {
    epoch: StdInstant,
    senders: Vec<Rtc>,
}

impl Str0m {
    fn new(subscribers: usize) -> Result<Self, String> {
        str0m::crypto::from_feature_flags().install_process_default();
        #[expect(clippy::disallowed_methods, reason = "its time has no other beginning")]
        let epoch = StdInstant::now();
        let senders = (0..subscribers).map(|_| connected(epoch)).collect::<Result<Vec<_>, _>>()?;
        // Connecting took some of its time.
        Ok(Self { epoch: epoch + core::time::Duration::from_secs(60), senders })
    }
}

impl Forwarder for Str0m {
    fn forward(&mut self, now: Instant, packets: &[RtpPacket], sink: &mut Sink<'_>) {
        let now = self.epoch + (now - Instant::ZERO);
        // One copy for all subscribers, as it takes no other kind of buffer.
        let payloads: Vec<Arc<[u8]>> = packets.iter().map(|packet| packet.payload().into()).collect();
        for (subscriber, rtc) in self.senders.iter_mut().enumerate() {
            let mut api = rtc.direct_api();
            let Some(stream) = api.stream_tx(&Ssrc::from(SSRC)) else { continue };
            for (packet, payload) in packets.iter().zip(&payloads) {
                let seq = u64::from(packet.seq().0);
                let write = RtpWrite::new(96.into(), seq.into(), packet.timestamp().0, now, payload.clone());
                stream.write_rtp(write.nackable(true));
            }
            if rtc.handle_input(Input::Timeout(now)).is_err() {
                continue;
            }
            while let Ok(output @ (Output::Transmit(_) | Output::Event(_))) = rtc.poll_output() {
                if let Output::Transmit(transmit) = output {
                    sink(subscriber, &transmit.contents, transmit.contents.len());
                }
            }
        }
    }
}

/// An `Rtc` that has been through ICE and DTLS with another, and has a video stream to send.
fn connected(epoch: StdInstant) -> Result<Rtc, String> {
    let why = |error: &dyn core::fmt::Display| format!("cannot be connected: {error}");
    let make = || Rtc::builder().set_rtp_mode(true).build(epoch);
    let (mut left, mut right) = (make(), make());
    let [one, two] = [1, 2].map(|host| ([host; 4], 1_000).into());
    let (one, two) = (Candidate::host(one, "udp"), Candidate::host(two, "udp"));
    let (one, two) = (one.map_err(|error| why(&error))?, two.map_err(|error| why(&error))?);
    for (rtc, local, remote) in [(&mut left, &one, &two), (&mut right, &two, &one)] {
        rtc.add_local_candidate(local.clone());
        rtc.add_remote_candidate(remote.clone());
    }
    let exchange = |from: &mut Rtc, to: &mut Rtc, is_left: bool| {
        let (print, credentials) = {
            let api = from.direct_api();
            (api.local_dtls_fingerprint().clone(), api.local_ice_credentials())
        };
        let mut api = to.direct_api();
        api.set_remote_fingerprint(print);
        api.set_remote_ice_credentials(credentials);
        api.set_ice_controlling(!is_left);
    };
    exchange(&mut left, &mut right, true);
    exchange(&mut right, &mut left, false);
    left.direct_api().start_dtls(true).map_err(|error| why(&error))?;
    right.direct_api().start_dtls(false).map_err(|error| why(&error))?;

    let mut now = epoch;
    for _ in 0..2_000 {
        now += core::time::Duration::from_millis(5);
        for rtc in [&mut left, &mut right] {
            rtc.handle_input(Input::Timeout(now)).map_err(|error| why(&error))?;
        }
        carry(&mut left, &mut right, now)?;
        carry(&mut right, &mut left, now)?;
        if left.is_connected() && right.is_connected() {
            let mid: Mid = "vid".into();
            let mut api = left.direct_api();
            api.declare_media(mid, MediaKind::Video);
            api.declare_stream_tx(Ssrc::from(SSRC), Some(Ssrc::from(SSRC + 1)), mid, None);
            return Ok(left);
        }
    }
    Err("does not connect to itself in ten seconds of its time".into())
}

/// Hands over all that one has to send to the other.
fn carry(from: &mut Rtc, to: &mut Rtc, now: StdInstant) -> Result<(), String> {
    loop {
        match from.poll_output().map_err(|error| error.to_string())? {
            Output::Timeout(_) => return Ok(()),
            Output::Event(_) => {}
            Output::Transmit(transmit) => {
                let contents = (&transmit.contents[..]).try_into().map_err(|error| format!("{error}"))?;
                let (source, destination) = (transmit.source, transmit.destination);
                let receive = Receive { proto: Protocol::Udp, source, destination, contents };
                to.handle_input(Input::Receive(now, receive)).map_err(|error| error.to_string())?;
            }
        }
    }
}
