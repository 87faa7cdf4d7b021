# SPDX-License-Identifier: Apache-2.0
# Writes <loss>.json for each loss: values and gradients in float64, from the formulas as the papers state them, term by
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


def unit(z):
    return z / z.norm(dim=1, keepdim=True)


def barlow_twins(z1, z2, epsilon, **weights):
    n, d = z1.shape
    y1, y2 = ((z - z.mean(0)) / torch.sqrt(((z - z.mean(0)) ** 2).sum(0) / n + epsilon) for z in (z1, z2))
    c = [[(y1[:, i] * y2[:, j]).sum() / n for j in range(d)] for i in range(d)]
    return (sum((1 - c[i][i]) ** 2 for i in range(d))
            + weights["lambda"] * sum(c[i][j] ** 2 for i in range(d) for j in range(d) if i != j))


def dclw(z1, z2, temperature, sigma=None):
    y = torch.cat([unit(z1), unit(z2)])
    n = len(z1)
    weight = [1] * n
    if sigma is not None:
        likeness = [torch.exp(torch.dot(y[i], y[i + n]) / sigma).item() for i in range(n)]
        weight = [2 - x / (sum(likeness) / n) for x in likeness]
    total = 0
    for i in range(2 * n):
        others = sum(torch.exp(torch.dot(y[i], y[j]) / temperature) for j in range(2 * n) if j % n != i % n)
        total = total - weight[i % n] * torch.dot(y[i], y[(i + n) % (2 * n)]) / temperature + torch.log(others)
    return total / (2 * n)


def spectral_contrastive(z1, z2, mu):
    n = len(z1)
    y1, y2 = math.sqrt(mu) * unit(z1), math.sqrt(mu) * unit(z2)
    return (-2 * sum(torch.dot(y1[i], y2[i]) for i in range(n)) / n
            + sum(torch.dot(y1[i], y2[j]) ** 2 for i in range(n) for j in range(n) if i != j) / (n * (n - 1)))


def alignment_uniformity(z1, z2, alpha, t, uniformity):
    n = len(z1)
    y1, y2 = unit(z1), unit(z2)

    def u(y):
        terms = [torch.exp(-t * ((y[i] - y[j]) ** 2).sum()) for i in range(n) for j in range(i)]
        return torch.log(sum(terms) / len(terms))

    return sum((y1[i] - y2[i]).norm() ** alpha for i in range(n)) / n + uniformity * (u(y1) + u(y2)) / 2


def koleo(z1, z2, epsilon):
    n = len(z1)

    def entropy(y):
        return -sum(torch.log(min((y[i] - y[j]).norm() for j in range(n) if j != i) + epsilon) for i in range(n)) / n

    return (entropy(unit(z1)) + entropy(unit(z2))) / 2


def nuclear(m):  # from the eigenvalues of the Gram matrix, not a singular value decomposition
    return torch.linalg.eigvalsh(m @ m.T if m.shape[0] < m.shape[1] else m.T @ m).sqrt().sum()


def mmcr(z1, z2, **weights):
    y = torch.stack([unit(z1), unit(z2)], 1)
    return -nuclear(y.mean(1)) + weights["lambda"] * sum(nuclear(x) for x in y) / len(z1)


def vibcreg(z1, z2, invariance, variance, covariance, epsilon):
    n, d = z1.shape

    def spread(z):
        return sum(torch.clamp(1 - torch.sqrt(((z[:, j] - z[:, j].mean()) ** 2).sum() / (n - 1) + epsilon), min=0) for j in range(d)) / d

    def overlap(z):
        z = z - z.mean(0)
        z = z / z.norm(dim=0)
        return sum((z[:, i] * z[:, j]).sum() ** 2 for i in range(d) for j in range(d) if i != j) / d ** 2

    return (invariance * ((z1 - z2) ** 2).mean() + variance * (spread(z1) + spread(z2))
            + covariance * (overlap(z1) + overlap(z2)))


def wmse(z1, z2, sub_batch, epsilon):
    n, d = z1.shape
    assert n <= sub_batch

    def white(z):
        z = z - z.mean(0)
        c = (1 - epsilon) * sum(torch.outer(x, x) for x in z) / (n - 1) + epsilon * torch.eye(d, dtype=z.dtype)
        return unit(z @ torch.linalg.inv(torch.linalg.cholesky(c)).T)

    w1, w2 = white(z1), white(z2)
    return sum(2 - 2 * torch.dot(w1[i], w2[i]) for i in range(n)) / n


