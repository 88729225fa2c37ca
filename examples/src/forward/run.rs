use core::fmt::Write;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use clap::Parser;
use rtc_core::bwe::Ecn;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, RtpPacket};
use rtc_transport::io::{Clock, UdpConfig, UdpIo};
use rtc_transport::rtcp::is_rtcp;

use super::{Camera, Room, Viewer};
use crate::cli::within;

/// What feedback takes to come back in virtual time.
const BACK: Duration = Duration::from_millis(20);
/// What counts is what comes after so much of the run.
const SETTLED: f64 = 0.5;

/// One camera, many viewers, each served at the rate of its own path.
#[derive(Debug, Clone, Parser)]
#[command(name = "forward", version, about)]
pub struct ForwardOptions {
    /// What the path to each viewer carries, kb/s
    #[arg(long, value_name = "KBPS,...", value_delimiter = ',', default_value = "650,950,3000", value_parser = clap::value_parser!(u64).range(50..=100_000))]
    pub capacities: Vec<u64>,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value = "20", value_parser = within(1.0..=3_600.0))]
    pub seconds: f64,
    /// Over sockets of this machine in real time, instead of in virtual time
    #[arg(long)]
    pub live: bool,
}

/// What became of a viewer, in the later half of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// What its path carries.
    pub capacity: Bitrate,
    /// What it is believed to carry in the end.
    pub estimate: Bitrate,
    /// What came, headers included.
    pub delivered: Bitrate,
    /// Pictures a second.
    pub pictures: f64,
    /// Packets that never came.
    pub lost: i64,
}

/// Bytes and pictures that came, and packets that never did.
type Seen = (u64, u64, i64);

/// Camera, forwarder and viewers.
struct Scene {
    camera: Camera,
    room: Room,
    viewers: Vec<Viewer>,
    capacities: Vec<Bitrate>,
    start: Instant,
    length: Duration,
    /// What each viewer had got when the later half began.
    before: Option<(Instant, Vec<Seen>)>,
}

impl Scene {
    fn new(now: Instant, options: &ForwardOptions) -> Result<Self, String> {
        let capacities: Vec<_> = options.capacities.iter().copied().map(Bitrate::from_kbps).collect();
        let viewers = (1..).zip(&capacities).map(|(seed, capacity)| Viewer::new(now, *capacity, seed));
        let viewers: Result<Vec<_>, _> = viewers.collect();
        Ok(Self {
            camera: Camera::new(now),
            room: Room::new(capacities.len()).map_err(|error| error.to_string())?,
            viewers: viewers.map_err(|error| error.to_string())?,
            capacities,
            start: now,
            length: Duration::from_secs_f64(options.seconds),
            before: None,
        })
    }

    /// Whether it is over.
    fn is_over(&mut self, now: Instant) -> bool {
        if now >= self.start + self.length.mul_f64(SETTLED) && self.before.is_none() {
            self.before = Some((now, self.seen()));
        }
        now >= self.start + self.length
    }

    fn seen(&self) -> Vec<Seen> {
        self.viewers.iter().map(|viewer| (viewer.bytes, viewer.pictures.iter().sum(), viewer.lost)).collect()
    }

    /// When there is something to do.
    fn next(&self, now: Instant) -> Instant {
        let viewers = self.viewers.iter().map(Viewer::poll_timeout);
        let due = earliest(viewers.chain([Some(self.camera.poll_timeout()), self.room.poll_timeout()]));
        due.unwrap_or(now).max(now + Duration::from_micros(100))
    }

    fn outcome(&self, now: Instant) -> Vec<Outcome> {
        let Some((since, before)) = &self.before else { return Vec::new() };
        let seconds = (now - *since).as_secs_f64();
        let rows = before.iter().zip(self.seen()).zip(&self.capacities).enumerate();
        rows.map(|(place, ((before, after), capacity))| Outcome {
            capacity: *capacity,
            estimate: self.room.rate(place),
            delivered: Bitrate::from_kbps(1) * ((after.0 - before.0) as f64 * 8e-3 / seconds),
            pictures: (after.1 - before.1) as f64 / seconds,
            lost: after.2 - before.2,
        })
        .collect()
    }
}

