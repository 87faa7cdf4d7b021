# SPDX-License-Identifier: Apache-2.0
# What the scripts beside this one share: weights and images by closed formulas, and what a network makes of them.
import json
import math
import pathlib

import torch

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
        for k, (name, p) in enumerate(net.named_parameters()):
            value = noise(p.numel(), k).reshape(p.shape)
            if p.dim() > 1:
                value = value * math.sqrt(6 / p[0].numel())
            elif name.endswith("weight"):
                value = 1 + 0.2 * value
            else:
                value = 0.1 * value
            p.copy_(value)


def write_keys(file, nets, left_out):
    """A line a tensor, "parameter features.0.weight 64 3 3 3", in order, below the network's name."""
    with open(HERE / file, "w") as out:
        for name, net in nets.items():
            print(name, file=out)
            for kind, tensors in (("parameter", net.named_parameters()), ("buffer", net.named_buffers())):
                for key, value in tensors:
                    if not key.startswith(left_out):
                        print(" ", kind, key, *value.shape, file=out)


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def measure(net, shape, step):
    """The features of images of that shape, every step-th of them, and of each gradient of a weighted sum of all features its
    product with noise and its length. In float64; the network's weights are filled before."""
    net = net.double()
    net.zero_grad()
    fill(net)
    images = noise(math.prod(shape), 99).reshape(shape).requires_grad_()
    features = net(images)
    (features * noise(features.numel(), 77).reshape(features.shape)).sum().backward()
    gradients = {}
    for k, (name, p) in enumerate([("images", images), *net.named_parameters()]):
        gradients[name] = numbers(torch.stack([p.grad.flatten().dot(noise(p.numel(), 1000 + k)), p.grad.norm()]))
    return {"shape": list(shape), "width": features.shape[1], "features": numbers(features[:, ::step]), "gradients": gradients}


def write(file, cases):
    json.dump(cases, open(HERE / file, "w"), separators=(",", ":"))
