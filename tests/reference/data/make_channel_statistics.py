# SPDX-License-Identifier: Apache-2.0
"""Writes NumPy's mean and standard deviation of the pixels that PIL sees in images/.

    python tests/reference/data/make_channel_statistics.py      (needs numpy; expected.json, by make_images.py, has the pixels)

channel_statistics.json   {"images": their number, "rgb" and "grey": {"mean", "std": of each channel, as fractions of white}}
"""

import json
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
expected = json.loads((here / "expected.json").read_text())
result = {"numpy": np.__version__, "images": len(expected["images"])}
for kind, channels in [("rgb", 3), ("grey", 1)]:
    # [N, H, W, C]: the images are of one size, so that each has the same weight.
    pixels = np.stack([np.frombuffer(bytes.fromhex(image[kind]), np.uint8) for image in expected["images"].values()])
    pixels = pixels.reshape(-1, expected["height"], expected["width"], channels) / 255.0
    result[kind] = {"mean": pixels.mean(axis=(0, 1, 2)).tolist(), "std": pixels.std(axis=(0, 1, 2)).tolist()}
(here / "channel_statistics.json").write_text(json.dumps(result, indent=1) + "\n")
