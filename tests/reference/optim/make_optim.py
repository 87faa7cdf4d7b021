# SPDX-License-Identifier: Apache-2.0
# Writes optim.json: five steps of SGD, AdamW, LARS and LAMB on two parameters with given gradients, in Python floats, from the
# formulas of the papers (LARS: of the Barlow Twins code). Needs nothing: python make_optim.py
import json
import math
import pathlib

SIZES = {"weight": [3, 4], "bias": [3]}
RATES = [0.1, 0.2, 0.3, 0.2, 0.1]


def start(name):
    return [math.cos(1.3 * i + len(name)) for i in range(math.prod(SIZES[name]))]


def gradient(name, step):
    return [0.5 * math.sin(0.7 * i + 1.1 * step + len(name)) for i in range(math.prod(SIZES[name]))]


def norm(x):
    return math.sqrt(sum(v * v for v in x))


def sgd(p, g, state, lr, regularised, momentum, weight_decay, nesterov):
    d = [gi + (weight_decay * pi if regularised else 0) for pi, gi in zip(p, g)]
    v = state["v"] = [momentum * vi + di for vi, di in zip(state.get("v", [0] * len(p)), d)]
    return [pi - lr * (di + momentum * vi if nesterov else vi) for pi, di, vi in zip(p, d, v)]


def adamw(p, g, state, lr, regularised, beta1, beta2, epsilon, weight_decay):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = [beta1 * mi + (1 - beta1) * gi for mi, gi in zip(state.get("m", [0] * len(p)), g)]
    v = state["v"] = [beta2 * vi + (1 - beta2) * gi * gi for vi, gi in zip(state.get("v", [0] * len(p)), g)]
    decay = 1 - lr * weight_decay if regularised else 1
    return [decay * pi - lr * (mi / (1 - beta1**t)) / (math.sqrt(vi / (1 - beta2**t)) + epsilon) for pi, mi, vi in zip(p, m, v)]


def lars(p, g, state, lr, regularised, momentum, weight_decay, eta):
    if regularised:
        g = [gi + weight_decay * pi for pi, gi in zip(p, g)]
        ratio = eta * norm(p) / norm(g) if norm(p) > 0 and norm(g) > 0 else 1
        g = [ratio * gi for gi in g]
    v = state["v"] = [momentum * vi + gi for vi, gi in zip(state.get("v", [0] * len(p)), g)]
    return [pi - lr * vi for pi, vi in zip(p, v)]


def lamb(p, g, state, lr, regularised, beta1, beta2, epsilon, weight_decay):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = [beta1 * mi + (1 - beta1) * gi for mi, gi in zip(state.get("m", [0] * len(p)), g)]
    v = state["v"] = [beta2 * vi + (1 - beta2) * gi * gi for vi, gi in zip(state.get("v", [0] * len(p)), g)]
    u = [mi / (1 - beta1**t) / (math.sqrt(vi / (1 - beta2**t)) + epsilon) for mi, vi in zip(m, v)]
    if regularised:
        u = [ui + weight_decay * pi for pi, ui in zip(p, u)]
        ratio = norm(p) / norm(u) if norm(p) > 0 and norm(u) > 0 else 1
        u = [ratio * ui for ui in u]
    return [pi - lr * ui for pi, ui in zip(p, u)]


def case(rule, **settings):
    p, states = {n: start(n) for n in SIZES}, {n: {} for n in SIZES}
    steps = []
    for i, lr in enumerate(RATES):
        g = {n: gradient(n, i) for n in SIZES}
        p = {n: rule(p[n], g[n], states[n], lr, len(SIZES[n]) > 1, **settings) for n in SIZES}
        steps.append({"lr": lr, "gradients": g, "parameters": p})
    return {"settings": settings, "sizes": SIZES, "start": {n: start(n) for n in SIZES}, "steps": steps}


if __name__ == "__main__":
    json.dump({"SGD": case(sgd, momentum=0.9, weight_decay=0.01, nesterov=True),
               "AdamW": case(adamw, beta1=0.9, beta2=0.99, epsilon=1e-8, weight_decay=0.1),
               "LARS": case(lars, momentum=0.9, weight_decay=0.01, eta=0.02),
               "LAMB": case(lamb, beta1=0.9, beta2=0.99, epsilon=1e-6, weight_decay=0.1)},
              open(pathlib.Path(__file__).parent / "optim.json", "w"), separators=(",", ":"))
