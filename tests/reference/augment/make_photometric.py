# SPDX-License-Identifier: Apache-2.0
"""Makes photometric.json and photometric.bin: what torchvision makes of small images, and of batches, for given
parameters, and how its random parameters are distributed.

    OMP_NUM_THREADS=1 python make_photometric.py        (torch 2.11, torchvision 0.26)

Images are 8-bit [H, W, C]. "bytes" is the result of torchvision's functional operations on the image as a tensor of 8
bits, [C, H, W]; "floats" that on the image as float32 in [0, 1], stored as 16-bit q with value = low + q (high - low) /
65535. The hues of YIQ and of the axis of greys are not torchvision's: they are products with the matrix of their
definition, in double precision. Draws are 16-bit [count, columns]: whether anything is erased, row, column, height and
width of the box; the same of CutMix's box without the first; MixUp's lambda times 65535.
"""

import math

import numpy as np
import torch
import torchvision.transforms._functional_tensor as F
from torchvision.transforms import v2

from record import Record, smooth

record = Record("cases", "batches", "draws")
index, store, as_float = record.index, record.store, record.as_float

rng = np.random.default_rng(11)
images = {
    "noise_rgb": rng.integers(0, 256, (16, 20, 3), dtype=np.uint8),
    "smooth_rgb": smooth(20, 24, 3),
    "smooth_grey": smooth(26, 31, 1),
    "dark_rgb": rng.integers(40, 91, (16, 17, 3), dtype=np.uint8),
    "few_grey": rng.choice(np.array([0, 3, 200], dtype=np.uint8), (20, 30, 1), p=[0.2, 0.5, 0.3]),
    "constant_rgb": np.full((8, 9, 3), 77, dtype=np.uint8),
    "tiny_rgb": rng.integers(0, 256, (2, 5, 3), dtype=np.uint8),
}
images["constant_rgb"][3, 4, 1] = 78  # one channel of two neighbouring values
record.add_pictures(images)


def quantised(values, low, high):
    values = np.asarray(values, dtype=np.float64)
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6, (values.min(), values.max())
    return np.round(np.clip((values - low) / (high - low), 0, 1) * 65535).astype("<u2")


def case(name, op, bytes_result=None, floats=None, low=0.0, high=1.0, **params):
    entry = {"image": name, "op": op, **params}
    if bytes_result is not None:
        assert bytes_result.dtype == torch.uint8
        entry["bytes"] = store(bytes_result.numpy())
    if floats is not None:
        entry.update(floats=store(quantised(floats, low, high)), low=low, high=high)
    index["cases"].append(entry)


def turned(name, matrix):
    """Each pixel times the matrix, clamped."""
    return np.clip(np.einsum("ij,jhw->ihw", matrix, record.as_bytes(name).numpy() / 255.0), 0.0, 1.0)


yiq = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


def yiq_matrix(turns):
    c, s = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    # From I towards -Q is from red towards green: Q has the angle of U, I that of V, and hues run from U to V.
    return np.linalg.inv(yiq) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) @ yiq


def grey_axis_matrix(turns):
    """Rodrigues' formula for the axis (1, 1, 1)."""
    c, s = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    axis = np.ones(3) / math.sqrt(3.0)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return c * np.eye(3) + s * cross + (1 - c) * np.outer(axis, axis)


for name in images:
    for bits in (1, 3, 4, 8):
        case(name, "posterize", F.posterize(record.as_bytes(name), bits), bits=bits)
    case(name, "invert", F.invert(record.as_bytes(name)))
    case(name, "equalize", F.equalize(record.as_bytes(name)))
    assert torch.equal(F.equalize(record.as_bytes(name)), v2.functional.equalize(record.as_bytes(name)))
    case(name, "autocontrast", F.autocontrast(record.as_bytes(name)), F.autocontrast(as_float(name)))
    for factor in (0.0, 0.4, 2.0):
        case(name, "sharpness", F.adjust_sharpness(record.as_bytes(name), factor), F.adjust_sharpness(as_float(name), factor), factor=factor)
for name in ("noise_rgb", "smooth_rgb", "dark_rgb"):
    for turns in (-0.31, 0.07, 0.25, 0.5):
        case(name, "hue_yiq", floats=turned(name, yiq_matrix(turns)), value=turns)
        case(name, "hue_grey_axis", floats=turned(name, grey_axis_matrix(turns)), value=turns)
for name, mean, std in (("noise_rgb", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ("smooth_grey", [0.45], [0.25])):
    normal = F.normalize(as_float(name), mean, std)
    value = [0.3, -1.5, 2.0][: len(mean)]
    erased = F.erase(normal, 3, 5, 9, 14, torch.tensor(value)[:, None, None])
    case(name, "normalize_erase", floats=erased, low=-3.0, high=3.0, box=[3, 5, 9, 14], value=value, mean=mean, std=std)

for name, channels in (("rgb", 3), ("grey", 1)):
    batch = torch.from_numpy(rng.normal(size=(5, channels, 7, 9)).clip(-3, 3).astype(np.float32))
    labels = torch.tensor([2, 0, 3, 3, 1])
    common = {"count": 5, "channels": channels, "height": 7, "width": 9, "classes": 4, "labels": labels.tolist(),
              "images": store(batch.numpy())}
    mixup = v2.MixUp(num_classes=4)
    cutmix = v2.CutMix(num_classes=4)
    for lam in (0.0, 0.3, 1.0):
        params = {"labels": labels, "batch_size": 5, "lam": lam}
        index["batches"].append({"op": "mixup", **common, "lambda": lam, "mixed": store(mixup.transform(batch, params).numpy()),
                                 "targets": store(mixup.transform(labels, params).numpy())})
    for x1, y1, x2, y2 in ((0, 0, 4, 3), (5, 2, 9, 7), (3, 3, 3, 6), (0, 0, 9, 7)):
        params = {"labels": labels, "batch_size": 5, "box": (x1, y1, x2, y2), "lam_adjusted": float(1.0 - (x2 - x1) * (y2 - y1) / 63)}
        index["batches"].append({"op": "cutmix", **common, "box": [y1, x1, y2 - y1, x2 - x1], "lambda": params["lam_adjusted"],
                                 "mixed": store(cutmix.transform(batch, params).numpy()),
                                 "targets": store(cutmix.transform(labels, params).numpy())})

count = 1000
height, width = 24, 33
image = [torch.zeros(3, height, width)]


def draws(op, row, **settings):
    torch.manual_seed(5)
    rows = np.array([row() for _ in range(count)], dtype="<u2")
    index["draws"].append({"op": op, "height": height, "width": width, "count": count, "columns": rows.shape[1],
                           "values": store(rows), **settings})


for scale, ratio in (((0.02, 0.33), (0.3, 3.3)), ((0.5, 1.0), (0.3, 3.3))):
    erasing = v2.RandomErasing(p=1.0, scale=scale, ratio=ratio)

    def erased():
        params = erasing.make_params(image)
        return [params["v"] is not None, params["i"], params["j"], params["h"], params["w"]]

    draws("erasing", erased, scale=list(scale), ratio=list(ratio))
for alpha in (0.2, 1.0, 3.0):
    cutmix = v2.CutMix(alpha=alpha, num_classes=2)
    mixup = v2.MixUp(alpha=alpha, num_classes=2)

    def cut():
        x1, y1, x2, y2 = (int(side) for side in cutmix.make_params(image)["box"])
        return [y1, x1, y2 - y1, x2 - x1]

    draws("cutmix", cut, alpha=alpha)
    draws("mixup", lambda: [round(mixup.make_params(image)["lam"] * 65535)], alpha=alpha)

record.write("photometric")
