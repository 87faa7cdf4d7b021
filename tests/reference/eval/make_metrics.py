# SPDX-License-Identifier: Apache-2.0
"""Makes metrics.json for tests/eval: small features, and what the published formulas of metrics say about them, in float64.

Everything is written from the formula in its plainest form: a singular value decomposition, matrices of all pairs, the
matrix that centres. TwoNN finds its neighbours by sorting all distances.

python3 make_metrics.py   (needs numpy and scipy; made with numpy 2.4 and scipy 1.17)
"""
import json
import pathlib

import numpy as np
from scipy import linalg, stats
from scipy.spatial.distance import cdist, pdist

rng = np.random.default_rng(20221005)


def sample(rows, columns, offset=0.0):
    # Two decimals, so that float32 and JSON hold the same short numbers; unequal scales and correlated columns.
    mixed = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns)) * np.linspace(1, 0.1, columns)
    return np.round(mixed + offset, 2)


def low_rank(rows, columns, rank):
    # Whole numbers over 4: no rounding adds to the rank.
    return rng.integers(-4, 5, size=(rows, rank)) @ rng.integers(-4, 5, size=(rank, columns)) / 4.0


def float32(x):
    return x.astype(np.float32).astype(np.float64)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def singular_values(x):
    return np.linalg.svd(x, compute_uv=False)


def covariance_eigenvalues(x):
    return np.linalg.eigvalsh(np.cov(x, rowvar=False))[::-1].clip(min=0)[: min(x.shape)]


def rank_me(x):
    s = singular_values(x)
    p = s / s.sum() + 1e-7
    return np.exp(-(p * np.log(p)).sum())


def effective_rank(x):
    return np.exp(stats.entropy(singular_values(x)))


def nesum(x):
    eigenvalues = covariance_eigenvalues(x)
    return eigenvalues.sum() / eigenvalues[0]


def alpha_req(x, first, last):
    eigenvalues = covariance_eigenvalues(x)
    ranks = np.arange(first, min(last, (eigenvalues > 1e-12 * eigenvalues[0]).sum()) + 1)
    # polyfit's weights multiply residuals, which are then squared.
    return -np.polyfit(np.log(ranks), np.log(eigenvalues[ranks - 1]), 1, w=ranks**-0.5)[0]


def lidar(x, views, delta):
    x = x.reshape(-1, views, x.shape[1])
    objects, _, width = x.shape
    means = x.mean(axis=1)
    between = np.zeros((width, width))
    within = np.zeros((width, width))
    for i in range(objects):
        between += np.outer(means[i] - means.mean(axis=0), means[i] - means.mean(axis=0)) / (objects - 1)
        for view in x[i]:
            within += np.outer(view - means[i], view - means[i]) / (objects * (views - 1))
    root = linalg.fractional_matrix_power(within + delta * np.eye(width), -0.5).real
    eigenvalues = np.linalg.eigvalsh(root @ between @ root).clip(min=0)
    p = eigenvalues / eigenvalues.sum() + 1e-7
    return np.exp(-(p * np.log(p)).sum())


def uniformity(x, t):
    return np.log(np.exp(-t * pdist(unit(x)) ** 2).mean())


def alignment(a, b, alpha):
    return (np.linalg.norm(unit(a) - unit(b), axis=1) ** alpha).mean()


def self_cluster(x):
    rows, columns = x.shape
    cosines = unit(x) @ unit(x).T
    expected = rows + rows * (rows - 1) / columns
    return ((cosines**2).sum() - expected) / (rows**2 - expected)


def feature_std(x):
    return unit(x).std(axis=0).mean()


def linear_cka(a, b):
    centring = np.eye(len(a)) - 1 / len(a)
    k, l = (centring @ x @ x.T @ centring for x in (a, b))
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


def intrinsic_dimension(x, discard):
    distances = np.sort(cdist(*[np.unique(x, axis=0)] * 2), axis=1)
    ratios = np.sort(distances[:, 2] / distances[:, 1])
    fitted = int((1 - discard) * len(ratios))
    y = -np.log(1 - np.arange(1, fitted + 1) / len(ratios))
    return np.linalg.lstsq(np.log(ratios[:fitted, None]), y, rcond=None)[0][0]


def describe(x):
    x64 = float32(x)
    return {
        "x": x.tolist(),
        "singular_values": singular_values(x64).tolist(),
        "covariance_eigenvalues": covariance_eigenvalues(x64).tolist(),
        "rank_me": rank_me(x64),
        "effective_rank": effective_rank(x64),
        "nesum": nesum(x64),
        "uniformity": [{"t": t, "value": uniformity(x64, t)} for t in (0.5, 2.0, 100.0)],
        "self_cluster": self_cluster(x64),
        "feature_std": feature_std(x64),
        "intrinsic_dimension": [{"discard": d, "value": intrinsic_dimension(x64, d)} for d in (0.1, 0.35)],
    }


tall, wide = sample(40, 7), sample(9, 23)
many = sample(70, 45)
views = np.round(np.repeat(rng.normal(size=(14, 6)), 3, axis=0) + 0.4 * rng.normal(size=(42, 6)), 2)
wide_views = np.round(np.repeat(rng.normal(size=(5, 11)), 4, axis=0) + 0.4 * rng.normal(size=(20, 11)), 2)
other = np.round(tall @ rng.normal(size=(7, 12)) + 2 * rng.normal(size=(40, 12)), 2)
wide_other = np.round(wide[:, :5] + rng.normal(size=(9, 5)), 2)

document = {
    "features": {
        "tall": describe(tall),
        "wide": describe(wide),
        "with a large mean": describe(sample(30, 6, offset=50.0)),
        "with repeated rows": describe(np.concatenate([tall[:12], tall[:12], tall[3:9]])),
        "of low rank, tall": describe(low_rank(25, 9, 3)),
        "of low rank, wide": describe(low_rank(8, 17, 4)),
    },
    "alpha_req": {
        "x": many.tolist(),
        "values": [
            {"first": first, "last": last, "value": alpha_req(float32(many), first, last)}
            for first, last in [(11, 100), (4, 20), (1, 45)]
        ],
    },
    "lidar": [
        {"x": x.tolist(), "views": q, "delta": delta, "value": lidar(float32(x), q, delta)}
        for x, q in [(views, 3), (wide_views, 4)]
        for delta in (1e-4, 0.5)
    ],
    "alignment": [
        {"a": a.tolist(), "b": b.tolist(), "alpha": alpha, "value": alignment(float32(a), float32(b), alpha)}
        for a, b in [(views[::3], views[1::3])]
        for alpha in (1.0, 2.0)
    ],
    "linear_cka": [
        {"a": a.tolist(), "b": b.tolist(), "value": linear_cka(float32(a), float32(b))}
        for a, b in [(tall, other), (wide, wide_other), (views[::3], views[1::3])]
    ],
}
with open(pathlib.Path(__file__).parent / "metrics.json", "w") as file:
    json.dump(document, file, separators=(",", ":"))
    file.write("\n")
