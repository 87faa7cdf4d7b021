# SPDX-License-Identifier: Apache-2.0
"""Makes python.safetensors: a file of another program's hand for tests/io/safetensors_test.cpp.

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
