# SPDX-License-Identifier: Apache-2.0
"""Writes the first numbers of some jessl::Draw streams, from a Philox4x32-10 written here after the paper (Salmon et al., SC 2011).

    python tests/reference/core/make_draws.py

draws.json    a list of {key, "bits": the first 6 words, "uniform": the first 3 values of a fresh stream,
              "permutation": range(10) shuffled by a fresh stream}
"""

import json
import pathlib

MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def words(seed, epoch, sample, view, operation, purpose):
    """Counter: block number; sample's low word; sample's high byte, view, operation, purpose, a byte each; epoch."""
    high = (sample >> 32) | view << 8 | operation << 16 | purpose << 24
    block = 0
    while True:
        yield from philox([block, sample & MASK, high, epoch], [seed & MASK, seed >> 32])
        block += 1


def uniform(stream):
    return ((next(stream) >> 5 << 26) | next(stream) >> 6) / 2**53


def below(stream, count):
    while True:
        word = next(stream) << 32 | next(stream)
        if word >= 2**64 % count:
            return word % count


def permutation(stream, count):
    items = list(range(count))
    for last in range(count, 1, -1):
        chosen = below(stream, last)
        items[last - 1], items[chosen] = items[chosen], items[last - 1]
    return items


keys = [
    dict(seed=0, epoch=0, sample=0, view=0, operation=0, purpose=0),
    dict(seed=1, epoch=2, sample=3, view=1, operation=5, purpose=0),
    dict(seed=0x0123456789ABCDEF, epoch=0xFFFFFFFF, sample=2**40 - 1, view=255, operation=255, purpose=3),
    dict(seed=42, epoch=7, sample=0, view=0, operation=0, purpose=1),
    dict(seed=42, epoch=0, sample=1234567, view=0, operation=0, purpose=2),
]
draws = []
for key in keys:
    stream = words(**key)
    bits = [next(stream) for _ in range(6)]
    stream = words(**key)
    values = [uniform(stream) for _ in range(3)]
    draws.append({**key, "bits": bits, "uniform": values, "permutation": permutation(words(**key), 10)})
lines = ",\n".join(" " + json.dumps(draw) for draw in draws)
(pathlib.Path(__file__).parent / "draws.json").write_text("[\n" + lines + "\n]\n")
