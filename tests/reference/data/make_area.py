#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes area.json: images shrunk by OpenCV's area averaging, as ffcv's writer does it, and JPEG files that ffcv's writer
makes of them, for pack_test.cpp.

Needs numpy and opencv-python-headless (made with 1.26.4 and 4.10.0). The images are not stored: a value is
(3x + 5y + 40c + 29n + 7xy) mod 256 for column x, row y, channel c of image n.
"""
import hashlib
import json
import pathlib

import cv2
import numpy as np

HERE = pathlib.Path(__file__).parent


def picture(width, height, channels, number):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((3 * x + 5 * y + 40 * c + 29 * number + 7 * x * y) % 256).astype(np.uint8)


def sha256(data):
    return hashlib.sha256(bytes(data)).hexdigest()


cases = []
# (width, height) -> (width, height): whole ratios of 2 and of others, mixed ones, one axis unchanged, one pixel left.
SIZES = [((8, 6), (4, 3)), ((9, 6), (3, 2)), ((12, 8), (3, 4)), ((13, 9), (7, 4)), ((17, 5), (16, 5)), ((5, 17), (5, 11)),
         ((31, 23), (1, 1)), ((100, 7), (64, 4)), ((98, 65), (63, 42)), ((500, 333), (256, 170)), ((640, 480), (320, 240)),
         ((375, 500), (80, 107)), ((333, 250), (332, 249))]
for number, (source, target) in enumerate(SIZES):
    for channels in (1, 3):
        image = picture(*source, channels, number)
        small = cv2.resize(image, target, interpolation=cv2.INTER_AREA)
        case = {"source": source, "target": target, "channels": channels, "number": number, "sha256": sha256(small)}
        if small.size <= 64:
            case["values"] = small.reshape(-1).tolist()
        if channels == 3:  # as ffcv.fields.rgb_image.encode_jpeg
            bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
            done, jpeg = cv2.imencode(".jpg", bgr, [int(cv2.IMWRITE_JPEG_QUALITY), 90])
            assert done
            case["jpeg_sha256"] = sha256(jpeg)
        cases.append(case)
with open(HERE / "area.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
