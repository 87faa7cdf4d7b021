#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads .beton files with the real ffcv and compares every value with what a reader of a page, below, finds in them.

    JESSL_BETON_DIR=/tmp/betons build/release/tests/jessl_test_data "[for_ffcv]"     writes files with jessl's writer
    python tests/reference/data/check_with_ffcv.py /tmp/betons/*.beton

Needs ffcv (made with 1.0.2; numpy 1.26.4, numba 0.60.0) and pillow. Compilation by numba takes some seconds a file. Where
ffcv's loader thread dies its consumer waits for ever: a signal ends that after ten minutes.
"""
import io
import json
import signal
import struct
import sys

import numpy as np
from PIL import Image

from ffcv.fields import RGBImageField
from ffcv.fields.rgb_image import CenterCropRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.reader import Reader
from ffcv.transforms import ToTensor

KINDS = {0: ("float", 8, 8), 1: ("int", 8, 8), 2: ("image", 13, 1), 3: ("bytes", 16, 1), 4: ("array", 8, 8),
         5: ("json", 16, 1), 6: ("array", 8, 8)}


def read(path):
    """The fields as (name, kind, dtype), and each sample as {name: value}."""
    data = open(path, "rb").read()
    version, count, page, samples, table = struct.unpack_from("<HHIQQ", data)
    assert version == 2 and page & (page - 1) == 0
    fields, offset, alignment = [], 0, 1
    for k in range(count):
        at = 24 + 1041 * k
        kind, size, align = KINDS[data[at]]
        name = data[at + 1:at + 17].split(b"\0")[0].decode()
        length, = struct.unpack_from("<Q", data, at + 17 + 256)
        dtype = json.loads(data[at + 281:at + 281 + length])[0][1] if kind == "array" else None
        offset = -(-offset // align) * align
        fields.append((name, kind, dtype, offset))
        offset, alignment = offset + size, max(alignment, align)
    record = -(-offset // alignment) * alignment
    assert (len(data) - table) % 24 == 0
    entries = list(struct.iter_unpack("<QQQ", data[table:]))
    sizes = {pointer: size for _, pointer, size in entries}
    owners = {pointer: sample for sample, pointer, _ in entries}
    assert len(sizes) == len(entries)
    for _, pointer, size in entries:  # inside one page
        assert size > 0 and pointer // page == (pointer + size - 1) // page and pointer + size <= table

    def value(i, kind, at):
        if kind in ("int", "float"):
            return data[at:at + 8]
        if kind == "image":
            mode, width, height, pointer = struct.unpack_from("<BHHQ", data, at)
        else:
            pointer, = struct.unpack_from("<Q", data, at)
        assert owners[pointer] == i
        stored = data[pointer:pointer + sizes[pointer]]
        if kind in ("bytes", "json"):
            assert len(stored) == struct.unpack_from("<Q", data, at + 8)[0]
        return (mode, width, height, stored) if kind == "image" else stored

    start = 24 + 1041 * count
    return fields, [{name: value(i, kind, start + i * record + offset) for name, kind, _, offset in fields}
                    for i in range(samples)]


def pixels(image):
    mode, width, height, stored = image
    if mode == 1:
        return np.frombuffer(stored, np.uint8).reshape(height, width, 3), 0
    # PIL has the accurate DCT, ffcv the fast one: values may differ a little.
    return np.asarray(Image.open(io.BytesIO(stored)).convert("RGB")), 24


def load(path, **arguments):
    return Loader(path, num_workers=1, order=OrderOption.SEQUENTIAL, drop_last=False, **arguments)


def check(path):
    fields, samples = read(path)
    names = [name for name, *_ in fields]
    images = [name for name, field in Reader(path).handlers.items() if isinstance(field, RGBImageField)]
    skipped = images + [name for name, _, dtype, _ in fields if dtype == "<f2"]  # numba has no float16 on the CPU
    others = [name for name in names if name not in skipped]
    checked = 0
    if others:
        at = 0
        for batch in load(path, batch_size=7, pipelines={name: None for name in skipped}):
            batch = {name: column.clone().numpy() for name, column in zip(others, batch)}
            for k in range(len(batch[others[0]])):
                for name, kind, _, _ in fields:
                    if name in others:
                        got, wanted = batch[name][k].tobytes(), samples[at][name]
                        # Bytes and JSON come as rows as long as the longest value, with anything behind it.
                        assert (got[:len(wanted)] if kind in ("bytes", "json") else got) == wanted, (name, at)
                        checked += 1
                at += 1
        assert at == len(samples)
    for name in images:
        # A centred square that is not resized is a plain copy; images of one size go together.
        sizes = {}
        for i, sample in enumerate(samples):
            sizes.setdefault(sample[name][1:3], []).append(i)
        for (width, height), members in sizes.items():
            side = min(width, height)
            pipelines = {other: None for other in names}
            pipelines[name] = [CenterCropRGBImageDecoder((side, side), 1), ToTensor()]
            (batch,) = next(iter(load(path, batch_size=len(members), indices=np.array(members, np.uint64), pipelines=pipelines)))
            top, left = (height - side) // 2, (width - side) // 2
            for got, i in zip(batch.clone().numpy(), members):
                wanted, tolerance = pixels(samples[i][name])
                wanted = wanted[top:top + side, left:left + side]
                assert np.abs(got.astype(int) - wanted).max() <= tolerance, (name, i)
                checked += 1
    print(f"{path}: {len(samples)} samples, {checked} values are the same in ffcv")


for argument in sys.argv[1:]:
    signal.alarm(600)
    check(argument)
