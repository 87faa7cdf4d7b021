# SPDX-License-Identifier: Apache-2.0
"""Makes geometric.json and geometric.bin: what torchvision makes of small images by rotations, translations, affine maps,
changes of perspective and crops with given parameters, and how its random parameters are distributed.

    OMP_NUM_THREADS=1 python make_geometric.py        (torch 2.11, torchvision 0.26)

Images are 8-bit [H, W, C]. Results come from torchvision's functional operations on the image as a float64 tensor in [0,
1], [C, H, W], and are stored as 16-bit q with value = q / 65535. A translation is that of
FFCV: a padded image, cropped. The box of a crop is in the image's coordinates, before it was padded. Results on which float32 and float64 differ, because a place lies just between two pixels,
are refused. Draws are 16-bit [count, columns] with value = low + (high - low) q / 65535.
"""

import numpy as np
import torch
import torchvision.transforms.functional as F
from torchvision.transforms import InterpolationMode, RandomPerspective, v2

from record import Record, smooth

record = Record("cases", "draws")
index, store = record.index, record.store

rng = np.random.default_rng(15)
record.add_pictures({
    "noise_rgb": rng.integers(0, 256, (11, 14, 3), dtype=np.uint8),
    "smooth_rgb": smooth(14, 11, 3),
    "smooth_grey": smooth(10, 13, 1),
})
modes = {"nearest": InterpolationMode.NEAREST, "bilinear": InterpolationMode.BILINEAR}
colour = [0.2, 0.8, 0.5]


def quantised(values, low, high):
    values = np.asarray(values, dtype=np.float64)
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6, (values.min(), values.max())
    return np.round(np.clip((values - low) / (high - low), 0, 1) * 65535).astype("<u2")


def case(name, op, function, fill=(0.0, 0.0, 0.0), **params):
    """function(image, mode, fill) for each way to interpolate."""
    image = record.as_bytes(name).to(torch.float64) / 255.0
    filling = list(fill) if image.shape[0] == 3 else [sum(fill) / 3]
    for mode, interpolation in modes.items():
        result = function(image, interpolation, filling)
        single = function(image.to(torch.float32), interpolation, filling)
        far = (result - single).abs().max().item()
        assert far < 2e-5, (name, op, mode, params, far)
        stored = quantised(result.numpy(), 0.0, 1.0)
        index["cases"].append({"image": name, "op": op, "interpolation": mode, "fill": list(fill), **params, "values": store(stored)})


def translated(image, right, down, fill, pad=5):
    height, width = image.shape[1:]
    padded = torch.tensor(fill, dtype=image.dtype)[:, None, None].expand(-1, height + 2 * pad, width + 2 * pad).clone()
    padded[:, pad : pad + height, pad : pad + width] = image
    return padded[:, pad - down : pad - down + height, pad - right : pad - right + width]


def crosses_middles(corners):
    """Whether a side may run through the middle of a pixel, whose place is then half in the image."""
    sides = [np.subtract(a, b).tolist() for a, b in zip(corners, corners[1:] + corners[:1])]
    return any(x != 0 and y != 0 and x & -x == y & -y for x, y in sides)


for name, picture in record.pictures.items():
    height, width = picture.shape[:2]
    for angle, center, fill in ((17.3, None, (0, 0, 0)), (-151.0, None, colour), (33.7, [4.25, 9.5], (1, 1, 1))):
        case(name, "rotation", lambda i, m, f: F.rotate(i, angle, m, center=center, fill=f), fill, angle=angle, center=center)
    for angle, translate, scale, shear, center in (
        (-12.4, [3, -2], 1.0, [0.0, 0.0], None),
        (0.0, [0, 0], 0.61, [0.0, 0.0], None),
        (41.9, [-1, 4], 1.33, [13.1, -7.7], None),
        (0.0, [0, 0], 1.0, [21.0, 0.0], [3.3, 5.1]),
    ):
        case(name, "affine", lambda i, m, f: F.affine(i, angle, translate, scale, shear, m, fill=f, center=center), colour,
             angle=angle, translate=translate, scale=scale, shear=shear, center=center)
    start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    found = 0
    while found < 2:
        inwards = rng.integers(0, 4, (4, 2)) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
        end = (np.array(start) + inwards).tolist()
        if crosses_middles(end):
            continue
        found += 1
        case(name, "perspective", lambda i, m, f: F.perspective(i, start, end, m, fill=f), colour, corners=end)
    for right, down in ((3, -2), (-5, 5), (0, 1)):
        case(name, "translate", lambda i, m, f: translated(i, right, down, f), colour, right=right, down=down)



def box_of(params):
    """Where in the image what v2.RandomCrop cuts out of the padded one begins: row, column."""
    left, top = params["padding"][:2] if params["needs_pad"] else (0, 0)
    return [params["top"] - top, params["left"] - left]


crops = ([8, 8], 0), ([6, 9], 3), ([14, 11], 4), ([19, 16], 1)  # the last is larger than some of the padded images
for name in record.pictures:
    for size, padding in crops:
        cropping = v2.RandomCrop(size, padding=padding, pad_if_needed=True)
        torch.manual_seed(8)
        params = cropping.make_params([record.as_bytes(name)])
        result = cropping.transform(record.as_bytes(name).to(torch.float64) / 255.0, params)
        index["cases"].append({"image": name, "op": "crop", "box": [*box_of(params), *size],
                               "values": store(quantised(result.numpy(), 0.0, 1.0))})

count = 700
height, width = 24, 33
image = [torch.zeros(3, height, width)]


def draws(op, row, low, high, **settings):
    torch.manual_seed(6)
    rows = quantised([row() for _ in range(count)], low, high)
    index["draws"].append({"op": op, "height": height, "width": width, "count": count, "columns": rows.shape[1],
                           "low": low, "high": high, "values": store(rows), **settings})


rotation = v2.RandomRotation(25)
draws("rotation", lambda: [rotation.make_params(image)["angle"]], -25.0, 25.0, degrees=25.0)
affine = v2.RandomAffine(15, translate=(0.11, 0.3), scale=(0.7, 1.4), shear=(-10, 5, 2, 8))


def affine_row():
    params = affine.make_params(image)
    return [params["angle"], *params["translate"], params["scale"], *params["shear"]]


draws("affine", affine_row, -16.0, 16.0, degrees=15.0, translate=[0.11, 0.3], scale=[0.7, 1.4], shear=[-10.0, 5.0, 2.0, 8.0])
for scale in (0.3, 0.6):
    def corners():
        _, end = RandomPerspective.get_params(width, height, scale)
        return [side for corner in end for side in corner]

    draws("perspective", corners, 0.0, 63.0, distortion_scale=scale)
for size, padding in (([24, 33], 4), ([10, 30], 0), ([31, 40], 2)):
    cropping = v2.RandomCrop(size, padding=padding, pad_if_needed=True)
    draws("crop", lambda: box_of(cropping.make_params(image)), -40.0, 40.0, size=size, padding=padding)

record.write("geometric")
