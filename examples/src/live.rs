//! The same endpoint over real sockets: one loop that waits for packets, the sound card's beat, and deadlines. All of it is
//! encrypted (SRTP) with a key that the listener makes and the caller is told; see [`crate::guard`].

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rtc_core::audio::AudioBuffer;
use rtc_core::bwe::Ecn;
use rtc_core::time::{Instant, earliest};
use rtc_transport::io::{Clock, Datagram, SendStats, UdpConfig, UdpIo};

use crate::cli::Options;
use crate::guard::{CallKey, Guard};
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
/// Shortest sleep.
const MIN_NAP: Duration = Duration::from_micros(100);
/// Datagrams taken in before anything else gets its turn.
const MAX_BURST: usize = 64;

/// How the far end introduces itself to [`both`], and to whoever is to tell its key.
const LISTENING: &str = "listening on ";
const KEY: &str = "key ";

/// Waits for a call on `addr` and plays the far end; whether the media arrived.
///
/// # Errors
/// One line if the socket or the output cannot be used.
pub fn listen(addr: SocketAddr, options: &Options, voice: VoiceConfig, says: [AudioBuffer; 2]) -> Result<bool, String> {
    output::check(&options.out)?;
    let key = options.key.clone().map_or_else(CallKey::random, Ok)?;
    let clock = Clock::new();
    block_on(async {
        let io = UdpIo::bind(addr, clock, UdpConfig::default()).map_err(|error| format!("{addr}: {error}"))?;
        output::say(&format!("{LISTENING}{}", io.local_addr()));
        if options.key.is_none() {
            output::say(&format!("{KEY}{key}"));
        }
        let [_, far] = says;
        talk((io, clock, key.guard(false)?), None, options, voice, far, "far").await
    })
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
    let key = options.key.as_ref().ok_or("the listener tells a key, which --key takes")?;
    let clock = Clock::new();
    block_on(async {
        let any = SocketAddr::new(
            if addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() },
            0,
        );
        let io = UdpIo::bind(any, clock, UdpConfig::default()).map_err(|error| error.to_string())?;
        let [near, _] = says;
        talk((io, clock, key.guard(true)?), Some(addr), options, voice, near, "near").await
    })
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
    let answered = greeting(&mut words, options.key.clone()).and_then(|(addr, key)| {
        let options = Options { key: Some(key), ..options.clone() };
        connect(addr, &options, voice, says)
    });
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

/// What the listening process tells in its first lines: its address, and the key unless there is one.
fn greeting(words: &mut impl BufRead, key: Option<CallKey>) -> Result<(SocketAddr, CallKey), String> {
    let mut line = || {
        let mut line = String::new();
        words.read_line(&mut line).map(|_| line).map_err(|error| error.to_string())
    };
    let said = line()?;
    let addr = said.trim().strip_prefix(LISTENING).and_then(|addr| addr.parse().ok());
    let addr = addr.ok_or_else(|| format!("the listening process said {said:?}"))?;
    let key = match key {
        Some(key) => key,
        None => line()?.trim().strip_prefix(KEY).ok_or("the listening process told no key")?.parse()?,
    };
    Ok((addr, key))
}

/// One end of a live call, until the time is up, Ctrl-C, or the peer is gone.
async fn talk(
    (io, clock, guard): (UdpIo, Clock, Guard),
    peer: Option<SocketAddr>,
    options: &Options,
    mut voice: VoiceConfig,
    says: AudioBuffer,
    name: &'static str,
) -> Result<bool, String> {
    let stop = stop_on_ctrl_c()?;
    let seed = u64::from(std::process::id()) ^ options.network.seed.rotate_left(32);
    voice.limits.encryption = guard.overhead();
    let endpoint = Endpoint::new(clock.now(), voice, seed).map_err(|error| error.to_string())?;
    let card = SoundCard::new(says, voice.channels).map_err(|error| error.to_string())?;
    let heard = Vec::new();
    let mut line = Line { io, clock, guard, peer, endpoint, card, heard, last_heard: None, started: None };
    let length = Duration::from_secs_f64(options.seconds);
    let reason = loop {
        let now = clock.now();
        line.work(now).await?;
        if let Some(reason) = line.over(now, length, &stop) {
            break reason;
        }
        line.wait().await?;
    };
    line.hang_up().await?;
    let refused = match line.guard.refused() {
        0 => String::new(),
        refused => format!("; {refused} datagrams of strangers refused"),
    };
    output::say(&format!("{name}: {reason}; {}{refused}", line.endpoint.stats()));
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
struct Line {
    io: UdpIo,
    clock: Clock,
    guard: Guard,
    peer: Option<SocketAddr>,
    endpoint: Endpoint,
    card: SoundCard,
    heard: Vec<f32>,
    last_heard: Option<Instant>,
    started: Option<Instant>,
}

impl Line {
    /// Does all that is due: sound, timers, packets to send.
    async fn work(&mut self, now: Instant) -> Result<(), String> {
        if self.peer.is_some() {
            self.started.get_or_insert(now);
            self.card.run(now, &mut self.endpoint, &mut self.heard);
        }
        self.endpoint.handle_timeout(now);
        let Some(peer) = self.peer else { return Ok(()) };
        while let Some(datagram) = self.endpoint.poll_transmit(now) {
            if let Some(sealed) = self.guard.seal(&datagram) {
                self.io.send(peer, Ecn::NotEct, sealed);
            }
        }
        self.io.flush().await.map_err(|error| error.to_string())?;
        // A network that was there and is gone may come back before the peer gives up; one that never was will not.
        match self.io.send_stats() {
            SendStats { sent: 0, last_error: Some(error), .. } => Err(format!("{peer}: {error}")),
            _ => Ok(()),
        }
    }

    /// Sleeps until a packet comes or something is due, and takes in what came.
    async fn wait(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let due = earliest([self.card.next(), self.endpoint.poll_timeout(), Some(now + NAP)]).unwrap_or(now);
        let due = self.clock.to_std(due.max(now + MIN_NAP));
        tokio::select! {
            datagram = self.io.recv() => self.take(datagram.map_err(|error| error.to_string())?),
            () = tokio::time::sleep_until(due.into()) => {}
        }
        for _ in 0..MAX_BURST {
            match self.io.try_recv().map_err(|error| error.to_string())? {
                Some(datagram) => self.take(datagram),
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, datagram: Datagram) {
        // The first to call is the peer, and nobody else gets a word in. Whoever has not the key is not calling.
        if self.peer.is_none_or(|peer| peer == datagram.from)
            && let Some(plain) = self.guard.unseal(datagram.data)
        {
            self.peer = Some(datagram.from);
            self.last_heard = Some(datagram.at);
            self.endpoint.receive(datagram.at, plain);
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

    /// Says goodbye. If it gets lost, the peer's own timeout ends the call.
    async fn hang_up(&mut self) -> Result<(), String> {
        if let (Some(peer), Some(goodbye)) = (self.peer, self.endpoint.hang_up(self.clock.now()))
            && let Some(sealed) = self.guard.seal(&goodbye)
        {
            self.io.send(peer, Ecn::NotEct, sealed);
        }
        self.io.flush().await.map_err(|error| error.to_string())
    }
}

/// A runtime of one thread, which is all a call needs.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}

fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    Ok(stop)
}
