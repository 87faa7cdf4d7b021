#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a step on many GPUs sends, and what of it costs time: the model behind docs/distributed.md. Nothing here is measured.

A ring sends 2 (W - 1) / W of the gradients' bytes in and out of each rank; small collectives cost their latency, which grows with the
logarithm of W. Gradients travel beside the backward pass, batch norms' statistics and the loss's embeddings in front of what waits for
them.

Usage: scaling_model.py [--batch images a GPU] [--bandwidth GB/s a GPU, between machines] [--latency us] [--hop us]
"""
import argparse
import math

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--batch", type=int, default=64, help="images a GPU and step")
options.add_argument("--bandwidth", type=float, default=40.0, help="GB/s of a GPU: 400 Gbit/s at 80 %%")
options.add_argument("--latency", type=float, default=20.0, help="us of the smallest collective in a machine")
options.add_argument("--hop", type=float, default=6.0, help="us for each doubling of the ranks")
settings = options.parse_args()

WIDTH, VIEWS, BYTES = 128, 2, 4  # of an embedding; of an image; of a float32
# name, parameters of backbone and projector, images (two views) a second on one GPU, joint batch norms
NETWORKS = [("ResNet-50", 23.5e6 + 8.7e6, 1500.0, 53 + 2), ("ViT-B/16", 85.8e6 + 6.0e6, 800.0, 2)]

print(f"{settings.batch} images a GPU, {settings.bandwidth:g} GB/s, {settings.latency:g} us + {settings.hop:g} us a doubling\n")
print("| network | GPUs | gradients, MB | NT-Xent, MB | batch norms, ms | NT-Xent, ms | gradients, ms, not hidden | efficiency |")
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
for name, parameters, rate, norms in NETWORKS:
    compute = 1e3 * settings.batch / rate  # ms
    for ranks in (1, 8, 64, 256, 1024):
        latency = 0.0 if ranks == 1 else 1e-3 * (settings.latency + settings.hop * math.log2(ranks))  # ms
        ring = (ranks - 1) / ranks
        gradients = 2 * ring * parameters * BYTES / 1e6  # MB
        # Gathered in the forward pass; their gradient is summed over the ranks in the backward pass.
        embeddings = VIEWS * settings.batch * ranks * WIDTH * BYTES * 3 * ring / 1e6
        to_ms = 1.0 / settings.bandwidth  # MB at GB/s
        norm_ms = 2 * norms * latency
        loss_ms = embeddings * to_ms + 2 * VIEWS * latency
        gradient_ms = gradients * to_ms + 10 * latency
        backward = compute * 2 / 3
        shown = max(gradient_ms - backward, gradient_ms / 10)  # the last bucket has nothing to hide behind
        efficiency = compute / (compute + norm_ms + loss_ms + (shown if ranks > 1 else 0))
        print(f"| {name} | {ranks} | {gradients:.0f} | {embeddings:.1f} | {norm_ms:.1f} | {loss_ms:.1f} | "
              f"{gradient_ms:.1f}, {shown if ranks > 1 else 0:.1f} | {100 * efficiency:.0f} % |")
