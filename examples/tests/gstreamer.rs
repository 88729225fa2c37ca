//! Streams to and from GStreamer's `rtpsession`, `srtpenc` and `srtpdec`, where they are installed (`make peers`).

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use rtc_core::testkit::metrics::{align, median};

/// What the pipelines are made of.
const ELEMENTS: [&str; 12] = [
    "rtpsession",
    "srtpenc",
    "srtpdec",
    "opusenc",
    "opusdec",
    "rtpopuspay",
    "rtpopusdepay",
    "rtpL16pay",
    "rtpL16depay",
    "udpsrc",
    "udpsink",
    "wavparse",
];
/// A master key of 16 bytes and a salt of 14; for AES-GCM its first 12.
const KEY: &str = "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6";

/// Whether GStreamer is not here; says so then.
static IS_MISSING: LazyLock<bool> = LazyLock::new(|| {
    let has = |element: &&str| {
        Command::new("gst-inspect-1.0").args(["--exists", element]).status().is_ok_and(|status| status.success())
    };
    let missing: Vec<_> = ELEMENTS.into_iter().filter(|element| !has(element)).collect();
    if !missing.is_empty() {
        println!("skipped: GStreamer has no {missing:?}; `make peers` installs what is missing");
    }
    !missing.is_empty()
});

/// Ports of RTP and RTCP that nobody uses, and no other test was given.
fn ports() -> (u16, u16) {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("there is loopback");
        let port = socket.local_addr().expect("it is bound").port();
        let mut given = GIVEN.lock().expect("nobody panics with it");
        let free = |port| UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok();
        if port < u16::MAX && free(port + 1) && !given.contains(&port) && !given.contains(&(port + 1)) {
            given.extend([port, port + 1]);
            return (port, port + 1);
        }
    }
    panic!("no two ports in a row are free");
}

