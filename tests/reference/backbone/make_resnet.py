# SPDX-License-Identifier: Apache-2.0
# Writes resnet_keys.txt and resnet_forward.json: what torchvision's residual networks are made of, and what they compute
# with weights and images filled by closed formulas (every eighth feature, to keep the file small). Needs torch 2.11 and
# torchvision 0.26: python make_resnet.py
import json
import math
import pathlib

import torch
import torchvision

HERE = pathlib.Path(__file__).parent


def noise(count, k):
    """Irregular numbers in [-1, 1) by integer arithmetic, so that every program gets the same ones."""
    m = 2**31 - 1
    x = (torch.arange(count) * 48271 + 7919 * k + 12345) % m
    x = (x * x + 1) % m
    x = (x * x + k) % m
    return x.double() / 2**30 - 1


def fill(net):
    """The k-th parameter gets noise(k), scaled by what it is: weights of variance 2 / fan in, scales near 1, shifts near 0."""
    with torch.no_grad():
        for k, (name, p) in enumerate((n, p) for n, p in net.named_parameters() if not n.startswith("fc.")):
            value = noise(p.numel(), k).reshape(p.shape)
            if p.dim() > 1:
                value = value * math.sqrt(6 / p[0].numel())
            elif name.endswith("weight"):
                value = 1 + 0.2 * value
            else:
                value = 0.1 * value
            p.copy_(value)


with open(HERE / "resnet_keys.txt", "w") as out:
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "resnext50_32x4d"):
        net = getattr(torchvision.models, name)()
        parameters = {n for n, _ in net.named_parameters()}
        print(name, file=out)
        for key, value in net.state_dict().items():
            if not key.startswith("fc."):
                print(" ", "parameter" if key in parameters else "buffer", key, *value.shape, file=out)

cases = {}
images = noise(4 * 3 * 64 * 64, 99).reshape(4, 3, 64, 64)
for name in ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d"):
    net = getattr(torchvision.models, name)().double()
    net.fc = torch.nn.Identity()
    fill(net)
    with torch.no_grad():
        trained = net.train()(images)  # batch statistics; also updates the running ones
        evaluated = net.eval()(images)
    cases[name] = {"train": trained[:, ::8].flatten().tolist(), "eval": evaluated[:, ::8].flatten().tolist(),
                   "bn1.running_var": net.bn1.running_var.tolist()}
    cases[name] = {key: [float(f"{x:.9g}") for x in values] for key, values in cases[name].items()}
json.dump(cases, open(HERE / "resnet_forward.json", "w"), separators=(",", ":"))
