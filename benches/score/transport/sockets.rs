//! What a packet costs that goes from one to many, all in: with the system calls that send it.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;

use bytes::BytesMut;
use indicatif::ProgressBar;
use rtc_core::Ssrc;
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use rtc_transport::io::{Clock, UdpConfig, UdpIo};
use tokio::runtime::{Builder, Runtime};

use super::forward::{ours, packet};
use crate::cost::{Cost, Meter};
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{Forwarder, MakeForwarder};
use crate::{Options, peers};

const SCENARIO: &str = "sockets";
/// Nanoseconds a packet may take of ours where four leave together, and how many times that the peer takes at least.
const TARGETS: (f64, f64) = (1_600.0, 2.5);
const PACKET: usize = 1_200;
const SUBSCRIBERS: usize = 50;
/// Packets of a frame, which leave together: as the target says, and of a larger frame.
const FRAMES_OF: [u32; 2] = [4, 8];
/// Short rounds, many of them: on a machine with other work a long one never has the processor to itself.
const FRAMES: u32 = 12;
const ROUNDS: u32 = 125;

/// How the datagrams of a forwarder are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// Those of a frame for a subscriber in one system call, as our adapter does.
    Together,
    /// One by one, as those send whose library hands out one at a time.
    Each,
}

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    if !options.wants_scenario(SCENARIO) {
        return;
    }
    let peers = peers::forwarders();
    let mut ways = vec![
        ("ours".to_owned(), ours(), Sending::Together),
        ("ours, one send_to each".to_owned(), ours(), Sending::Each),
    ];
    for subject in peers {
        if report.admit(&subject).is_some()
            && let Ok(make) = subject.maker
        {
            ways.push((format!("{}, one send_to each", subject.name), make, Sending::Each));
        }
    }
    ways.retain(|(name, ..)| options.wants_subject(name));
    if ways.is_empty() {
        return;
    }
    bar.inc_length(FRAMES_OF.len() as u64);
    for packets in FRAMES_OF {
        match costs(&ways, packets) {
            Ok(costs) => tell(report, &ways, &costs, packets),
            Err(why) => report.note(SCENARIO, &why),
        }
        bar.inc(1);
    }
}

/// The cost of each way by turns, so that all get the same machine: the best round of each counts.
fn costs(ways: &[(String, MakeForwarder, Sending)], packets: u32) -> Result<Vec<Cost>, String> {
    let setups = ways.iter().map(|(_, make, sending)| Setup::new(make(SUBSCRIBERS)?, *sending, packets));
    let mut setups = setups.collect::<Result<Vec<_>, _>>()?;
    let mut best = vec![Cost { nanos: f64::INFINITY, allocations: 0.0 }; ways.len()];
    for _ in 0..ROUNDS {
        for (setup, best) in setups.iter_mut().zip(&mut best) {
            let cost = setup.round().map_err(|error| error.to_string())?;
            *best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
        }
    }
    Ok(best)
}

fn tell(report: &mut Report, ways: &[(String, MakeForwarder, Sending)], costs: &[Cost], packets: u32) {
    let is_judged = packets == FRAMES_OF[0];
    let input = format!(
        "as `forward`, frames of {packets}, each datagram through the kernel to a socket of its subscriber's on loopback, which \
         is read without being counted"
    );
    let scenario = if is_judged { SCENARIO.to_owned() } else { format!("{SCENARIO} x{packets}") };
    let setting = Setting { scenario, input, seeds: 1 };
    for ((name, ..), cost) in ways.iter().zip(costs) {
        let target = (is_judged && name == "ours").then_some(Target::AtMost(TARGETS.0));
        report.add_judged(&setting, name, Metric("cpu", "ns/packet"), cost.nanos, target);
        report.add(&setting, name, Metric("allocations", "per unit"), cost.allocations);
    }
    // Without the peer there is nothing to be held against.
    if let [ours, _, peer] = costs {
        let gain = peer.nanos / ours.nanos;
        let target = is_judged.then_some(Target::AtLeast(TARGETS.1));
        report.add_judged(&setting, "ours", Metric("gain over the peer", "times"), gain, target);
    }
}

/// A forwarder, the sockets it sends with, and those of its subscribers.
struct Setup {
    forwarder: Box<dyn Forwarder>,
    sending: Sending,
    packets: u32,
    runtime: Runtime,
    io: UdpIo,
    plain: UdpSocket,
    subscribers: Vec<(UdpSocket, SocketAddr)>,
    pool: BytesMut,
    number: u16,
    frame: u32,
}

impl Setup {
    fn new(forwarder: Box<dyn Forwarder>, sending: Sending, packets: u32) -> Result<Self, String> {
        let open = || -> io::Result<_> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let io = runtime.block_on(async { UdpIo::bind(any, Clock::new(), UdpConfig::default()) })?;
            let subscriber = || {
                let socket = UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                let addr = socket.local_addr()?;
                Ok((socket, addr))
            };
            let subscribers = (0..SUBSCRIBERS).map(|_| subscriber()).collect::<io::Result<Vec<_>>>()?;
            Ok((runtime, io, UdpSocket::bind(any)?, subscribers))
        };
        let (runtime, io, plain, subscribers) = open().map_err(|error| error.to_string())?;
        let pool = BytesMut::with_capacity(1 << 20);
        Ok(Self { forwarder, sending, packets, runtime, io, plain, subscribers, pool, number: 0, frame: 0 })
    }

    fn round(&mut self) -> io::Result<Cost> {
        let (mut meter, mut arrived) = (Meter::default(), 0);
        for _ in 0..FRAMES {
            let now = Instant::from_millis(1_000) + Duration::from_millis(33) * self.frame;
            let frame: Vec<_> = (0..self.packets)
                .map(|_| {
                    self.number = self.number.wrapping_add(1);
                    packet(&mut self.pool, Ssrc(7), self.number, self.frame, PACKET)
                })
                .collect();
            self.frame += 1;
            let Self { forwarder, sending, runtime, io, plain, subscribers, .. } = self;
            meter.run(|| match sending {
                Sending::Together => {
                    forwarder.forward(now, &frame, &mut |subscriber, contents, segment| {
                        io.send_segments(subscribers[subscriber].1, Ecn::NotEct, contents, segment);
                    });
                    runtime.block_on(io.flush())
                }
                Sending::Each => {
                    let mut result = Ok(());
                    forwarder.forward(now, &frame, &mut |subscriber, contents, segment| {
                        for datagram in contents.chunks(segment) {
                            if let Err(error) = plain.send_to(datagram, subscribers[subscriber].1) {
                                result = Err(error);
                            }
                        }
                    });
                    result
                }
            })?;
            arrived += self.drain()?;
        }
        let sent = u64::from(FRAMES * self.packets) * SUBSCRIBERS as u64;
        // A pacer may keep a few for the next frame, and the peer says now and then that it is there.
        assert!(arrived * 10 > sent * 9 && arrived * 9 < sent * 10, "{arrived} of {sent} arrived");
        Ok(meter.per(arrived))
    }

    /// Reads all there is; how many datagrams.
    fn drain(&self) -> io::Result<u64> {
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
