# SPDX-License-Identifier: Apache-2.0
"""Makes files of another program's hand: python.safetensors for tests/io/safetensors_test.cpp, and features.safetensors for
tests/io/feature_file_test.cpp.

python3 make.py   (needs safetensors and numpy)
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "half": np.array([1.5, -2.0, 65504.0], dtype=np.float16),
        "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "steps": np.array(1 << 40, dtype=np.int64),
    },
    pathlib.Path(__file__).parent / "python.safetensors",
    metadata={"made by": "safetensors, ü"},
)

# features[i, j] = i - j / 8, labels[i] = 10 i, and a tensor that is neither
save_file(
    {
        "features": (np.arange(5)[:, None] - np.arange(3) / 8).astype(np.float32),
        "labels": 10 * np.arange(5, dtype=np.int64),
        "logits": np.zeros((5, 2), dtype=np.float16),
    },
    pathlib.Path(__file__).parent / "features.safetensors",
    metadata={"layer": "projector.1"},
)