def sigreg(z1, z2, slices, points, limit, **weights):
    n, d = z1.shape
    assert d == 1  # where the direction can only be 1 or -1, which makes no difference
    t = torch.linspace(-limit, limit, 2 * points - 1, dtype=torch.float64)

    def statistic(z):
        error = (torch.exp(1j * z * t).mean(0) - torch.exp(-t ** 2 / 2)).abs() ** 2 * torch.exp(-t ** 2 / 2)
        return n * torch.trapezoid(error, t)

    mean = (z1 + z2) / 2
    distance = (((z1 - mean) ** 2).mean() + ((z2 - mean) ** 2).mean()) / 2
    return (1 - weights["lambda"]) * distance + weights["lambda"] * (statistic(z1) + statistic(z2)) / 2


def sigreg_along(views, directions, points, limit, global_views, **weights):
    n, d = views[0].shape
    step = limit / (points - 1)

    def statistic(x):  # of the projections of n images
        total = 0
        for k in range(points):
            t = k * step
            error = abs(sum(torch.exp(1j * t * value) for value in x) / n - math.exp(-t * t / 2)) ** 2
            total = total + (step if k in (0, points - 1) else 2 * step) * error * math.exp(-t * t / 2)
        return n * total

    a = [x / x.norm() for x in directions.T]
    centre = sum(views[:global_views]) / global_views
    distance = sum(((z[i] - centre[i]) ** 2).sum() for z in views for i in range(n)) / (len(views) * n * d)
    regulariser = sum(statistic([torch.dot(z[i], x) for i in range(n)]) for z in views for x in a) / (len(views) * len(a))
    return (1 - weights["lambda"]) * distance + weights["lambda"] * regulariser


def sup_con(z1, z2, temperature, labels, positives="out"):
    y = torch.cat([unit(z1), unit(z2)])
    label = labels + labels
    total = 0
    for i in range(len(y)):
        everybody = sum(torch.exp(torch.dot(y[i], y[a]) / temperature) for a in range(len(y)) if a != i)
        shares = [torch.exp(torch.dot(y[i], y[p]) / temperature) / everybody
                  for p in range(len(y)) if p != i and label[p] == label[i]]
        total = total - (torch.log(sum(shares) / len(shares)) if positives == "in"
                         else sum(torch.log(share) for share in shares) / len(shares))
    return total / len(y)


def cross_entropy(z1, z2, smoothing, labels):
    scores = torch.cat([z1, z2])
    total = 0
    for row, label in zip(scores, labels + labels):
        log_p = row - torch.log(torch.exp(row).sum())
        total = total - (1 - smoothing) * log_p[label] - smoothing * log_p.mean()
    return total / len(scores)


def cosine(p, t):
    return torch.dot(p, t) / (p.norm() * t.norm())


def byol(p1, p2, t1, t2):
    n = len(p1)
    return sum(2 - 2 * cosine(p1[i], t2[i]) + 2 - 2 * cosine(p2[i], t1[i]) for i in range(n)) / n


def sim_siam(p1, p2, t1, t2):
    n = len(p1)
    return sum(-cosine(p1[i], t2[i]) / 2 - cosine(p2[i], t1[i]) / 2 for i in range(n)) / n


def moco_v3(p1, p2, t1, t2, temperature):
    n = len(p1)

    def direction(q, k):
        total = 0
        for i in range(n):
            likeness = [torch.exp(cosine(q[i], k[j]) / temperature) for j in range(n)]
            total = total - torch.log(likeness[i] / sum(likeness))
        return 2 * temperature * total / n

    return direction(p1, t2) + direction(p2, t1)


def tico(z1, z2, beta, rho):  # the first step: the covariance was 0
    n = len(z1)
    y1, y2 = unit(z1), unit(z2)
    covariance = beta * 0 + (1 - beta) * sum(torch.outer(y, y) for y in y1).detach() / n
    return (1 - sum(torch.dot(y1[i], y2[i]) for i in range(n)) / n
            + rho * sum(torch.dot(y, covariance @ y) for y in y1) / n)


def embeddings(n, d, scale):
    i = torch.arange(n * d, dtype=torch.float64).reshape(n, d)
    return (scale * torch.sin(1.7 * i + 0.01 * i * i),
            scale * torch.sin(1.7 * i + 0.01 * i * i + 0.4 * torch.cos(i)))


