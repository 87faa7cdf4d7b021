# SPDX-License-Identifier: Apache-2.0
# Writes mlp.json: the heads of published methods, in small, by PyTorch's modules in float64: outputs, gradients and running
# statistics of a training step, then the outputs in evaluation. Needs torch 2.11: python make_mlp.py
import json
import pathlib

import torch
from torch import nn

SIZES = [5, 4, 3, 2]  # in, hidden, hidden, out


def head(settings):
    """The modules by their names in jessl."""
    modules = nn.ModuleDict()
    hidden_norm, output_norm = settings.get("hidden_norm", True), settings.get("output_norm", "none")
    for i, (a, b) in enumerate(zip(SIZES[:-2], SIZES[1:-1])):
        activation = nn.GELU() if settings.get("activation") == "gelu" else nn.ReLU()
        modules[str(i)] = nn.Sequential(nn.Linear(a, b), *([nn.BatchNorm1d(b)] if hidden_norm else []), activation)
    last = len(SIZES) - 2
    modules[str(last)] = nn.Linear(SIZES[-2], SIZES[-1], bias=settings.get("output_bias", False))
    if output_norm != "none":
        modules[str(last + 1)] = nn.BatchNorm1d(SIZES[-1], affine=output_norm == "affine")
    return modules.double()


def numbers(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().flatten().tolist()}


def case(method, **settings):
    modules = head(settings)
    for k, parameter in enumerate(modules.parameters()):
        i = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
        parameter.data = 0.8 * torch.sin(1.9 * i + 0.03 * i * i + k)
    i = torch.arange(6 * SIZES[0], dtype=torch.float64).reshape(6, SIZES[0])
    x = torch.cos(1.1 * i + 0.01 * i * i).requires_grad_()

    def forward():
        h = x
        for module in modules.values():
            h = module(h)
        return h

    start = {name: numbers(p) for name, p in modules.named_parameters()}
    output = forward()
    (output * torch.sin(torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)).sum().backward()
    modules.eval()
    return {"method": method, "settings": {"widths": "-".join(map(str, SIZES[1:])), **settings}, "x": numbers(x),
            "parameters": start, "output": numbers(output), "grad_x": numbers(x.grad),
            "gradients": {name: numbers(p.grad) for name, p in modules.named_parameters()},
            "statistics": {name: numbers(b) for name, b in modules.named_buffers() if "num_batches" not in name},
            "evaluated": numbers(forward())}


json.dump([case("BYOL"),
           case("SimSiam", output_norm="plain"),
           case("NNCLR", output_norm="affine"),
           case("SwAV", output_bias=True),
           case("MoCo v2", hidden_norm=False, output_bias=True),
           case("DINO", hidden_norm=False, activation="gelu", output_bias=True)],
          open(pathlib.Path(__file__).parent / "mlp.json", "w"), separators=(",", ":"))