/// Waits until somebody listens on `port`.
#[expect(clippy::disallowed_methods, reason = "other programs start in real time")]
fn await_listener(port: u16) {
    // As Linux lists them: the local address ends with the port.
    let listens = || fs::read_to_string("/proc/net/udp").is_ok_and(|list| list.contains(&format!(":{port:04X} ")));
    for _ in 0..400 {
        if listens() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens on port {port}");
}

fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

/// A pipeline that runs until it is dropped.
struct Pipeline(Child);

impl Pipeline {
    fn start(description: &str) -> Self {
        let words = description.split_whitespace();
        let child = Command::new("gst-launch-1.0").arg("-q").args(words).stderr(Stdio::inherit()).spawn();
        Self(child.expect("it was found before"))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stream in both worlds: settings for our programs, and elements and capabilities for theirs.
struct Case {
    name: &'static str,
    settings: &'static [&'static str],
    /// GStreamer's names of cipher and authentication, where there is SRTP.
    cipher: Option<[&'static str; 2]>,
    key_digits: usize,
    l16: bool,
}

const CASES: [Case; 3] = [
    Case { name: "opus", settings: &[], cipher: None, key_digits: 0, l16: false },
    Case {
        name: "opus-cm",
        settings: &["--profile", "aes128-cm-sha1-80"],
        cipher: Some(["aes-128-icm", "hmac-sha1-80"]),
        key_digits: 60,
        l16: false,
    },
    Case {
        name: "l16-gcm",
        settings: &["--codec", "l16", "--profile", "aes128-gcm"],
        cipher: Some(["aes-128-gcm", "null"]),
        key_digits: 56,
        l16: true,
    },
];

impl Case {
    fn key(&self) -> Vec<&'static str> {
        if self.cipher.is_some() { vec!["--key", &KEY[..self.key_digits]] } else { Vec::new() }
    }

    /// Capabilities of what arrives.
    fn caps(&self, ssrc: u32) -> String {
        let coding = if self.l16 { "L16,channels=1" } else { "OPUS" };
        let stream = format!("media=audio,clock-rate=48000,encoding-name={coding},payload=111,ssrc=(uint){ssrc}");
        match self.cipher {
            None => format!("application/x-rtp,{stream}"),
            Some(_) => format!("application/x-srtp,{stream},{}", self.srtp_caps()),
        }
    }

    fn rtcp_caps(&self, ssrc: u32) -> String {
        match self.cipher {
            None => "application/x-rtcp".to_owned(),
            Some(_) => format!("application/x-srtcp,ssrc=(uint){ssrc},{}", self.srtp_caps()),
        }
    }

    fn srtp_caps(&self) -> String {
        let Some([cipher, authentication]) = self.cipher else { return String::new() };
        // RTCP is authenticated with HMAC where the cipher does not do so itself.
        let key = &KEY[..self.key_digits];
        format!(
            "srtp-key=(buffer){key},srtp-cipher=(string){cipher},srtp-auth=(string){authentication},\
            srtcp-cipher=(string){cipher},srtcp-auth=(string){authentication},roc=(uint)0"
        )
    }

    /// An encoder for SRTP and its settings.
    fn encoder(&self) -> String {
        let Some([cipher, authentication]) = self.cipher else { return String::new() };
        let key = &KEY[..self.key_digits];
        format!(
            "srtpenc name=e key={key} rtp-cipher={cipher} rtp-auth={authentication} rtcp-cipher={cipher} \
            rtcp-auth={authentication}"
        )
    }
}

/// Ours sends, theirs receives, decrypts, decodes, and reports back.
fn to_gstreamer(case: &Case) {
    const SSRC: u32 = 0x1234_5678;
    let (ours, theirs) = (ports(), ports());
    let sound = file(&format!("gstreamer-{}.raw", case.name));
    let (caps, rtcp_caps) = (case.caps(SSRC), case.rtcp_caps(SSRC));
    let depay = if case.l16 { "rtpL16depay" } else { "rtpopusdepay ! opusdec" };
    let open = if case.cipher.is_some() { "! srtpdec" } else { "" };
    let (report, encoder) = match case.cipher {
        None => ("s.send_rtcp_src ! ".to_owned(), String::new()),
        Some(_) => ("s.send_rtcp_src ! e.rtcp_sink_0 e.rtcp_src_0 ! ".to_owned(), case.encoder()),
    };
    let pipeline = Pipeline::start(&format!(
        "rtpsession name=s rtcp-min-interval=200000000 {encoder} \
        udpsrc address=127.0.0.1 port={} caps={caps} {open} ! s.recv_rtp_sink \
        s.recv_rtp_src ! {depay} ! audioconvert ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! \
        filesink sync=false buffer-mode=unbuffered location={} \
        udpsrc address=127.0.0.1 port={} caps={rtcp_caps} {open} ! s.recv_rtcp_sink \
        {report} udpsink host=127.0.0.1 port={} sync=false async=false",
        theirs.0,
        sound.display(),
        theirs.1,
        ours.1
    ));
    await_listener(theirs.0);
    await_listener(theirs.1);
    // What is sent before all of the pipeline plays is lost.
    let sender = Command::new(env!("CARGO_BIN_EXE_rtp_send"))
        .args([format!("127.0.0.1:{}", theirs.0), format!("--ssrc={SSRC}"), format!("--local=127.0.0.1:{}", ours.0)])
        .args(["--seconds", "3"])
        .args(case.settings)
        .args(case.key())
        .output()
        .expect("the program runs");
    drop(pipeline);
    let said = String::from_utf8_lossy(&sender.stdout);
    println!("{}: {said}", case.name);
    assert!(sender.status.success(), "{sender:?}");
    assert!(!said.contains("refused"), "{said}");
    assert!(said.contains("the receiver: ") && said.contains("round trip") && !said.contains("unknown"), "{said}");

    let heard: Vec<i16> = fs::read(&sound)
        .expect("it was written")
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i16::from_le_bytes(*bytes))
        .collect();
    is_the_voice(&heard);
}

/// Theirs sends, ours receives, decrypts and decodes.
fn from_gstreamer(case: &Case) {
    let (ours, theirs) = (ports(), ports());
    let sound = file(&format!("from-gstreamer-{}.wav", case.name));
    let receiver = Command::new(env!("CARGO_BIN_EXE_rtp_receive"))
        .arg(format!("127.0.0.1:{}", ours.0))
        .arg("--out")
        .arg(&sound)
        .args([format!("--rtcp-to=127.0.0.1:{}", theirs.1), "--seconds=4".to_owned()])
        .args(case.settings)
        .args(case.key())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    await_listener(ours.0);
    let pay = if case.l16 { "audioconvert ! rtpL16pay pt=111" } else { "opusenc ! rtpopuspay pt=111" };
    let voice = Path::new(env!("CARGO_MANIFEST_DIR")).join("voices/near.wav");
    let (media, report, encoder) = match case.cipher {
        None => ("s.send_rtp_src ! ".to_owned(), "s.send_rtcp_src ! ".to_owned(), String::new()),
        Some(_) => (
            "s.send_rtp_src ! e.rtp_sink_0 e.rtp_src_0 ! ".to_owned(),
            "s.send_rtcp_src ! e.rtcp_sink_0 e.rtcp_src_0 ! ".to_owned(),
            case.encoder(),
        ),
    };
    // Ours reports to a port of theirs, encrypted, too.
    let open = if case.cipher.is_some() { "! srtpdec" } else { "" };
    let pipeline = Pipeline::start(&format!(
        "rtpsession name=s rtcp-min-interval=200000000 {encoder} \
        filesrc location={} ! wavparse ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1 ! {pay} ! \
        s.send_rtp_sink {media} udpsink host=127.0.0.1 port={} \
        {report} udpsink host=127.0.0.1 port={} sync=false async=false \
        udpsrc address=127.0.0.1 port={} caps={} {open} ! fakesink async=false",
        voice.display(),
        ours.0,
        ours.1,
        theirs.1,
        case.rtcp_caps(0)
    ));
    let output = receiver.wait_with_output().expect("it ends");
    drop(pipeline);
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{}: {said}", case.name);
    assert!(output.status.success() && said.contains(" 0 lost") && said.contains("refused: 0"), "{output:?}");
    assert!(!said.contains("reports: 0 of"), "{said}");
    let heard: Vec<i16> = hound::WavReader::open(&sound).expect("it was written").samples().flatten().collect();
    is_the_voice(&heard);
}

/// Whether the voice is heard: quarters of a second of it, between which play-out may stretch time.
fn is_the_voice(heard: &[i16]) {
    let said = rtc_examples::wav::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("voices/near.wav"), 1, 10.0);
    let said = said.expect("it is part of the project");
    // At 8 kHz, which is quick to compare.
    let low = |sound: &[f32]| -> Vec<f32> { sound.chunks(6).map(|part| part.iter().sum::<f32>() / 6.0).collect() };
    let heard: Vec<f32> = heard.iter().map(|sample| f32::from(*sample)).collect();
    let (said, heard) = (low(said.as_ref().plane(0)), low(&heard));
    assert!(heard.len() > 12_000, "{} samples", heard.len());
    let parts = heard[heard.len() / 4..heard.len() * 3 / 4].chunks_exact(2_000);
    let found = parts.filter_map(|part| align(part, &said, 0..=said.len() as i64));
    let mut alike: Vec<f64> = found.map(|found| found.correlation).collect();
    assert!(alike.len() >= 3, "{} parts of the voice", alike.len());
    assert!(median(&mut alike) > 0.8, "{alike:?}");
}

#[test]
fn gstreamer_hears_what_we_send_and_reports() {
    if !*IS_MISSING {
        std::thread::scope(|scope| CASES.iter().for_each(|case| drop(scope.spawn(|| to_gstreamer(case)))));
    }
}

#[test]
fn we_hear_what_gstreamer_sends() {
    if !*IS_MISSING {
        std::thread::scope(|scope| CASES[1..].iter().for_each(|case| drop(scope.spawn(|| from_gstreamer(case)))));
    }
}
