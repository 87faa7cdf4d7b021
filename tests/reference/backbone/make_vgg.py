# SPDX-License-Identifier: Apache-2.0
# Writes vgg_keys.txt and vgg_forward.json: what torchvision's VGGs are made of, and what some compute with weights and images by
# closed formulas (record.py). Needs torch 2.11 and torchvision 0.26: python make_vgg.py
import torch
import torchvision
from torchvision.models.vgg import VGG, make_layers

import record

names = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
record.write_keys("vgg_keys.txt", {name: getattr(torchvision.models, name)(init_weights=False) for name in names}, "classifier.")


class Features(torch.nn.Module):
    """torchvision's network as far as its classifier, pooled to a map of that side."""

    def __init__(self, net, size):
        super().__init__()
        self.features = net.features
        self.pool = torch.nn.AdaptiveAvgPool2d(size)

    def forward(self, images):
        return torch.flatten(self.pool(self.features(images)), 1)


def vgg(batch_norm):
    """Of an eighth of the width, with layers as VGG-16's."""
    widths = [8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 64, 64, 64, "M", 64, 64, 64, "M"]
    return VGG(make_layers(widths, batch_norm=batch_norm))


plain, normed = vgg(False), vgg(True)
cases = {"plain": record.measure(Features(plain, 1), (4, 3, 64, 64), 1),
         "plain, 7x7": record.measure(Features(plain, 7), (2, 3, 64, 96), 32),
         "batch_norm": record.measure(Features(normed, 1), (8, 3, 64, 64), 1)}
statistics = normed.features[1]
cases["running_mean"] = record.numbers(statistics.running_mean)
cases["running_var"] = record.numbers(statistics.running_var)
record.write("vgg_forward.json", cases)
