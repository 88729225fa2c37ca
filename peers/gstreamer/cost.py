"""Prints the CPU time in seconds that a mixing element of GStreamer takes by itself: that of a pipeline with it, less that of the
same sources into nothing. User and system time of the process, the least of three runs of each; never wall time.

Usage: cost.py audio|video|scaled INPUTS SECONDS
"""

import os
import random
import resource
import subprocess
import sys
import tempfile

RUNS = 3
FRAMES = 30  # per second


def cpu(pipeline):
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["gst-launch-1.0", "--quiet", *pipeline.split()], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(RUNS))


def compare(source, element, caps, inputs, pads):
    into = f"{element} name=mixer {pads} ! {caps} ! fakesink "
    return cpu(into + " ".join(f"{source} ! mixer." for _ in range(inputs))) - cpu(
        " ".join(f"{source} ! fakesink" for _ in range(inputs))
    )


def audio(inputs, seconds):
    # Noise from a file: of silent test sources no sample would be touched.
    with tempfile.NamedTemporaryFile() as file:
        noise = random.Random(1).randbytes(48_000 * 2)
        for _ in range(seconds):
            file.write(noise)
        file.flush()
        source = (
            f"filesrc location={file.name} blocksize=960 ! "
            "rawaudioparse format=pcm pcm-format=s16le sample-rate=48000 num-channels=1"
        )
        return compare(source, "audiomixer", "audio/x-raw,format=S16LE,rate=48000,channels=1", inputs, "")


def video(inputs, seconds, columns, width, height):
    # One picture shown over and over, by reference.
    source = (
        "videotestsrc num-buffers=1 pattern=snow ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
        f"imagefreeze num-buffers={FRAMES * seconds}"
    )
    places = (
        f"sink_{at}::xpos={at % columns * width} sink_{at}::ypos={at // columns * height} "
        f"sink_{at}::width={width} sink_{at}::height={height}"
        for at in range(inputs)
    )
    caps = "video/x-raw,format=I420,width=1920,height=1080"
    return compare(source, "compositor", caps, inputs, " ".join(places))


mode, inputs, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["GST_DEBUG"] = "0"
if mode == "audio":
    print(audio(inputs, seconds))
elif mode == "video":
    print(video(inputs, seconds, 3, 640, 360))
else:
    print(video(inputs, seconds, 4, 480, 270))