def recorded(loss, n, d, settings, leaves, others={}):
    for leaf in leaves.values():
        leaf.requires_grad_()
    value = loss(*leaves.values(), *others.values(), **settings)
    value.backward()
    labels = {"labels": settings.pop("labels")} if "labels" in settings else {}
    return {"settings": settings, **labels, "shape": [n, d],
            **{name: z.flatten().tolist() for name, z in {**leaves, **others}.items()}, "value": value.item(),
            **{"grad_" + name: leaf.grad.flatten().tolist() for name, leaf in leaves.items()}}


def case(loss, n, d, scale, **settings):
    return recorded(loss, n, d, settings, dict(zip(("z1", "z2"), embeddings(n, d, scale))))


def case_with_targets(loss, n, d, scale, **settings):
    p1, p2 = embeddings(n, d, scale)
    targets = {"t1": 2 * p1 + 0.5 * torch.cos(3 * p2), "t2": p2 - 0.7 * torch.sin(2 * p1)}
    return recorded(loss, n, d, settings, {"p1": p1, "p2": p2}, targets)


def cross_entropy_of_positive(positive, negatives):
    return -torch.log(torch.exp(positive) / (torch.exp(positive) + sum(torch.exp(x) for x in negatives)))


def moco(views, targets, queue, temperature, symmetric, **_):
    q, k = [unit(z) for z in views], [unit(z) for z in targets]
    pairs = [(a, b) for a in range(len(q)) for b in range(len(k)) if a != b] if symmetric else [(0, 1)]
    terms = [cross_entropy_of_positive(torch.dot(q[a][i], k[b][i]) / temperature,
                                       [torch.dot(q[a][i], row) / temperature for row in queue])
             for a, b in pairs for i in range(len(q[0]))]
    return sum(terms) / len(terms), torch.cat(k if symmetric else [k[1]])


def nnclr(views, targets, queue, temperature, **_):
    p, z = [unit(x) for x in views], [unit(x) for x in targets]
    n = len(p[0])

    def nearest(x):
        return min(queue, key=lambda row: (x - row).norm().item())

    terms = [cross_entropy_of_positive(torch.dot(nearest(z[a][i]), p[b][i]) / temperature,
                                       [torch.dot(nearest(z[a][i]), p[b][j]) / temperature for j in range(n) if j != i])
             for a in range(len(z)) for b in range(len(p)) if a != b for i in range(n)]
    return sum(terms) / len(terms), z[0]


def ressl(views, targets, queue, temperature, teacher_temperature, **_):
    k = unit(targets[0])
    terms = [-(torch.softmax(queue @ k[i] / teacher_temperature, 0)
               * torch.log_softmax(queue @ q[i] / temperature, 0)).sum()
             for q in map(unit, views[1:]) for i in range(len(k))]
    return sum(terms) / len(terms), k


def dclw_weights(y1, y2, sigma):
    likeness = [torch.exp(torch.dot(a, b) / sigma).item() for a, b in zip(y1, y2)]
    return [2 - x / (sum(likeness) / len(likeness)) for x in likeness]


def against(name, views, others, temperature, sigma=None):
    """NT-Xent, DCL or DCLW with `others` as the negatives of every row; the mean over the pairs of views."""
    y = [unit(z) for z in views]
    terms = []
    for a in range(len(y)):
        for b in range(a):
            weight = dclw_weights(y[a], y[b], sigma) if sigma else [1] * len(y[a])
            for row in (a, b):
                for i in range(len(y[a])):
                    positive = torch.dot(y[a][i], y[b][i]) / temperature
                    negatives = [torch.dot(y[row][i], x) / temperature for x in others]
                    terms.append(cross_entropy_of_positive(positive, negatives) if name == "NTXent"
                                 else torch.log(sum(torch.exp(x) for x in negatives)) - weight[i] * positive)
    return sum(terms) / len(terms)


def irregular(n, d, scale, phase):
    i = torch.arange(n * d, dtype=torch.float64).reshape(n, d)
    return scale * torch.sin(1.7 * i + 0.01 * i * i + phase * torch.cos(i))


