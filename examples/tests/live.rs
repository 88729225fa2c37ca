//! The programs over real sockets of this machine, in real time: as short as can be, and with nothing that depends on its speed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("test folders can be removed");
    }
    std::fs::create_dir_all(&folder).expect("test folders can be made");
    folder
}

/// Starts `program` and waits for it to say where it listens.
fn listening(program: &str, arguments: &[&str]) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut words = BufReader::new(child.stdout.take().expect("it was asked for"));
    let mut line = String::new();
    words.read_line(&mut line).expect("it says something");
    let addr = line.trim().strip_prefix("listening on ").expect("it listens").to_owned();
    (child, addr, words)
}

fn rest(words: BufReader<std::process::ChildStdout>) -> String {
    words.lines().map(|line| line.expect("text") + "\n").collect()
}

#[test]
fn two_processes_call_each_other_with_a_key() {
    let out = folder("live");
    let output =
        Command::new(env!("CARGO_BIN_EXE_call")).args(["--live", "--seconds", "2", "--out"]).arg(&out).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    for word in ["near: ", "far: ", "voice packets sent"] {
        assert!(said.contains(word), "{word:?} is missing in:\n{said}");
    }
    assert!(!said.contains("refused"), "{said}");
    for name in ["near-heard.wav", "far-heard.wav"] {
        assert!(out.join(name).exists(), "{name}");
    }
}

#[test]
fn a_call_without_the_key_is_refused_in_one_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_call")).args(["connect", "127.0.0.1:9", "--seconds", "1"]).output();
    let output = output.expect("the program runs");
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
}

#[test]
fn a_stream_arrives_as_it_was_sent_whatever_it_is_coded_and_encrypted_with() {
    let out = folder("stream");
    let gcm = "00112233445566778899aabbccddeeff0123456789abcdef01234567";
    for (number, settings) in
        [&["--codec", "opus"][..], &["--codec", "l16", "--key", gcm, "--profile", "aes128-gcm"]].into_iter().enumerate()
    {
        let [wav, pcap] = ["wav", "pcap"].map(|kind| out.join(format!("{number}.{kind}")).display().to_string());
        let mut arguments = vec!["127.0.0.1:0", "--mux", "--out", &wav, "--pcap", &pcap];
        arguments.extend(settings);
        let (mut receiver, addr, words) = listening(env!("CARGO_BIN_EXE_rtp_receive"), &arguments);
        let sender = Command::new(env!("CARGO_BIN_EXE_rtp_send"))
            .args([addr.as_str(), "--mux", "--seconds", "1.5"])
            .args(settings)
            .output()
            .expect("the program runs");
        assert!(sender.status.success(), "{sender:?}");
        let sent = String::from_utf8(sender.stdout).expect("text");
        let heard = rest(words);
        assert!(receiver.wait().expect("it ends").success(), "{heard}");
        assert!(heard.contains(" 0 lost") && heard.contains("refused: 0"), "{heard}");
        assert!(sent.contains(" 0 packets lost") && !sent.contains("refused"), "{sent}");
        let sound = hound::WavReader::open(&wav).expect("it is there");
        assert!(sound.duration() > 48_000, "{} samples", sound.duration());
        let file = std::fs::read(&pcap).expect("it is there");
        let reader = rtc_transport::capture::PcapReader::new(&file).expect("a recording");
        assert!(reader.filter(|frame| frame.expect("whole").udp().is_ok()).count() > 70);
    }
}
