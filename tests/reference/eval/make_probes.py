# SPDX-License-Identifier: Apache-2.0
"""Makes probes.json for tests/eval: what NumPy, SciPy and scikit-learn say, in float64, about the features of eval.json
and some more: ridge regression and its leave-one-out errors, nearest neighbours and centroids, logistic regression by strength, label
metrics, principal components. Where NumPy has the formula and scikit-learn the program, the two are compared here.

python3 make_probes.py   (needs numpy, scipy and scikit-learn 1.5 or newer)
"""
import json
import pathlib

import numpy as np
from scipy import stats
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import normalize

FOLDER = pathlib.Path(__file__).parent
CLASSES = 4

rng = np.random.default_rng(20230103)


def short(values, decimals=2):
    """The float32 numbers, in float64, that few decimals stand for in JSON."""
    return np.round(values, decimals).astype(np.float32).astype(np.float64)


def listed(values):
    return [[float(str(np.float32(value))) for value in row] for row in values]


with open(FOLDER / "eval.json") as file:
    shared = json.load(file)
x, y = short(shared["x"]), np.array(shared["y"])
queries, query_labels = short(shared["queries"]), np.array(shared["labels"])


def nearest_neighbours():
    temperature = 0.5
    weights = {
        "uniform": "uniform",
        "by_distance": "distance",
        "by_temperature": lambda distances: np.exp(-(distances**2) / (2 * temperature)),
    }
    asked = np.concatenate([queries, x[:3]])  # some at distance 0 of a row
    found = []
    for distance in ("cosine", "euclidean"):
        for votes, weight in weights.items():
            if distance == "cosine" and votes == "by_temperature":
                weight = lambda distances: np.exp((1 - distances) / temperature)
            for k in (1, 7, 30):
                model = KNeighborsClassifier(k, weights=weight, metric=distance, algorithm="brute").fit(x, y)
                found.append({
                    "distance": distance,
                    "votes": votes,
                    "k": k,
                    "temperature": temperature,
                    "rows": model.kneighbors(asked, return_distance=False).tolist(),
                    "scores": listed(model.predict_proba(asked)),
                })
    return {"queries": listed(asked), "found": found}


def solve_ridge(features, targets, strength):
    """Weights [T, D] and intercept [T] of sum ||W x + b - t||^2 + strength ||W||^2, from its normal equations."""
    mean, target_mean = features.mean(axis=0), targets.mean(axis=0)
    centred = features - mean
    weights = np.linalg.solve(
        centred.T @ centred + strength * np.eye(features.shape[1]), centred.T @ (targets - target_mean)
    ).T
    return weights, target_mean - weights @ mean


def ridge(features, targets, asked, strength):
    weights, intercept = solve_ridge(features, targets, strength)
    model = Ridge(alpha=strength, solver="svd").fit(features, targets)
    np.testing.assert_allclose(weights, model.coef_, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(intercept, model.intercept_, rtol=1e-8, atol=1e-11)
    return {
        "lambda": strength,
        "weights": weights.tolist(),
        "intercept": intercept.tolist(),
        "values": (asked @ weights.T + intercept).tolist(),
    }


def leave_one_out(features, targets, strengths):
    """Mean squared errors by one regression for each row left out, which scikit-learn's shortcut must equal."""
    errors = []
    for strength in strengths:
        squares = []
        for i in range(len(features)):
            rest = np.arange(len(features)) != i
            weights, intercept = solve_ridge(features[rest], targets[rest], strength)
            squares.append((weights @ features[i] + intercept - targets[i]) ** 2)
        errors.append(np.mean(squares))
    model = RidgeCV(alphas=strengths, store_cv_results=True).fit(features, targets)
    np.testing.assert_allclose(errors, model.cv_results_.mean(axis=(0, 1)), rtol=1e-8)
    assert model.alpha_ == strengths[int(np.argmin(errors))]
    return {"lambdas": strengths, "errors": [float(error) for error in errors], "lambda": float(model.alpha_)}


def logistic_search(strengths):
    """Accuracies on the queries by strength, and the optimum for all rows of the best, of equal ones the strongest."""

    def fit(features, labels, l2):
        model = LogisticRegression(C=1 / (len(labels) * l2), tol=1e-12, max_iter=100000, solver="newton-cg")
        return model.fit(features, labels)

    accuracies = [fit(x, y, l2).score(queries, query_labels) for l2 in strengths]
    best = max(zip(accuracies, strengths))[1]
    features, labels = np.concatenate([x, queries]), np.concatenate([y, query_labels])
    model = fit(features, labels, best)
    log_probability = model.predict_log_proba(features)[np.arange(len(labels)), labels]
    return {
        "l2s": strengths,
        "accuracies": accuracies,
        "l2": best,
        "objective": -log_probability.mean() + best / 2 * (model.coef_**2).sum(),
        "weights": model.coef_.tolist(),
    }


def nearest_centroid():
    model = NearestCentroid().fit(x, y)
    directions = normalize(np.stack([normalize(x)[y == c].mean(axis=0) for c in range(CLASSES)]))
    similarities = cosine_similarity(queries, directions)
    return {
        "euclidean": {
            "centroids": model.centroids_.tolist(),
            "scores": (-euclidean_distances(queries, model.centroids_, squared=True)).tolist(),
            "predicted": model.predict(queries).tolist(),
        },
        "cosine": {
            "centroids": directions.tolist(),
            "scores": similarities.tolist(),
            "predicted": similarities.argmax(axis=1).tolist(),
        },
    }


def label_metrics():
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 3, 3, 3, 0, 1, 3, 0])  # none of class 2
    predicted = np.array([0, 0, 1, 0, 2, 0, 1, 3, 3, 1, 3, 0, 0, 3, 0])
    present = np.unique(labels)
    recall = metrics.recall_score(labels, predicted, labels=present, average=None)
    return {
        "labels": labels.tolist(),
        "predicted": predicted.tolist(),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=range(CLASSES)).tolist(),
        "per_class_accuracy": [float(recall[list(present).index(c)]) if c in present else None for c in range(CLASSES)],
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
    }


