#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints as JSON what TensorBoard finds in a folder: {"scalars": {tag: [[step, value], ...]}, "descriptions": {tag: text},
"texts": {tag: [[step, text], ...]}}, and in "newer" the steps of each scalar that its newer reader finds: {tag: [step, ...]}.

Usage: event_files.py <folder>
"""
import json
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator

everything = {name: 0 for name in ("scalars", "tensors")}
found = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=everything).Reload()
newer = plugin_event_accumulator.EventAccumulator(sys.argv[1], tensor_size_guidance={"scalars": 0}).Reload()

tags = found.Tags()
print(json.dumps({
    "scalars": {tag: [[event.step, event.value] for event in found.Scalars(tag)] for tag in tags["scalars"]},
    "descriptions": {tag: found.SummaryMetadata(tag).summary_description for tag in tags["scalars"]},
    "texts": {tag: [[event.step, event.tensor_proto.string_val[0].decode()] for event in found.Tensors(tag)]
              for tag in tags["tensors"]},
    "newer": {tag: [event.step for event in newer.Tensors(tag)] for tag in newer.PluginTagToContent("scalars")},
}))
