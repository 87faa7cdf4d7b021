#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs jessl-views on images made here, in every layout that is easily made, and on bad input: each bad case must end with exit
code 1 and a message that says what to do, and must write no picture.

Usage: views_test.py <the program jessl-views> <folder to work in>
"""
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import zlib

program, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
failures = []


def png(width, height, channels, pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = width * channels
    lines = b"".join(b"\0" + pixels[y * row : (y + 1) * row] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def picture(width, height, channels, seed):
    rng = random.Random(seed)
    return bytes((x * 5 + y * 3 * (c + 1) + rng.randrange(40)) % 256 for y in range(height) for x in range(width) for c in range(channels))


def views(out, *settings):
    return subprocess.run([program, f"out={work / out}", *settings], capture_output=True, text=True, timeout=120)


def good(out, message, *settings):
    """The run succeeds and prints the message; gives the bytes of the picture and its width and height."""
    result = views(out, *settings)
    if result.returncode != 0 or not re.search(message, result.stdout):
        failures.append(f"{settings}: exit code {result.returncode}, expected 0 and '{message}':\n{result.stdout}{result.stderr}")
        return b"", (0, 0)
    written = (work / out).read_bytes()
    return written, struct.unpack(">II", written[16:24])


def equal(what, actual, expected):
    if actual != expected:
        failures.append(f"{what}: {actual}, expected {expected}")


def refused(name, message, *settings):
    result = views("refused/none.png", *settings)
    if result.returncode != 1 or not re.search(message, result.stderr):
        failures.append(f"{name}: exit code {result.returncode}, expected 1 and '{message}':\n{result.stdout}{result.stderr}")
    if (work / "refused/none.png").exists():
        failures.append(f"{name}: wrote a picture")


# Colour and grey images of several sizes, one of a single pixel: in a folder a class, and in a tar file in the same order.
sizes = [(40, 30, 3), (33, 64, 3), (1, 1, 1), (200, 20, 1), (28, 28, 3)]
for number, (width, height, channels) in enumerate(sizes):
    path = work / f"photos/{'cat' if number < 3 else 'dog'}/{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(width, height, channels, picture(width, height, channels, number)))
with tarfile.open(work / "shard-0.tar", "w") as tar:
    for path in sorted((work / "photos").rglob("*.png")):
        tar.add(path, path.name)
raw = b"".join(picture(28, 28, 1, number) for number in range(12))
(work / "idx").mkdir()
(work / "idx/train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 12, 28, 28) + raw)
(work / "idx/train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 12) + bytes(range(9)) + bytes(3))

photos = f"data={work / 'photos'}"
folder, extent = good("new/folder.png", r"folder\.png: 5 of 5 images with 2 views each, 112 x 184 pixels", photos, "size=32", "zoom=1")
equal("a grid of 5 x 3 pictures of 32 pixels", extent, (112, 184))  # the images themselves at most as large
equal("the same again", good("again.png", "5 images", photos, "size=32", "zoom=1")[0], folder)
equal("the same images in a tar file", good("tar.png", "5 images", f"data={work / 'shard-0.tar'}", "size=32", "zoom=1")[0], folder)
equal("the same by a pattern", good("tar.png", "5 images", f"data={work}/shard-{{0..0}}.tar", "size=32", "zoom=1")[0], folder)
for change in ("seed=1", "epoch=1", 'options={"min_scale":0.9}'):
    if good("other.png", "5 images", photos, "size=32", "zoom=1", change)[0] == folder:
        failures.append(f"{change} changes nothing")

# Eight local views, of 21 pixels where the global ones have 48; zoomed twice by itself.
equal("dino", good("dino.png", "10 views each", photos, "preset=dino", "size=48", "images=2")[1][0], 12 * 4 + 2 * (3 * 48 + 8 * 21))
equal("swav", good("swav.png", "8 views each", photos, "preset=swav", "size=48", "images=2", 'options={"local_size":24}')[1][0],
      10 * 4 + 2 * (3 * 48 + 6 * 24))
for preset in ("simclr", "byol", "barlow_twins", "vicreg", "swav", "dino", "eval", "identity"):
    plain = good("plain.png", "5 images", photos, f"preset={preset}", "size=32")[1]
    told = good("told.png", "5 images", photos, f"preset={preset}", "size=32", "parameters=true")[1]
    if told[1] <= plain[1]:
        failures.append(f"{preset}: no room for the parameters: {plain}, then {told}")
good("idx.png", "8 of 12 images with 1 view each", f"data={work / 'idx'}", "preset=identity", "size=28", "parameters=true")
good("idx.png", "8 of 12 images", f"data={work / 'idx/train-images-idx3-ubyte'}", "size=28")

# Settings.
refused("an unknown setting", r'unknown name "presets"; did you mean "preset"', photos, "presets=dino")
refused("an unknown preset", r'preset: unknown name "dina"; did you mean "dino".*simclr, byol', photos, "preset=dina")
refused("no name=value", r'argument "--help" is not of the form name=value; known names: data, preset', "--help")
refused("options that are no JSON", r'options is jitter=1, expected settings of the preset as JSON, for example \{"jitter"', photos, "options=jitter=1")
refused("an unknown option", r'options: unknown name "jiter"; did you mean "jitter"', photos, 'options={"jiter":1}')
refused("an option out of its range", r"GaussianBlur: p = 2 is not a probability", photos, 'options={"blur":2}')
refused("a negative size", r"size = -3, expected 1 to", photos, "size=-3")
refused("too many images", r"images is 6 .*expected 1 to 5", photos, "images=6")
refused("a negative zoom", r"zoom is -1, expected", photos, "zoom=-1")
refused("a negative epoch", r"epoch is -1, expected 0 to", photos, "epoch=-1")

# Data.
(work / "notes.txt").write_text("hello")
(work / "empty").mkdir()
(work / "damaged").mkdir()
whole = png(40, 40, 3, picture(40, 40, 3, 1))
(work / "damaged/half.png").write_bytes(whole[: len(whole) // 2])
(work / "broken.tar").write_bytes(b"no tar file" * 100)
(work / "broken.beton").write_bytes(b"no beton" * 100)
(work / "cifar").mkdir()
(work / "cifar/data_batch_1.bin").write_bytes(bytes(3073))
refused("absent data", r'data is ".*nowhere": there is no such file or folder', f"data={work / 'nowhere'}")
refused("a text file", r'notes\.txt", which is no kind of data set that is known here; expected a folder', f"data={work / 'notes.txt'}")
refused("an empty folder", r"empty", f"data={work / 'empty'}")
refused("a damaged image", r"image 0 \(.*half\.png\) can't be shown: ", f"data={work / 'damaged'}")
refused("a damaged tar file", r"broken\.tar", f"data={work / 'broken.tar'}")
refused("an absent tar file", r"shard-9\.tar", f"data={work / 'shard-9.tar'}")
refused("a damaged .beton", r"broken\.beton", f"data={work / 'broken.beton'}")
refused("a part of CIFAR-10", r"data_batch_1\.bin", f"data={work / 'cifar'}")
result = subprocess.run([program, photos, "size=32", f"out={work / 'notes.txt/views.png'}"], capture_output=True, text=True, timeout=120)
if result.returncode != 1 or not re.search(r"cannot create .*notes\.txt", result.stderr):
    failures.append(f"an output folder below a file: exit code {result.returncode}\n{result.stderr}")

if failures:
    sys.exit("\n\n".join(failures))
print("every grid has the size and the bytes expected, and every bad input was refused with its message")
