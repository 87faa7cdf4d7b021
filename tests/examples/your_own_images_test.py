#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges the weights of a checkpoint that the program your_own_images left, without training: the figures and the features
are those of the run, and nothing of a run is written.

Usage: your_own_images_test.py <the program> <folder of images> <folder to work in>
"""
import pathlib
import re
import shutil
import subprocess
import sys

program, photos, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
shutil.rmtree(work, ignore_errors=True)
SETTINGS = [f"folder={photos}", "size=32", "width=8"]


def run(*settings):
    done = subprocess.run([program, *SETTINGS, *settings], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def figures(output):
    return re.findall(r"(?:k-NN|linear probe) top-1 +([0-9.]+)", output)


failures = []
status, trained, errors = run("epochs=1", "batch_size=16", f"out={work / 'trained'}")
if status != 0:
    sys.exit(f"the training ended with {status}: {errors}")
status, judged, errors = run(f"weights={work / 'trained' / 'checkpoint.pt'}", f"out={work / 'judged'}")
if status != 0:
    sys.exit(f"judging ended with {status}: {errors}")
if len(figures(trained)) != 2 or figures(judged) != figures(trained):
    failures.append(f"the figures are {figures(judged)}, expected those of the run, {figures(trained)}")
features = [(work / name / "features.safetensors").read_bytes() for name in ("trained", "judged")]
if features[0] != features[1]:
    failures.append("the features differ from those of the run")
for name in ("checkpoint.pt", "metrics.jsonl", "loss.png"):
    if not (work / "trained" / name).exists() or (work / "judged" / name).exists():
        failures.append(f"{name} is to be there after training, and not after judging")

status, _, errors = run(f"weights={work / 'nowhere.pt'}", f"out={work / 'judged'}")
if status != 1 or "nowhere.pt" not in errors:
    failures.append(f"weights that are not there: exit code {status}, {errors}")
sys.exit("\n".join(failures) or print("weights alone give the figures and features of their run"))
