# SPDX-License-Identifier: Apache-2.0
# Writes convnext_keys.txt and convnext_forward.json: what torchvision's ConvNeXt-T is made of, and what a smaller one computes with
# weights and images by closed formulas (record.py). Needs torch 2.11 and torchvision 0.26: python make_convnext.py
import torch
import torchvision
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

import record

record.write_keys("convnext_keys.txt", {"convnext_tiny": torchvision.models.convnext_tiny()}, "classifier.2.")

small = ConvNeXt([CNBlockConfig(24, 48, 1), CNBlockConfig(48, 96, 1), CNBlockConfig(96, 192, 2), CNBlockConfig(192, None, 1)])
small.classifier[2] = torch.nn.Identity()
record.write("convnext_forward.json", {"square": record.measure(small, (4, 3, 64, 64), 8),
                                       "uneven": record.measure(small, (4, 3, 45, 71), 8)})
