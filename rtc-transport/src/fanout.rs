//! Fan-out: one packet in, to many subscribers out, each with its own layers, numbers, pace, history and keys.
//!
//! A [`Fanout`] knows who gets what. Each subscriber is an [`Egress`]: its tracks choose and renumber packets through the
//! [`LayerSelector`] role, a pacer spreads them, a history answers requests for retransmission, a
//! [`Protector`](crate::srtp::Protector) encrypts. The payload is never copied but for the one time it is encrypted: queue and
//! history share the buffer the packet came in.
//!
//! Of many microphones, [`Loudest`] chooses the few to be heard, and gives each a stream that can be routed.
//!
//! What leaves is written to a buffer of the caller, as many packets of one size one after the other as are due: one system
//! call sends them all (generic segmentation offload), which is where a forwarder's time goes otherwise.
//!
//! ```
//! # #[cfg(feature = "srtp-aws-lc")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rtc_core::svc::{Forward, LayerSelector};
//! use rtc_core::time::Instant;
//! use rtc_core::{Bitrate, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
//! use rtc_transport::fanout::{Egress, EgressConfig, Fanout, TrackConfig};
//! use rtc_transport::srtp::{AwsLc, MasterKey, Profile, Protector, SrtpConfig};
//!
//! /// Everything, under the numbers it came with. `rtc-svc` has better.
//! struct Everything;
//!
//! impl LayerSelector for Everything {
//!     fn set_target(&mut self, _: Instant, _: Bitrate) {}
//!     fn select(&mut self, _: Instant, packet: &RtpPacket) -> Forward {
//!         Forward::As { seq: packet.seq(), timestamp: packet.timestamp() }
//!     }
//!     fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
//!         None
//!     }
//! }
//!
//! let now = Instant::from_millis(1);
//! let source = Ssrc(7);
//! let mut room = Fanout::default();
//! for user in 0..3 {
//!     let key = MasterKey::new(Profile::AeadAes128Gcm, &[user; 16], &[1; 12])?;
//!     let protector = Protector::new(&AwsLc, &key, SrtpConfig::default())?;
//!     let mut config = EgressConfig::default();
//!     config.pacer.rate = Bitrate::from_kbps(5_000); // what a bandwidth estimator said
//!     let mut egress = Egress::new(config, Some(protector))?;
//!     let track = egress.add_track(TrackConfig::video(Ssrc(100 + u32::from(user))), Everything);
//!     let subscriber = room.add(egress);
//!     room.route(source, subscriber, track);
//! }
//!
//! for seq in 0..4 {
//!     let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), source).build(&[0; 50])?;
//!     assert_eq!(room.forward(now, &packet), 3);
//! }
//! let mut buffer = Vec::new();
//! for (_, egress) in room.iter_mut() {
//!     let transmit = egress.poll_transmit(now, &mut buffer).expect("four small packets may leave at once at 5 Mb/s");
//!     // A datagram is 12 bytes of header, 50 of payload, 16 of tag.
//!     assert_eq!((transmit.segments, transmit.segment_size, buffer.len()), (4, 78, 4 * 78));
//!     assert!(egress.poll_transmit(now, &mut buffer).is_none());
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "srtp-aws-lc"))]
//! # fn main() {}
//! ```
//!
//! [`LayerSelector`]: rtc_core::svc::LayerSelector

use std::collections::HashMap;

use rtc_core::pacing::Pacer;
use rtc_core::svc::LayerSelector;
use rtc_core::time::Instant;
use rtc_core::{RtpPacket, Ssrc};

use crate::pacer::LeakyBucketPacer;

mod config;
mod egress;
mod history;
mod loudest;
mod output;
mod queued;
#[cfg(test)]
mod tests;

pub use config::{EgressConfig, TrackConfig};
pub use egress::{Egress, EgressStats, TrackId, Transmit};
pub use loudest::{Loudest, LoudestConfig, LoudestStats};
pub use queued::Queued;

/// The most requests for key frames that wait to be polled.
const MAX_KEYFRAME_REQUESTS: usize = 64;

/// Who gets what: incoming streams, and the tracks of subscribers they go to.
#[derive(Debug)]
pub struct Fanout<S, P = LeakyBucketPacer<Queued>> {
    subscribers: Vec<Option<Egress<S, P>>>,
    routes: HashMap<Ssrc, Vec<Route>>,
    keyframe_requests: Vec<Ssrc>,
}

