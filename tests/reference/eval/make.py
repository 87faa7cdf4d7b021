# SPDX-License-Identifier: Apache-2.0
"""Makes eval.json for tests/eval: small clustered features, and what NumPy and scikit-learn say about them, in float64.

python3 make.py   (needs numpy and scikit-learn)
"""
import json
import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

CLASSES, DIMENSION, TRAIN, TEST = 4, 6, 72, 24

rng = np.random.default_rng(20230102)
centres = rng.normal(size=(CLASSES, DIMENSION))


def sample(count):
    labels = rng.integers(0, CLASSES, size=count)
    # Two decimals, so that float32 and JSON hold the same short numbers; unequal scales, so that standardising matters.
    features = (centres[labels] + rng.normal(size=(count, DIMENSION))) * np.array([1, 3, 0.5, 2, 1, 0.25]) + 0.5
    return np.round(features, 2).astype(np.float32), labels


def knn(bank, labels, queries, k, temperature):
    bank, queries = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (bank, queries))
    similarity = queries @ bank.T
    votes = np.zeros((len(queries), CLASSES))
    for i, row in enumerate(similarity):
        for j in np.argsort(-row, kind="stable")[:k]:
            votes[i, labels[j]] += np.exp(row[j] / temperature)
    return votes / votes.sum(axis=1, keepdims=True)


def logistic(features, labels, queries, l2):
    # scikit-learn minimises C * sum of cross-entropies + 1/2 ||W||^2.
    model = LogisticRegression(C=1 / (len(labels) * l2), tol=1e-12, max_iter=100000, solver="newton-cg")
    model.fit(features, labels)
    log_probability = model.predict_log_proba(features)[np.arange(len(labels)), labels]
    return {
        "l2": l2,
        "objective": -log_probability.mean() + l2 / 2 * (model.coef_**2).sum(),
        "weights": model.coef_.tolist(),
        "predicted": model.predict(queries).tolist(),
    }


x, y = sample(TRAIN)
q, labels = sample(TEST)
x64, q64 = x.astype(np.float64), q.astype(np.float64)
scaler = StandardScaler().fit(x64)
document = {
    "x": [[float(str(v)) for v in row] for row in x],
    "y": y.tolist(),
    "queries": [[float(str(v)) for v in row] for row in q],
    "labels": labels.tolist(),
    "knn": [
        {"k": k, "temperature": t, "scores": knn(x64, y, q64, k, t).round(9).tolist()}
        for k, t in [(1, 0.07), (5, 0.07), (20, 0.1), (72, 0.5)]
    ],
    "logistic": [logistic(x64, y, q64, l2) for l2 in (1e-3, 1e-1)],
    "standardize": {"mean": scaler.mean_.tolist(), "deviation": scaler.scale_.tolist()},
}
with open(pathlib.Path(__file__).parent / "eval.json", "w") as file:
    json.dump(document, file, separators=(",", ":"))
    file.write("\n")
