# SPDX-License-Identifier: Apache-2.0
# Writes nt_xent.json and vicreg.json: values and gradients in float64, from the formulas as the papers state them, term by
# term and without a shortcut. Needs torch 2.11: python make_losses.py
import json
import math
import pathlib

import torch

HERE = pathlib.Path(__file__).parent


def nt_xent(z1, z2, temperature):
    z = torch.cat([z1, z2])
    n = len(z1)

    def s(i, j):
        return torch.dot(z[i], z[j]) / (z[i].norm() * z[j].norm()) / temperature

    total = 0
    for i in range(2 * n):
        positive = torch.exp(s(i, (i + n) % (2 * n)))
        total = total - torch.log(positive / sum(torch.exp(s(i, j)) for j in range(2 * n) if j != i))
    return total / (2 * n)


def vicreg(z1, z2, invariance, variance, covariance, epsilon):
    n, d = z1.shape

    def spread(z):
        return sum(torch.clamp(1 - torch.sqrt(((z[:, j] - z[:, j].mean()) ** 2).sum() / (n - 1) + epsilon), min=0) for j in range(d)) / d

    def overlap(z):
        z = z - z.mean(0)
        return sum(((z[:, i] * z[:, j]).sum() / (n - 1)) ** 2 for i in range(d) for j in range(d) if i != j) / d

    return (invariance * ((z1 - z2) ** 2).mean() + variance * (spread(z1) + spread(z2)) / 2
            + covariance * (overlap(z1) + overlap(z2)))


def case(loss, n, d, scale, **settings):
    i = torch.arange(n * d, dtype=torch.float64).reshape(n, d)
    z1 = (scale * torch.sin(1.7 * i + 0.01 * i * i)).requires_grad_()
    z2 = (scale * torch.sin(1.7 * i + 0.01 * i * i + 0.4 * torch.cos(i))).requires_grad_()
    value = loss(z1, z2, **settings)
    value.backward()
    return {"settings": settings, "shape": [n, d], "z1": z1.flatten().tolist(), "z2": z2.flatten().tolist(), "value": value.item(),
            "grad_z1": z1.grad.flatten().tolist(), "grad_z2": z2.grad.flatten().tolist()}


weights = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0, "epsilon": 1e-4}
json.dump([case(nt_xent, 6, 5, 1.0, temperature=0.5), case(nt_xent, 9, 4, 3.0, temperature=0.1)],
          open(HERE / "nt_xent.json", "w"), separators=(",", ":"))
json.dump([case(vicreg, 6, 5, 1.0, **weights), case(vicreg, 5, 8, 0.3, **{**weights, "covariance": 3.0, "epsilon": 0.01})],
          open(HERE / "vicreg.json", "w"), separators=(",", ":"))