def queued_case(step, n, d, scale, size, position, views=2, targets=0, **settings):
    """One step with a queue of unit rows: step(views, targets, queue, **settings) gives the value and what joins the queue."""
    given = [irregular(n, d, scale, 0.4 * v).requires_grad_() for v in range(views)]
    of = [irregular(n, d, scale, 0.4 * v + 0.1) for v in range(targets)]
    queue = unit(irregular(size, d, 1.0, 1.3))
    value, newest = step(given, of, queue, **settings)
    value.backward()
    after, place = queue.clone(), position
    for row in newest.detach():
        after[place] = row
        place = (place + 1) % size
    return {"settings": settings, "shape": [n, d], "views": [z.flatten().tolist() for z in given],
            "targets": [z.flatten().tolist() for z in of], "queue": queue.flatten().tolist(), "position": position,
            "value": value.item(),
            "grads": [(torch.zeros_like(z) if z.grad is None else z.grad).flatten().tolist() for z in given],
            "queue_after": after.flatten().tolist(), "position_after": place}


def against_queue_case(name, n, d, scale, size, position, views=2, **settings):
    def step(views, _, queue, loss, negatives):
        return against(name, views, queue, **loss), torch.cat([unit(z) for z in views])

    return queued_case(step, n, d, scale, size, position, views, loss=settings, negatives={"size": size})


def against_rows_case(name, n, d, scale, rows, **settings):
    given = [irregular(n, d, scale, 0.4 * v).requires_grad_() for v in range(2)]
    negatives = irregular(rows, d, 2.0, 1.3).requires_grad_()
    value = against(name, given, unit(negatives), **settings)
    value.backward()
    return {"settings": settings, "shape": [n, d], "views": [z.flatten().tolist() for z in given],
            "negatives": negatives.flatten().tolist(), "value": value.item(),
            "grads": [z.grad.flatten().tolist() for z in given], "grad_negatives": negatives.grad.flatten().tolist()}


def along_case(n, d, scale, slices, views, **settings):
    given = [irregular(n, d, scale, 0.4 * v).requires_grad_() for v in range(views)]
    directions = irregular(d, slices, 1.5, 1.3)
    value = sigreg_along(given, directions, **settings)
    value.backward()
    return {"settings": settings, "shape": [n, d], "slices": slices, "views": [z.flatten().tolist() for z in given],
            "directions": directions.flatten().tolist(), "value": value.item(),
            "grads": [z.grad.flatten().tolist() for z in given]}


def write(name, cases):
    json.dump(cases, open(HERE / f"{name}.json", "w"), separators=(",", ":"))


weights = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0, "epsilon": 1e-4}
write("nt_xent", [case(nt_xent, 6, 5, 1.0, temperature=0.5), case(nt_xent, 9, 4, 3.0, temperature=0.1)])
write("vicreg", [case(vicreg, 6, 5, 1.0, **weights), case(vicreg, 5, 8, 0.3, **{**weights, "covariance": 3.0, "epsilon": 0.01})])
# Fewer images than dimensions and more than twice as many take different ways to the same sums.
write("barlow_twins", [case(barlow_twins, 9, 4, 1.0, epsilon=1e-5, **{"lambda": 0.0051}),
                       case(barlow_twins, 4, 9, 0.3, epsilon=1e-3, **{"lambda": 0.1})])
write("dcl", [case(dclw, 6, 5, 1.0, temperature=0.1), case(dclw, 9, 4, 3.0, temperature=0.5)])
write("dclw", [case(dclw, 6, 5, 1.0, temperature=0.1, sigma=0.5), case(dclw, 9, 4, 3.0, temperature=0.5, sigma=0.2)])
write("spectral_contrastive", [case(spectral_contrastive, 4, 5, 1.0, mu=1.0), case(spectral_contrastive, 13, 3, 3.0, mu=2.0)])
write("alignment_uniformity", [case(alignment_uniformity, 6, 5, 1.0, alpha=2.0, t=2.0, uniformity=1.0),
                               case(alignment_uniformity, 9, 3, 3.0, alpha=1.5, t=1.0, uniformity=0.5)])
write("koleo", [case(koleo, 6, 5, 1.0, epsilon=1e-8), case(koleo, 9, 3, 3.0, epsilon=0.1)])
write("mmcr", [case(mmcr, 9, 4, 1.0, **{"lambda": 0.0}), case(mmcr, 4, 9, 3.0, **{"lambda": 0.1})])
write("vibcreg", [case(vibcreg, 9, 4, 1.0, **{**weights, "covariance": 200.0}), case(vibcreg, 4, 9, 0.3, **{**weights, "epsilon": 0.01})])
write("wmse", [case(wmse, 9, 4, 1.0, sub_batch=128, epsilon=0.0), case(wmse, 7, 2, 3.0, sub_batch=8, epsilon=0.2)])
write("sigreg", [case(sigreg, 9, 1, 1.0, slices=4, points=17, limit=3.0, **{"lambda": 0.05}),
                 case(sigreg, 5, 1, 2.0, slices=1, points=9, limit=5.0, **{"lambda": 0.5})])