/// A subscriber of a [`Fanout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    subscriber: SubscriberId,
    track: TrackId,
}

impl<S, P> Default for Fanout<S, P> {
    fn default() -> Self {
        Self { subscribers: Vec::new(), routes: HashMap::new(), keyframe_requests: Vec::new() }
    }
}

impl<S: LayerSelector, P: Pacer<Queued>> Fanout<S, P> {
    /// Adds a subscriber.
    pub fn add(&mut self, egress: Egress<S, P>) -> SubscriberId {
        let free = self.subscribers.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.subscribers.push(None);
            self.subscribers.len() - 1
        });
        self.subscribers[place] = Some(egress);
        SubscriberId(place)
    }

    /// Takes a subscriber out, with all that was routed to it.
    pub fn remove(&mut self, subscriber: SubscriberId) -> Option<Egress<S, P>> {
        let egress = self.subscribers.get_mut(subscriber.0)?.take()?;
        self.routes.retain(|_, routes| {
            routes.retain(|route| route.subscriber != subscriber);
            !routes.is_empty()
        });
        Some(egress)
    }

    /// Sends what comes from `source` to a track of a subscriber from now on; false if there is no such track. A track may
    /// take from several sources, if its selector knows what to do with them.
    pub fn route(&mut self, source: Ssrc, subscriber: SubscriberId, track: TrackId) -> bool {
        let egress = self.subscribers.get(subscriber.0).and_then(Option::as_ref);
        if !egress.is_some_and(|egress| egress.has_track(track)) {
            return false;
        }
        let (routes, route) = (self.routes.entry(source).or_default(), Route { subscriber, track });
        if !routes.contains(&route) {
            routes.push(route);
        }
        true
    }

    /// Ends what [`route`](Self::route) began; false if it had not.
    pub fn unroute(&mut self, source: Ssrc, subscriber: SubscriberId, track: TrackId) -> bool {
        let Some(routes) = self.routes.get_mut(&source) else { return false };
        let before = routes.len();
        routes.retain(|route| *route != Route { subscriber, track });
        let is_gone = routes.len() < before;
        if routes.is_empty() {
            self.routes.remove(&source);
        }
        is_gone
    }

    /// Hands a packet that came to all it is routed to; returns how many queued it.
    pub fn forward(&mut self, now: Instant, packet: &RtpPacket) -> usize {
        self.forward_all(now, core::slice::from_ref(packet))
    }

    /// Hands packets that came together to all they are routed to, in their order; returns how many were queued, each once for
    /// each who gets it.
    ///
    /// Cheaper than one by one: each subscriber takes all packets in a row of one stream before the next takes them.
    pub fn forward_all(&mut self, now: Instant, packets: &[RtpPacket]) -> usize {
        packets.chunk_by(|one, next| one.ssrc() == next.ssrc()).map(|run| self.forward_run(now, run)).sum()
    }

    /// Hands on packets of one stream.
    fn forward_run(&mut self, now: Instant, run: &[RtpPacket]) -> usize {
        let Some(routes) = run.first().and_then(|packet| self.routes.get(&packet.ssrc())) else { return 0 };
        let mut queued = 0;
        for Route { subscriber, track } in routes {
            let Some(egress) = self.subscribers.get_mut(subscriber.0).and_then(Option::as_mut) else { continue };
            queued += run.iter().filter(|packet| egress.push(now, *track, packet)).count();
            while let Some(source) = egress.poll_keyframe_request(*track) {
                if self.keyframe_requests.len() >= MAX_KEYFRAME_REQUESTS {
                    break;
                }
                if !self.keyframe_requests.contains(&source) {
                    self.keyframe_requests.push(source);
                }
            }
        }
        queued
    }

    /// A stream to ask a key frame of, because subscribers need one: once for all of them.
    pub fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        self.keyframe_requests.pop()
    }

    /// A subscriber.
    pub fn get_mut(&mut self, subscriber: SubscriberId) -> Option<&mut Egress<S, P>> {
        self.subscribers.get_mut(subscriber.0)?.as_mut()
    }

    /// All subscribers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SubscriberId, &mut Egress<S, P>)> {
        let places = self.subscribers.iter_mut().enumerate();
        places.filter_map(|(place, egress)| Some((SubscriberId(place), egress.as_mut()?)))
    }

    /// When [`Egress::poll_transmit`] of a subscriber next has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.subscribers.iter().flatten().filter_map(Egress::poll_timeout).min()
    }
}
