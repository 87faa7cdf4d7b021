# SPDX-License-Identifier: Apache-2.0
"""Writes small images of every flavour that decode() must know, and the pixels that PIL sees in them.

    python tests/reference/data/make_images.py      (needs pillow and numpy)

images/*.jpg, images/*.png   19 x 13 pixels (no multiple of a JPEG block)
expected.json                for each: {"rgb": hex of Image.open(f).convert("RGB"), "grey": hex of ....convert("RGB").convert("L")}

PIL writes no 16-bit colour and no interlaced PNG: write_png() below does, by the format's specification.
"""

import json
import pathlib
import struct
import zlib

import numpy as np
import PIL
from PIL import Image

WIDTH, HEIGHT = 19, 13
here = pathlib.Path(__file__).parent
images = here / "images"


def scene(channels):
    """A smooth picture with an edge in it, [HEIGHT, WIDTH, channels] in [0, 1]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [0.5 + 0.5 * np.sin(0.35 * x * (c + 1) / 2 + 0.2 * y + c) * np.cos(0.15 * y * (c + 1)) for c in range(channels)]
    picture = np.stack(planes, axis=-1)
    picture[4:8, 6:11] = 1 - picture[4:8, 6:11]
    return picture


def eight(channels):
    values = np.rint(scene(channels) * 255).astype(np.uint8)
    return values[..., 0] if channels == 1 else values


def write_png(path, colour_type, bits, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, 0, 0, 0)
    data = b"".join(b"\0" + row for row in rows)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def write_interlaced(path, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # Adam7
    data = b""
    for y0, x0, dy, dx in passes:
        for row in rgb[y0::dy, x0::dx]:
            if row.size:
                data += b"\0" + row.tobytes()
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def main():
    images.mkdir(exist_ok=True)
    rgb = Image.fromarray(eight(3), "RGB")
    grey = Image.fromarray(eight(1), "L")
    rgb.save(images / "rgb_444.jpg", quality=95, subsampling=0)
    rgb.save(images / "rgb_420.jpg", quality=85, subsampling=2)
    rgb.save(images / "rgb_progressive.jpg", quality=90, progressive=True)
    grey.save(images / "grey.jpg", quality=90)
    Image.fromarray(eight(4), "CMYK").save(images / "cmyk.jpg", quality=95)

    rgb.save(images / "rgb.png")
    grey.save(images / "grey.png")
    grey.convert("1").save(images / "grey_1bit.png")
    Image.merge("LA", [grey, grey.rotate(180)]).save(images / "grey_alpha.png")
    Image.merge("RGBA", [*rgb.split(), grey]).save(images / "rgb_alpha.png")
    rgb.quantize(16).save(images / "palette.png")
    rgb.quantize(16).save(images / "palette_transparent.png", transparency=bytes(range(0, 256, 16)))
    write_interlaced(images / "rgb_interlaced.png", eight(3))
    deep = np.rint(scene(3) * 65535).astype(">u2")
    write_png(images / "rgb_16bit.png", 2, 16, [row.tobytes() for row in deep])
    write_png(images / "grey_16bit.png", 0, 16, [row.tobytes() for row in deep[..., 0]])
    nibbles = np.rint(scene(1)[..., 0] * 15).astype(np.uint8)
    padded = np.pad(nibbles, ((0, 0), (0, 1)))
    write_png(images / "grey_4bit.png", 0, 4, [(row[0::2] << 4 | row[1::2]).tobytes() for row in padded])

    expected = {}
    for path in sorted(images.iterdir()):
        with Image.open(path) as image:
            if path.name == "grey_16bit.png":
                # PIL's own convert("RGB") of 16-bit grey clips or shifts, by its version; ours keeps the upper 8 bits.
                plain = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8), "L").convert("RGB")
            else:
                plain = image.convert("RGB")
        expected[path.name] = {"rgb": plain.tobytes().hex(), "grey": plain.convert("L").tobytes().hex()}
    text = json.dumps({"pillow": PIL.__version__, "width": WIDTH, "height": HEIGHT, "images": expected}, indent=1)
    (here / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
