# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this folder share: the pictures they start from, and the file that their numbers go to."""

import json
import pathlib

import numpy as np
import torch

here = pathlib.Path(__file__).parent


class Record:
    """Small images and what is made of them: arrays in <name>.bin, and where they lie in <name>.json."""

    def __init__(self, *lists):
        self.blob = bytearray()
        self.pictures = {}
        self.index = {"images": {}, **{name: [] for name in lists}}

    def store(self, array):
        offset = len(self.blob)
        self.blob.extend(np.ascontiguousarray(array).tobytes())
        return offset

    def add_pictures(self, pictures):
        """Takes 8-bit images [H, W, C]; the first rows' colours of "noise_rgb" are where hues and luma are special."""
        pictures["noise_rgb"][0, :5] = [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [127, 127, 128]]
        self.pictures = pictures
        for name, image in pictures.items():
            height, width, channels = image.shape
            self.index["images"][name] = {"height": height, "width": width, "channels": channels, "offset": self.store(image)}

    def as_bytes(self, name):
        """An image as a tensor of 8 bits, [C, H, W]."""
        return torch.from_numpy(self.pictures[name]).permute(2, 0, 1).contiguous()

    def as_float(self, name):
        return self.as_bytes(name).to(torch.float32) / 255.0

    def write(self, name):
        (here / f"{name}.bin").write_bytes(self.blob)
        pictures = ",\n".join(f"    {json.dumps(n)}: {json.dumps(entry)}" for n, entry in self.index["images"].items())
        parts = [f'  "images": {{\n{pictures}\n  }}']
        for key, entries in self.index.items():
            if key != "images":
                lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
                parts.append(f'  "{key}": [\n{lines}\n  ]')
        (here / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
        counts = [f"{len(entries)} {key}" for key, entries in self.index.items()]
        print(", ".join(counts + [f"{len(self.blob)} bytes"]))


def smooth(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(0.31 * x + 0.2 * c) * np.cos(0.23 * y - 0.7 * c) + 0.3 * np.sin(0.11 * x * (c + 1)) for c in range(channels)]
    return np.clip(np.round(127.5 + 98.0 * np.stack(waves, axis=-1)), 0, 255).astype(np.uint8)
