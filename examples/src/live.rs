//! The same endpoint over real sockets: one loop that waits for packets, the sound card's beat, and deadlines.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant as StdInstant;

use bytes::Bytes;
use rtc_core::RtpPacket;
use rtc_core::audio::AudioBuffer;
use rtc_core::time::{Instant, earliest};
use rtc_transport::rtcp::is_rtcp;

use crate::cli::Options;
use crate::output;
use crate::voice::{Endpoint, VoiceConfig};
use crate::wav::{self, RATE};

mod card;

use card::SoundCard;

/// A peer silent for so long is gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a caller waits for an answer, and a listener for a call.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest sleep: Ctrl-C is noticed within it.
const NAP: Duration = Duration::from_millis(50);
/// Largest datagram worth receiving.
const MAX_DATAGRAM: usize = 2_048;

/// How the far end introduces itself to [`both`].
const LISTENING: &str = "listening on ";

/// Waits for a call on `addr` and plays the far end; whether the media arrived.
///
/// # Errors
/// One line if the socket or the output cannot be used.
pub fn listen(addr: SocketAddr, options: &Options, voice: VoiceConfig, says: [AudioBuffer; 2]) -> Result<bool, String> {
    output::check(&options.out)?;
    let socket = UdpSocket::bind(addr).map_err(|error| format!("{addr}: {error}"))?;
    let local = socket.local_addr().map_err(|error| error.to_string())?;
    output::say(&format!("{LISTENING}{local}"));
    let [_, far] = says;
    talk(&socket, None, options, voice, far, "far")
}

/// Calls `addr` and plays the near end; whether the media arrived.
///
/// # Errors
/// One line if the socket or the output cannot be used.
pub fn connect(
    addr: SocketAddr,
    options: &Options,
    voice: VoiceConfig,
    says: [AudioBuffer; 2],
) -> Result<bool, String> {
    output::check(&options.out)?;
    let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).map_err(|error| error.to_string())?;
    let [near, _] = says;
    talk(&socket, Some(addr), options, voice, near, "near")
}

/// Starts a listening process on this machine and calls it.
///
/// # Errors
/// One line if the process cannot be started, or as for [`connect`].
pub fn both(options: &Options, voice: VoiceConfig, says: [AudioBuffer; 2]) -> Result<bool, String> {
    output::check(&options.out)?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // The listener gets the same settings: everything after the program's name but `--live` itself.
    let settings = std::env::args_os().skip(1).filter(|argument| argument != "--live");
    let mut listener = Command::new(program)
        .args(["listen", "127.0.0.1:0"])
        .args(settings)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut words = BufReader::new(listener.stdout.take().ok_or("the listening process says nothing")?);
    let answered = greeting(&mut words).and_then(|addr| connect(addr, options, voice, says));
    if answered.is_err() {
        // It may be gone already, which is just as well.
        let _ = listener.kill();
    }
    let mut rest = String::new();
    words.read_to_string(&mut rest).map_err(|error| error.to_string())?;
    output::say(rest.trim_end());
    let listened = listener.wait().map_err(|error| error.to_string())?;
    answered.map(|arrived| arrived && listened.success())
}

/// The address the listening process tells in its first line.
fn greeting(words: &mut impl BufRead) -> Result<SocketAddr, String> {
    let mut line = String::new();
    words.read_line(&mut line).map_err(|error| error.to_string())?;
    let addr = line.trim().strip_prefix(LISTENING).and_then(|addr| addr.parse().ok());
    addr.ok_or_else(|| format!("the listening process said {line:?}"))
}

/// One end of a live call, until the time is up, Ctrl-C, or the peer is gone.
fn talk(
    socket: &UdpSocket,
    peer: Option<SocketAddr>,
    options: &Options,
    voice: VoiceConfig,
    says: AudioBuffer,
    name: &'static str,
) -> Result<bool, String> {
    let stop = stop_on_ctrl_c()?;
    let clock = Clock::new();
    let seed = u64::from(std::process::id()) ^ options.network.seed.rotate_left(32);
    let endpoint = Endpoint::new(clock.now(), voice, seed).map_err(|error| error.to_string())?;
    let card = SoundCard::new(says, voice.channels).map_err(|error| error.to_string())?;
    let mut line = Line { socket, peer, endpoint, card, heard: Vec::new(), last_heard: None, started: None };
    let length = Duration::from_secs_f64(options.seconds);
    let reason = loop {
        let now = clock.now();
        line.work(now)?;
        if let Some(reason) = line.over(now, length, &stop) {
            break reason;
        }
        line.wait(&clock)?;
    };
    line.hang_up(clock.now());
    output::say(&format!("{name}: {reason}; {}", line.endpoint.stats()));
    let arrived = line.endpoint.stats().received > 0;
    let mut sound =
        AudioBuffer::new(voice.channels, line.heard.len() / voice.channels, RATE).map_err(|error| error.to_string())?;
    sound.as_mut().read_interleaved(&line.heard);
    output::write_all(&options.out, |folder| {
        wav::write(&folder.join(format!("{name}-heard.wav")), sound.as_ref()).map_err(|error| error.to_string())
    })?;
    Ok(arrived)
}

