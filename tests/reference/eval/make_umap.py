# SPDX-License-Identifier: Apache-2.0
"""Makes umap.json for tests/eval: how well the maps of umap-learn keep neighbours, by scikit-learn's trustworthiness, for
features that the test makes in the same way. umap-learn counts a row as its own neighbour, jessl does not: 16 is 15.

python3 make_umap.py   (needs numpy, scikit-learn and umap-learn 0.5)
"""
import json
import pathlib

import numpy as np
import umap
from sklearn.manifold import trustworthiness

ROWS, COLUMNS, NEIGHBOURS, SEEDS = 600, 16, 15, 5
PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53]

i = np.arange(ROWS, dtype=np.float64)[:, None]
j = np.arange(COLUMNS, dtype=np.float64)[None, :]
even = np.modf(i * np.sqrt(np.array(PRIMES, dtype=np.float64)))[0]  # evenly in the unit cube, [ROWS, COLUMNS]
u, v = even[:, :1], even[:, 1:2]
features = {
    # Three curved surfaces, and six cubes that overlap, of all dimensions.
    ("surfaces", "euclidean"): np.sin(2 * (1 + j % 4) * u + 0.9 * j) + np.cos(1.5 * (1 + j % 3) * v + 0.4 * j) + 4 * (i % 3 == j % 3),
    ("cubes", "cosine"): even - 0.5 + 0.6 * np.cos((i % 6 + 1) * (j + 1)),
}

result = {"neighbours": NEIGHBOURS}
for (name, metric), x in features.items():
    values = []
    for seed in range(SEEDS):
        plane = umap.UMAP(n_neighbors=NEIGHBOURS + 1, min_dist=0.1, metric=metric, random_state=seed).fit_transform(x.astype(np.float32))
        values.append(round(float(trustworthiness(x, plane, n_neighbors=NEIGHBOURS, metric=metric)), 4))
    result[name] = values
    print(name, values)
(pathlib.Path(__file__).parent / "umap.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
