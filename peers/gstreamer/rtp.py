"""Passes RTP through GStreamer's encoders and decoders: RFC 4571 frames on stdin, what comes out on stdout.

One line of JSON on stderr tells the element's own counters. Payload types, SSRCs and clocks are those of `score`: media 96
(video, 90 kHz) or 111 (Opus, 48 kHz), ULPFEC 122, RED 100 or 63, RTX 97 of SSRC 2.
"""

import json
import struct
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402,F401

# Decoding is done by the clock: the jitter buffer calls a packet lost when its time is over.
PACE = {"ulpfec-decode", "ulpfec-red-decode"}
VIDEO = "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8"
AUDIO = "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS"
# The SSRC must be in the caps: without, rtpulpfecdec aborts.
RECOVER = (
    "rtpstorage name=storage size-time=2000000000 ! "
    "rtpjitterbuffer name=jitter latency=200 do-lost=true ! rtpulpfecdec name=element pt=122"
)
MODES = {
    "ulpfec-encode": (96, VIDEO, "rtpulpfecenc name=element pt=122 percentage=50 percentage-important=50 multipacket=true"),
    "ulpfec-decode": (96, VIDEO, RECOVER),
    "ulpfec-red-decode": (100, VIDEO, f"rtpreddec name=red pt=100 ! {RECOVER}"),
    "red-encode": (111, AUDIO, "rtpredenc name=element pt=63 distance=1"),
    "red-decode": (63, AUDIO, "rtpreddec name=element pt=63"),
    "rtx-encode": (96, VIDEO, "rtprtxsend name=element max-size-packets=1000"),
    "rtx-decode": (96, VIDEO, "rtprtxreceive name=element"),
}
COUNTERS = ["recovered", "unrecovered", "num-rtx-packets", "num-rtx-assoc-packets", "num-rtx-requests", "received"]


def frames(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def configure(pipeline, payload_type, caps):
    element = pipeline.get_by_name("element")
    if storage := pipeline.get_by_name("storage"):
        element.props.storage = storage.get_property("internal-storage")
        # Behind RED the jitter buffer meets payload types it was not told of, and would drop them.
        pipeline.get_by_name("jitter").connect(
            "request-pt-map", lambda _, pt: Gst.Caps.from_string(f"{caps},payload={pt}")
        )
    if element.find_property("payload-type-map"):
        element.props.payload_type_map = Gst.Structure.from_string("application/x-rtp-pt-map,96=(uint)97")[0]
        element.set_property("ssrc-map", Gst.Structure.from_string("application/x-rtp-ssrc-map,1=(uint)2")[0])
    return element


def request(element, numbers, ssrc):
    """Asks the sender for these packets, as an RTP session does for a NACK."""
    for number in numbers:
        structure = Gst.Structure.from_string(
            f"GstRTPRetransmissionRequest,seqnum=(uint){number},ssrc=(uint){ssrc},payload-type=(uint)96"
        )[0]
        element.get_static_pad("src").send_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, structure))


def main():
    mode, requests = sys.argv[1], [int(number) for number in sys.argv[2:]]
    packets = list(frames(sys.stdin.buffer.read()))
    payload_type, caps, elements = MODES[mode]
    (ssrc,) = struct.unpack_from(">I", packets[0], 8)
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f'appsrc name=source format=time is-live=true caps="{caps},payload={payload_type},ssrc=(uint){ssrc}" ! '
        f"{elements} ! appsink name=sink sync=false async=false"
    )
    element = configure(pipeline, payload_type, caps)
    source, sink = pipeline.get_by_name("source"), pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    begin, (first,) = time.monotonic(), struct.unpack_from(">I", packets[0], 4)
    for packet in packets:
        (timestamp,) = struct.unpack_from(">I", packet, 4)
        due = ((timestamp - first) & 0xFFFFFFFF) / 90000
        if mode in PACE:
            time.sleep(max(0, begin + due - time.monotonic()))
        buffer = Gst.Buffer.new_wrapped(packet)
        buffer.pts = buffer.dts = int(due * 1e9)
        source.push_buffer(buffer)
    if requests:
        time.sleep(0.2)
        request(element, requests, ssrc)
    time.sleep(0.5 if mode in PACE or requests else 0)
    source.end_of_stream()
    while sample := sink.try_pull_sample(2 * Gst.SECOND):
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        sys.stdout.buffer.write(struct.pack(">H", len(data)) + data)
    counters = {name: element.get_property(name) for name in COUNTERS if element.find_property(name)}
    pipeline.set_state(Gst.State.NULL)
    print(json.dumps(counters), file=sys.stderr)


main()