/// An endpoint, its socket and its sound card.
struct Line<'a> {
    socket: &'a UdpSocket,
    peer: Option<SocketAddr>,
    endpoint: Endpoint,
    card: SoundCard,
    heard: Vec<f32>,
    last_heard: Option<Instant>,
    started: Option<Instant>,
}

impl Line<'_> {
    /// Does all that is due: sound, timers, packets to send.
    fn work(&mut self, now: Instant) -> Result<(), String> {
        if self.peer.is_some() {
            self.started.get_or_insert(now);
            self.card.run(now, &mut self.endpoint, &mut self.heard);
        }
        self.endpoint.handle_timeout(now);
        let Some(peer) = self.peer else { return Ok(()) };
        while let Some(datagram) = self.endpoint.poll_transmit(now) {
            match self.socket.send_to(&datagram, peer) {
                // A full buffer or an unreachable port loses the packet, as any network might; and so does a network that was
                // there and is gone, which may come back before the peer gives up.
                Ok(_) => {}
                Err(error) if is_passing(error.kind()) => {}
                Err(error) if self.last_heard.is_some() && is_outage(error.kind()) => {}
                Err(error) => return Err(format!("{peer}: {error}")),
            }
        }
        Ok(())
    }

    /// Sleeps until a packet comes or something is due, and takes the packet in.
    fn wait(&mut self, clock: &Clock) -> Result<(), String> {
        let now = clock.now();
        let due = earliest([self.card.next(), self.endpoint.poll_timeout()]);
        let nap = due.map_or(NAP, |due| due - now).clamp(Duration::from_micros(100), NAP);
        self.socket.set_read_timeout(Some(nap)).map_err(|error| error.to_string())?;
        let mut buffer = [0; MAX_DATAGRAM];
        match self.socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                let datagram = Bytes::copy_from_slice(&buffer[..len]);
                // The first to call is the peer, and nobody else gets a word in. Whoever only knocks is not calling.
                if self.peer.is_none() && !is_rtcp(&datagram) && RtpPacket::parse(datagram.clone()).is_err() {
                    return Ok(());
                }
                if *self.peer.get_or_insert(from) == from {
                    let now = clock.now();
                    self.last_heard = Some(now);
                    self.endpoint.receive(now, datagram);
                }
                Ok(())
            }
            Err(error) if is_passing(error.kind()) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Why the call is over, if it is.
    fn over(&self, now: Instant, length: Duration, stop: &AtomicBool) -> Option<&'static str> {
        let silent = now - self.last_heard.or(self.started).unwrap_or(Instant::ZERO);
        if stop.load(Ordering::Relaxed) {
            Some("hung up")
        } else if self.endpoint.peer_left() {
            Some("the peer hung up")
        } else if self.started.is_some_and(|started| now - started >= length) {
            Some("time is up")
        } else if self.last_heard.is_some() && silent > PEER_TIMEOUT {
            Some("the peer is gone")
        } else if self.last_heard.is_none() && silent > ANSWER_TIMEOUT {
            Some("nobody answered")
        } else {
            None
        }
    }

    fn hang_up(&mut self, now: Instant) {
        if let (Some(peer), Some(goodbye)) = (self.peer, self.endpoint.hang_up(now)) {
            // If it gets lost, the peer's own timeout ends the call.
            let _ = self.socket.send_to(&goodbye, peer);
        }
    }
}

/// Failures of a socket that lose a packet at most.
fn is_passing(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(kind, WouldBlock | TimedOut | Interrupted | ConnectionReset | ConnectionRefused)
}

/// Failures of the network on this side: a cable pulled, an interface changed.
fn is_outage(kind: ErrorKind) -> bool {
    use ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(kind, NetworkUnreachable | HostUnreachable | NetworkDown | AddrNotAvailable)
}

fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    Ok(stop)
}

/// The operating system's clock, counted from the start of the call.
struct Clock(StdInstant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a live call runs on the real clock; only this adapter reads it")]
    fn new() -> Self {
        Self(StdInstant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "a live call runs on the real clock; only this adapter reads it")]
    fn now(&self) -> Instant {
        // Not zero at the start: mechanisms may look back.
        Instant::from_std(StdInstant::now(), self.0) + Duration::from_secs(1)
    }
}
