# SPDX-License-Identifier: Apache-2.0
"""Makes torchvision.json and torchvision.bin: small images and what torchvision makes of them for given parameters.

    OMP_NUM_THREADS=1 python make.py        (torch 2.11, torchvision 0.26, Pillow)

Images are 8-bit [H, W, C]. "float" results come from torchvision's functional operations on the image as a float32
tensor in [0, 1], and are stored as 16-bit q with value = low + q (high - low) / 65535. "pillow" results come from the
same operations on 8-bit Pillow images, and are stored as 8-bit [H, W, C].
"""


import numpy as np
import PIL.Image
import torch
import torchvision.transforms.functional as F
from torchvision.transforms import InterpolationMode

from record import Record, smooth

record = Record("cases")
index, store, as_float = record.index, record.store, record.as_float

rng = np.random.default_rng(7)
images = {
    "noise_rgb": rng.integers(0, 256, (16, 20, 3), dtype=np.uint8),
    "smooth_rgb": smooth(33, 27, 3),
    "smooth_grey": smooth(16, 20, 1),
    "noise_grey": rng.integers(0, 256, (33, 27, 1), dtype=np.uint8),
}
record.add_pictures(images)


def as_pillow(name):
    image = images[name]
    return PIL.Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def case(name, op, function, pillow=False, low=0.0, high=1.0, **params):
    """Applies function(image) and stores the result with the parameters."""
    result = function(as_float(name))
    channels, height, width = result.shape
    values = result.numpy().astype(np.float64)
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6, (op, values.min(), values.max())
    quantised = np.round(np.clip((values - low) / (high - low), 0, 1) * 65535).astype("<u2")
    entry = {"image": name, "op": op, "height": height, "width": width, "channels": channels, "low": low, "high": high,
             "offset": store(quantised), **params}
    if pillow:
        array = np.asarray(function(as_pillow(name)))
        entry["pillow"] = store(array.reshape(height, width, channels))
    index["cases"].append(entry)


everything = list(images)
bilinear = InterpolationMode.BILINEAR

boxes = {"noise_rgb": [(0, 0, 16, 20), (3, 5, 7, 12), (2, 1, 13, 6)], "smooth_rgb": [(0, 0, 33, 27), (4, 2, 25, 21), (20, 9, 5, 9)],
         "smooth_grey": [(1, 2, 14, 15)], "noise_grey": [(5, 3, 28, 22)]}
for name in everything:
    for number, (top, left, height, width) in enumerate(boxes[name]):
        for size in ([9, 9], [14, 11]):
            flip = (number + size[0]) % 2 == 0
            crop = lambda i: F.resized_crop(i, top, left, height, width, size, bilinear, antialias=True)
            case(name, "resized_crop", (lambda i: F.hflip(crop(i))) if flip else crop, pillow=True, box=[top, left, height, width],
                 size=size, flip=flip)
case("smooth_rgb", "resized_crop", lambda i: F.resized_crop(i, 6, 4, 10, 9, [24, 21], bilinear, antialias=True), pillow=True,
     box=[6, 4, 10, 9], size=[24, 21], flip=False)

for name in ("noise_rgb", "smooth_rgb", "noise_grey"):
    for size in (7, 12, 19):
        case(name, "resize", lambda i: F.resize(i, size, bilinear, antialias=True), pillow=True, size=[size])
    case(name, "resize", lambda i: F.resize(i, [10, 18], bilinear, antialias=True), pillow=True, size=[10, 18])
    for size in ([10, 10], [9, 12], [24, 24], [35, 12]):
        case(name, "center_crop", lambda i: F.center_crop(i, size), size=size)
    case(name, "resize_center_crop", lambda i: F.center_crop(F.resize(i, 12, bilinear, antialias=True), 10), resize=12, size=[10, 10])

for name in everything:
    for factor in (0.2, 1.7):
        case(name, "brightness", lambda i: F.adjust_brightness(i, factor), value=factor)
        case(name, "contrast", lambda i: F.adjust_contrast(i, factor), value=factor)
        case(name, "saturation", lambda i: F.adjust_saturation(i, factor), value=factor)
    for shift in (-0.2, 0.13, 0.5):
        case(name, "hue", lambda i: F.adjust_hue(i, shift), value=shift)
    case(name, "solarize", lambda i: F.solarize(i, 0.5))
    for size, sigma in ((3, 0.1), (5, 1.3), (13, 2.0)):
        case(name, "gaussian_blur", lambda i: F.gaussian_blur(i, [size, size], [sigma, sigma]), size=size, sigma=sigma)
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    channels = images[name].shape[2]
    means = mean if channels == 3 else [sum(mean) / 3]
    stds = std if channels == 3 else [sum(std) / 3]
    case(name, "normalize", lambda i: F.normalize(i, means, stds), low=-3.0, high=3.0)
for name in ("noise_rgb", "smooth_rgb"):
    case(name, "grayscale", lambda i: F.rgb_to_grayscale(i, 3))

adjust = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation, "hue": F.adjust_hue}
for name in everything:
    for order, values in ((["brightness", "contrast", "saturation", "hue"], [1.4, 0.6, 1.5, 0.1]),
                          (["hue", "saturation", "contrast", "brightness"], [-0.15, 0.3, 1.7, 0.7]),
                          (["contrast", "hue", "brightness", "saturation"], [1.2, 0.2, 1.1, 1.8])):

        def jitter(i):
            for which, value in zip(order, values):
                i = adjust[which](i, value)
            return i

        case(name, "color_jitter", jitter, order=order, values=values)

record.write("torchvision")