def precision_metrics():
    targets = (rng.random((40, 5)) < [0.5, 0.2, 0.1, 0.05, 0.0]).astype(int)
    targets[7, 3] = 1  # the last label is on no image
    scores = short(rng.normal(size=(40, 5)) + targets, 1)  # one decimal: many are equal
    precisions = [metrics.average_precision_score(targets[:, c], scores[:, c]) for c in range(4)]
    return {
        "targets": targets.tolist(),
        "scores": listed(scores),
        "average_precision": [*precisions, None],
        "mean_average_precision": metrics.average_precision_score(targets[:, :4], scores[:, :4], average="macro"),
    }


def principal_components(features, asked, components):
    model = PCA(components, svd_solver="full").fit(features)
    _, singular, directions = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    leading = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), leading])[:, None]
    np.testing.assert_allclose(directions[:components], model.components_, atol=1e-10)
    np.testing.assert_allclose(singular[:components] ** 2 / (len(features) - 1), model.explained_variance_)
    return {
        "x": listed(features),
        "queries": listed(asked),
        "components": model.components_.tolist(),
        "mean": model.mean_.tolist(),
        "explained_variance": model.explained_variance_.tolist(),
        "explained_variance_ratio": model.explained_variance_ratio_.tolist(),
        "transformed": model.transform(asked).tolist(),
    }


one_hot = np.eye(CLASSES)[y]
targets = short(x @ rng.normal(size=(6, 3)) + rng.normal(size=(len(x), 3)) + [0, 5, -100])
wide = short(rng.normal(size=(9, 14)) + 1)
wide_queries = short(rng.normal(size=(5, 14)) + 1)
wide_targets = short(wide @ rng.normal(size=(14, 2)) + rng.normal(size=(9, 2)))
predicted = short(targets + rng.normal(size=targets.shape))
strengths = [1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3]

document = {
    "targets": listed(targets),
    "wide": {"x": listed(wide), "targets": listed(wide_targets), "queries": listed(wide_queries)},
    "ridge": {
        "classes": [ridge(x, one_hot, queries, strength) for strength in (1e-1, 1e1, 1e3)],
        "targets": [ridge(x, targets, queries, strength) for strength in (1e-1, 1e1, 1e3)],
        "wide": [ridge(wide, wide_targets, wide_queries, strength) for strength in (1e-3, 1e0)],
    },
    "ridge_search": {
        "classes": leave_one_out(x, one_hot, strengths),
        "targets": leave_one_out(x, targets, strengths),
        "wide": leave_one_out(wide, wide_targets, [1e-5, *strengths]),
    },
    "logistic_search": logistic_search([1e0, 1e-1, 1e-2, 1e-3, 1e-4]),
    "nearest_neighbours": nearest_neighbours(),
    "nearest_centroid": nearest_centroid(),
    "labels": label_metrics(),
    "precision": precision_metrics(),
    "principal_components": {
        "tall": principal_components(x, queries, 4),
        "wide": principal_components(wide, wide_queries, 8),
        "with a large mean": principal_components(short(x * [1, 2, 3, 4, 5, 6] + 300), short(queries + 300), 6),
        "of low rank": principal_components(short(wide[:, :2] @ [[1, 2, -1], [0, 1, 3]], 4), wide[:4, :3], 2),
    },
    "regression": {
        "predicted": listed(predicted),
        "r2_score": metrics.r2_score(targets, predicted),
        "mean_squared_error": metrics.mean_squared_error(targets, predicted),
    },
    "student_t": [[n, float(stats.t.ppf(0.975, n))] for n in (1, 2, 3, 4, 5, 9, 10, 29, 99, 100, 999, 100000)],
}
with open(FOLDER / "probes.json", "w") as file:
    json.dump(document, file, separators=(",", ":"))
    file.write("\n")