write("sigreg_along", [along_case(6, 5, 1.0, 3, views=2, points=17, limit=3.0, global_views=2, **{"lambda": 0.05}),
                       along_case(4, 3, 2.0, 7, views=5, points=6, limit=4.0, global_views=2, **{"lambda": 0.3})])
write("sup_con", [case(sup_con, 6, 5, 1.0, temperature=0.1, labels=[3, 0, 3, 1, 0, 3]),
                  case(sup_con, 6, 5, 1.0, temperature=0.2, labels=[3, 0, 3, 1, 0, 3], positives="in"),
                  case(sup_con, 5, 4, 3.0, temperature=0.5, labels=[0, 1, 2, 3, 4])])
write("byol", [case_with_targets(byol, 6, 5, 1.0), case_with_targets(byol, 3, 8, 3.0)])
write("sim_siam", [case_with_targets(sim_siam, 6, 5, 1.0), case_with_targets(sim_siam, 3, 8, 3.0)])
write("moco_v3", [case_with_targets(moco_v3, 6, 5, 1.0, temperature=0.2), case_with_targets(moco_v3, 9, 4, 3.0, temperature=1.0)])
write("tico", [case(tico, 6, 5, 1.0, beta=0.9, rho=8.0), case(tico, 3, 8, 3.0, beta=0.5, rho=20.0)])
write("cross_entropy", [case(cross_entropy, 6, 5, 1.0, smoothing=0.0, labels=[3, 0, 3, 1, 4, 2]),
                        case(cross_entropy, 5, 4, 3.0, smoothing=0.1, labels=[0, 1, 2, 3, 3])])
# The queues are no multiples of the batches, and their ends come in the middle of one; more rows than fit join in the last.
write("moco", [queued_case(moco, 4, 5, 1.0, 11, 6, targets=2, temperature=0.2, queue_size=11, symmetric=True),
               queued_case(moco, 3, 4, 3.0, 7, 5, views=3, targets=2, temperature=0.07, queue_size=7, symmetric=True),
               queued_case(moco, 5, 3, 3.0, 4, 1, targets=2, temperature=0.5, queue_size=4, symmetric=False)])
write("nnclr", [queued_case(nnclr, 4, 5, 1.0, 11, 9, targets=2, temperature=0.1, queue_size=11),
                queued_case(nnclr, 5, 3, 3.0, 4, 1, views=3, targets=2, temperature=0.5, queue_size=4)])
write("ressl", [queued_case(ressl, 4, 5, 1.0, 11, 9, targets=2, temperature=0.1, teacher_temperature=0.04, queue_size=11),
                queued_case(ressl, 5, 3, 3.0, 4, 1, views=3, targets=1, temperature=0.3, teacher_temperature=0.5, queue_size=4)])
for file, name, settings in (("nt_xent", "NTXent", {"temperature": 0.2}), ("dcl", "DCL", {"temperature": 0.1}),
                             ("dclw", "DCLW", {"temperature": 0.3, "sigma": 0.5})):
    write(f"{file}_against_queue", [against_queue_case(name, 4, 5, 1.0, 11, 6, **settings),
                                    against_queue_case(name, 3, 4, 3.0, 7, 5, views=3, **settings)])
    write(f"{file}_against_fixed", [against_rows_case(name, 6, 5, 1.0, 1, **settings),
                                    against_rows_case(name, 4, 3, 3.0, 5, **settings)])


def sinkhorn(scores, epsilon, iterations):  # as SwAV's authors write it
    q = torch.exp(scores / epsilon).T
    k, b = q.shape
    q = q / q.sum()
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / k
        q = q / q.sum(0, keepdim=True) / b
    return (q * b).T


def cross_entropy_with(q, scores):
    return -(q * torch.log(torch.exp(scores) / torch.exp(scores).sum(1, keepdim=True))).sum(1).mean()


def swav(views, state, temperature, epsilon, iterations, global_views, queue_size=0, **_):
    y, c = [unit(z) for z in views], unit(state["prototypes"])
    after, total = dict(state), 0
    for i in range(global_views):
        rows = y[i].detach()
        if queue_size and state["queued"] == queue_size:
            rows = torch.cat([state["queue"][i], rows])
        q = sinkhorn(rows @ c.detach().T, epsilon, iterations)[-len(y[i]):]
        total = total + sum(cross_entropy_with(q, y[v] @ c.T / temperature) for v in range(len(y)) if v != i) / (len(y) - 1)
    if queue_size:
        after["queue"] = torch.cat([torch.stack([z.detach() for z in y[:global_views]]), state["queue"]], 1)[:, :queue_size]
        after["queued"] = torch.clamp(state["queued"] + len(y[0]), max=queue_size)
    return total / global_views, after