/// Runs it in virtual time.
///
/// # Errors
/// One line if a setting is out of range.
pub fn simulate(options: &ForwardOptions) -> Result<Vec<Outcome>, String> {
    let mut now = Instant::from_millis(1_000);
    let mut scene = Scene::new(now, options)?;
    let mut back: VecDeque<(Instant, usize, Bytes)> = VecDeque::new();
    while !scene.is_over(now) {
        for packet in scene.camera.poll(now).into_iter().flatten() {
            scene.room.media(now, &packet);
        }
        while let Some((_, viewer, datagram)) = back.pop_front_if(|(at, ..)| *at <= now) {
            scene.room.feedback(now, viewer, datagram);
        }
        scene.room.handle_timeout(now);
        for (place, viewer) in scene.viewers.iter_mut().enumerate() {
            while let Some((datagrams, size)) = scene.room.poll_transmit(now, place) {
                datagrams.chunks(size).for_each(|datagram| viewer.send(now, Bytes::copy_from_slice(datagram)));
            }
            while let Some(datagram) = viewer.poll(now) {
                back.push_back((now + BACK, place, datagram));
            }
        }
        let due = [Some(scene.next(now)), back.front().map(|(at, ..)| *at)];
        now = earliest(due).unwrap_or(now).max(now + Duration::from_micros(100));
    }
    Ok(scene.outcome(now))
}

/// Runs it over sockets: the camera, the forwarder and each viewer have one of their own.
///
/// # Errors
/// One line if a setting is out of range or a socket cannot be used.
pub fn live(options: &ForwardOptions) -> Result<Vec<Outcome>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(run(options))
}

async fn run(options: &ForwardOptions) -> Result<Vec<Outcome>, String> {
    let clock = Clock::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = || UdpIo::bind(any, clock, UdpConfig::default()).map_err(|error| error.to_string());
    let (mut camera, mut room) = (bind()?, bind()?);
    let mut viewers = options.capacities.iter().map(|_| bind()).collect::<Result<Vec<_>, _>>()?;
    let mut scene = Scene::new(clock.now(), options)?;
    let failed = |error: std::io::Error| error.to_string();
    let mut now = clock.now();
    while !scene.is_over(now) {
        for packet in scene.camera.poll(now).into_iter().flatten() {
            camera.send(room.local_addr(), Ecn::NotEct, packet.as_bytes());
        }
        camera.flush().await.map_err(failed)?;
        while let Some(datagram) = room.try_recv().map_err(failed)? {
            let data = datagram.data.freeze();
            if is_rtcp(&data) {
                let place = viewers.iter().position(|io| io.local_addr() == datagram.from);
                if let Some(place) = place {
                    scene.room.feedback(datagram.at, place, data);
                }
            } else if let Ok(packet) = RtpPacket::parse(data) {
                scene.room.media(datagram.at, &packet);
            }
        }
        scene.room.handle_timeout(now);
        for (place, io) in viewers.iter().enumerate() {
            while let Some((datagrams, size)) = scene.room.poll_transmit(now, place) {
                for datagram in datagrams.chunks(size) {
                    room.send(io.local_addr(), Ecn::NotEct, datagram);
                }
            }
        }
        room.flush().await.map_err(failed)?;
        for (viewer, io) in scene.viewers.iter_mut().zip(&mut viewers) {
            while let Some(datagram) = io.try_recv().map_err(failed)? {
                viewer.send(datagram.at, datagram.data.freeze());
            }
            while let Some(datagram) = viewer.poll(now) {
                io.send(room.local_addr(), Ecn::NotEct, &datagram);
            }
            io.flush().await.map_err(failed)?;
        }
        // Datagrams between the sockets of one loop come when it sends them: none is waited for.
        let due = scene.next(now).min(now + Duration::from_millis(5));
        tokio::time::sleep_until(clock.to_std(due).into()).await;
        now = clock.now();
    }
    Ok(scene.outcome(now))
}

/// A line for each viewer.
#[must_use]
pub fn to_table(outcomes: &[Outcome]) -> String {
    let mut table = "path kb/s  estimate  delivered  pictures/s  lost\n".to_owned();
    for Outcome { capacity, estimate, delivered, pictures, lost } in outcomes {
        let [capacity, estimate, delivered] = [capacity, estimate, delivered].map(|rate| rate.as_bps() / 1_000);
        let _ = writeln!(table, "{capacity:9} {estimate:9} {delivered:10} {pictures:11.1} {lost:5}");
    }
    table
}
