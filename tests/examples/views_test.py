#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `jessl views` on images made here, in every layout that is easily made, and on bad input: each bad case must be refused
with its remedy, and must write no picture.

Usage: views_test.py <the program jessl> <folder to work in>
"""
import pathlib
import random
import shutil
import struct
import sys
import tarfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program import Program

program, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
tested = Program(program, "views", "--backbone.width", "4", folder=work)
failures, succeeds, expect = tested.failures, tested.succeeds, tested.expect


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


def drawn(*flags):
    """The bytes of the picture, and its width and height."""
    output = succeeds(*flags, "--out", "new/views.png")
    written = (work / "new/views.png").read_bytes()
    extent = struct.unpack(">II", written[16:24])
    expect(f"{flags}: {extent} pixels, and it said:\n{output}", f"new/views.png: a row an image" in output and f"{extent[0]} x {extent[1]} pixels" in output)
    return written, extent


def equal(what, actual, expected):
    expect(f"{what}: {actual}, expected {expected}", actual == expected)


def refused(code, message, *flags):
    tested.refused(code, message, *flags, "--out", "refused/none.png")
    expect(f"{flags}: wrote a picture", not (work / "refused/none.png").exists())


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

SMALL = ["--augmentation.size", "32", "--zoom", "1"]
folder, extent = drawn("--data", "photos", *SMALL)
equal("a grid of 5 x 3 pictures of 32 pixels", extent, (112, 184))  # the images themselves at most as large
equal("the same again", drawn("--data", "photos", *SMALL)[0], folder)
equal("the same images in a tar file", drawn("--data", "shard-0.tar", *SMALL)[0], folder)
(work / "settings.toml").write_text('data = "photos"\n[augmentation]\nsize = 32\n')
equal("the same by a file of settings", drawn("--config", "settings.toml", "--zoom", "1")[0], folder)
for change in (["--seed", "1"], ["--epoch", "1"], ["--augmentation.min_scale", "0.9"]):
    expect(f"{change} changes nothing", drawn("--data", "photos", *SMALL, *change)[0] != folder)

# Views that grow, in the epoch that is asked for.
ramp = ["--data", "photos", *SMALL, "--ramp.min", "16", "--ramp.start", "0", "--ramp.end", "4", "--ramp.step", "8"]
equal("views of 16, 24 and 32 pixels", [drawn(*ramp, "--epoch", epoch)[1][0] for epoch in (0, 2, 9)], [4 * 4 + 3 * size for size in (16, 24, 32)])

# Eight small views, zoomed twice by itself.
multi_crop = ["--data", "photos", "--augmentation.size", "48", "--augmentation.local_size", "20", "--images", "2"]
equal("dino", drawn("--method", "dino", *multi_crop)[1][0], 12 * 4 + 2 * (3 * 48 + 8 * 20))
equal("dino without small views", drawn("--method", "dino", *multi_crop, "--small-views", "false")[1][0], 4 * 4 + 2 * 3 * 48)
for method in ("VICReg", "DINO"):
    plain = drawn("--data", "photos", "--method", method, *SMALL)[1]
    told = drawn("--data", "photos", "--method", method, *SMALL, "--parameters")[1]
    expect(f"{method}: no room for the parameters: {plain}, then {told}", told[1] > plain[1])
equal("eight rows of views seen well", drawn("--data", "idx", "--augmentation.size", "28")[1], (4 * 4 + 3 * 112, 9 * 4 + 8 * 112))

# Settings.
refused(2, 'unknown name "dina"; did you mean "DINO"', "--data", "photos", "--method", "dina")
refused(2, "GaussianBlur: p = 2 is not a probability", "--data", "photos", "--augmentation.blur", "2")
refused(2, "size = -3, expected 1 to", "--data", "photos", "--augmentation.size", "-3")
refused(2, "images is 6 and zoom is 1, expected 1 to 5", "--data", "photos", *SMALL, "--images", "6")
refused(2, "zoom is -1, expected", "--data", "photos", "--augmentation.size", "32", "--zoom", "-1")
refused(2, "epoch is -1, expected 0 to", "--data", "photos", *SMALL, "--epoch", "-1")

# Data.
(work / "notes.txt").write_text("hello")
(work / "empty").mkdir()
(work / "damaged").mkdir()
whole = png(40, 40, 3, picture(40, 40, 3, 1))
(work / "damaged/half.png").write_bytes(whole[: len(whole) // 2])
(work / "broken.beton").write_bytes(b"no beton" * 100)
for data, message in (("nowhere", "there is nothing at nowhere"), ("notes.txt", 'a file that ends in ".txt", expected .beton or .tar'),
                      ("empty", "empty"), ("damaged", "half.png) can't be shown: "), ("broken.beton", "broken.beton")):
    refused(1, message, "--data", data, *SMALL)
tested.refused(1, "cannot create", "--data", "photos", *SMALL, "--out", "notes.txt/views.png")

if failures:
    sys.exit("\n\n".join(failures))
print("every grid has the size and the bytes expected, and every bad input was refused with its message")