def dino(views, state, targets, epoch, temperature, warmup_temperature, teacher_temperature, warmup_epochs, centre_momentum, **_):
    sharp = warmup_temperature + (teacher_temperature - warmup_temperature) * min(1, epoch / warmup_epochs)
    student = [unit(z) @ unit(state["prototypes"]).T / temperature for z in views]
    teacher = [unit(z) @ unit(state["teacher_prototypes"]).T for z in targets]
    pairs = [cross_entropy_with(torch.softmax((t - state["centre"]) / sharp, 1), s)
             for i, t in enumerate(teacher) for v, s in enumerate(student) if v != i]
    centre = centre_momentum * state["centre"] + (1 - centre_momentum) * torch.cat(teacher).mean(0)
    return sum(pairs) / len(pairs), {**state, "centre": centre}


def waves(*shape, phase):
    i = torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)
    return torch.sin(1.7 * i + 0.01 * i * i + phase)


def numbers(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().flatten().tolist()}


def state_case(loss, n, d, views, state, targets=0, epoch=None, **settings):
    # The views of an image are alike, but not too much.
    z = [(waves(n, d, phase=0) + 0.5 * waves(n, d, phase=v + 1)).requires_grad_() for v in range(views)]
    t = [waves(n, d, phase=0.1) + 0.4 * waves(n, d, phase=v + 1) for v in range(targets)]
    state["prototypes"].requires_grad_()
    others = {"targets": t, "epoch": epoch} if targets else {}
    value, after = loss(z, state, **others, **settings)
    gradients = torch.autograd.grad(value, [*z, state["prototypes"]], materialize_grads=True)
    return {"settings": {**settings, "prototypes": len(state["prototypes"])}, **({} if epoch is None else {"epoch": epoch}),
            "views": [numbers(x) for x in z], "targets": [numbers(x) for x in t], "state": {k: numbers(v) for k, v in state.items()},
            "value": value.item(), "gradients": [numbers(g) for g in gradients[:-1]], "grad_prototypes": numbers(gradients[-1]),
            "after": {k: numbers(v) for k, v in after.items()}}


def queue(views, images, d, filled):
    return {"queue": unit(waves(views * images, d, phase=7)).reshape(views, images, d),
            "queued": torch.tensor(float(filled), dtype=torch.float64)}


published = {"temperature": 0.1, "epsilon": 0.05, "iterations": 3, "global_views": 2}
write("swav", [state_case(swav, 6, 5, 2, {"prototypes": waves(7, 5, phase=3)}, **published),
               state_case(swav, 5, 4, 4, {"prototypes": waves(9, 4, phase=3)}, **published),
               state_case(swav, 4, 3, 3, {"prototypes": waves(6, 3, phase=3)}, temperature=0.3, epsilon=0.2, iterations=1, global_views=1),
               state_case(swav, 4, 4, 3, {"prototypes": waves(9, 4, phase=3), **queue(2, 10, 4, 10)}, **published, queue_size=10),
               state_case(swav, 4, 4, 2, {"prototypes": waves(9, 4, phase=3), **queue(2, 10, 4, 8)}, **published, queue_size=10)])
published = {"temperature": 0.1, "warmup_temperature": 0.04, "teacher_temperature": 0.07, "warmup_epochs": 30.0, "centre_momentum": 0.9}


def dino_state(k, d):
    return {"prototypes": waves(k, d, phase=3), "teacher_prototypes": waves(k, d, phase=3.3), "centre": 0.2 * waves(k, phase=5)}


write("dino", [state_case(dino, 6, 5, 2, dino_state(7, 5), targets=2, epoch=10.5, **published),
               state_case(dino, 5, 4, 4, dino_state(9, 4), targets=2, epoch=45.0, **published),
               state_case(dino, 4, 3, 3, dino_state(6, 3), targets=1, epoch=2.0, **{**published, "centre_momentum": 0.5}),
               state_case(dino, 4, 3, 2, dino_state(6, 3), targets=2, epoch=1.0, **{**published, "temperature": 0.5})])
