//! What a packet costs that goes from one to many, all in: with the system calls that send it.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::ErrorKind;
use std::net::UdpSocket;

use bytes::BytesMut;
use indicatif::ProgressBar;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::naive::TemporalSelector;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, Ssrc};
use rtc_transport::fanout::{Fanout, TrackConfig};
use rtc_transport::io::{Clock, UdpConfig, UdpIo};
use tokio::runtime::{Builder, Runtime};

use super::forward::{egress, packet};
use crate::Options;
use crate::cost::{Cost, Meter};
use crate::report::{Metric, Report, Setting, Target};

const SCENARIO: &str = "sockets";
/// Nanoseconds a packet may take of ours, and how many times that the other way takes at least.
const TARGETS: (f64, f64) = (1_600.0, 2.5);
const PACKET: usize = 1_200;
const SUBSCRIBERS: usize = 50;
/// Packets of a frame, which leave together.
const PACKETS_PER_FRAME: u32 = 4;
const FRAMES: u32 = 60;
const ROUNDS: u32 = 9;
const RATE: Bitrate = Bitrate::from_kbps(20_000);

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    if !options.wants_scenario(SCENARIO) {
        return;
    }
    bar.inc_length(1);
    let input = format!(
        "as `forward`, frames of {PACKETS_PER_FRAME}, each datagram through the kernel to a socket of its subscriber's on loopback, \
         which is read without being counted"
    );
    let setting = Setting { scenario: SCENARIO.into(), input, seeds: 1 };
    match compare() {
        Ok([together, each]) => {
            let (most, gain) = TARGETS;
            report.add_judged(&setting, "ours", Metric("cpu", "ns/packet"), together.nanos, Some(Target::AtMost(most)));
            report.add(&setting, "ours", Metric("allocations", "per unit"), together.allocations);
            report.add_targeted(&setting, Metric("gain", "times"), each.nanos / together.nanos, Target::AtLeast(gain));
            report.add_cost(&setting, "ours, one send_to each", "ns/packet", each, true);
        }
        Err(error) => report.note(SCENARIO, &error.to_string()),
    }
    bar.inc(1);
}

/// Both ways by turns, so that both get the same machine: the best round of each counts.
fn compare() -> std::io::Result<[Cost; 2]> {
    let mut ways = [Setup::new(true)?, Setup::new(false)?];
    let mut best = [Cost { nanos: f64::INFINITY, allocations: 0.0 }; 2];
    for _ in 0..ROUNDS {
        for (way, best) in ways.iter_mut().zip(&mut best) {
            let cost = way.round()?;
            *best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
        }
    }
    Ok(best)
}

/// A room, the socket it sends with, and the sockets of its subscribers.
struct Setup {
    together: bool,
    runtime: Runtime,
    room: Fanout<TemporalSelector>,
    io: UdpIo,
    plain: UdpSocket,
    subscribers: Vec<(UdpSocket, SocketAddr)>,
    buffer: Vec<u8>,
    pool: BytesMut,
    number: u16,
    frame: u32,
}

impl Setup {
    fn new(together: bool) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let io = runtime.block_on(async { UdpIo::bind(any, Clock::new(), UdpConfig::default()) })?;
        let (mut room, mut subscribers) = (Fanout::default(), Vec::new());
        for number in 0..SUBSCRIBERS {
            let mut egress = egress(number, RATE);
            let track = egress.add_track(
                TrackConfig::video(Ssrc(100)),
                TemporalSelector::new([500, 1_500].map(Bitrate::from_kbps).into()),
            );
            let subscriber = room.add(egress);
            room.route(Ssrc(7), subscriber, track);
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            let addr = socket.local_addr()?;
            subscribers.push((socket, addr));
        }
        let plain = UdpSocket::bind(any)?;
        let (buffer, pool) = (Vec::with_capacity(1 << 16), BytesMut::with_capacity(1 << 20));
        Ok(Self { together, runtime, room, io, plain, subscribers, buffer, pool, number: 0, frame: 0 })
    }

    fn round(&mut self) -> std::io::Result<Cost> {
        let (mut meter, mut arrived) = (Meter::default(), 0);
        for _ in 0..FRAMES {
            let now = Instant::from_millis(1_000) + Duration::from_millis(33) * self.frame;
            let frame: Vec<_> = (0..PACKETS_PER_FRAME)
                .map(|_| {
                    self.number = self.number.wrapping_add(1);
                    packet(&mut self.pool, Ssrc(7), self.number, self.frame, PACKET)
                })
                .collect();
            self.frame += 1;
            meter.run(|| {
                for packet in &frame {
                    self.room.forward(now, packet);
                }
                if self.together { self.send_together(now) } else { self.send_each(now) }
            })?;
            arrived += self.drain()?;
        }
        let sent = u64::from(FRAMES * PACKETS_PER_FRAME) * SUBSCRIBERS as u64;
        // The pacer may keep a few for the next frame.
        assert!(arrived * 10 > sent * 9 && arrived * 9 < sent * 10, "{arrived} of {sent} arrived");
        Ok(meter.per(arrived))
    }

    /// A batch per subscriber, as the adapter sends them.
    fn send_together(&mut self, now: Instant) -> std::io::Result<()> {
        for ((_, egress), (_, to)) in self.room.iter_mut().zip(&self.subscribers) {
            while let Some(transmit) = egress.poll_transmit(now, &mut self.buffer) {
                for datagram in self.buffer.chunks(transmit.segment_size) {
                    self.io.send(*to, Ecn::NotEct, datagram);
                }
            }
        }
        self.runtime.block_on(self.io.flush())
    }

    /// A system call per packet, with the same work before it.
    fn send_each(&mut self, now: Instant) -> std::io::Result<()> {
        for ((_, egress), (_, to)) in self.room.iter_mut().zip(&self.subscribers) {
            while let Some(transmit) = egress.poll_transmit(now, &mut self.buffer) {
                for datagram in self.buffer.chunks(transmit.segment_size) {
                    self.plain.send_to(datagram, to)?;
                }
            }
        }
        Ok(())
    }

    /// Reads all there is; how many datagrams.
    fn drain(&self) -> std::io::Result<u64> {
        let (mut count, mut room) = (0, [0; 2_048]);
        for (socket, _) in &self.subscribers {
            loop {
                match socket.recv(&mut room) {
                    Ok(_) => count += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(count)
    }
}
