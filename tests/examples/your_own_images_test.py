#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges what a run of the program your_own_images left, without training: by the same images the figures and the features
are those of the run, by other images it normalises as the run did, and nothing of a run is written. Damaged images cost a
warning each.

Usage: your_own_images_test.py <the program> <folder of images> <folder to work in>
"""
import pathlib
import re
import shutil
import subprocess
import sys

program, photos, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
shutil.rmtree(work, ignore_errors=True)
failures = []


def run(folder, out, *settings):
    done = subprocess.run([program, f"folder={folder}", "size=32", "width=8", f"out={work / out}", *settings],
                          capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def succeeds(*arguments):
    status, output, errors = run(*arguments)
    if status != 0:
        sys.exit(f"{arguments} ended with {status}: {errors}")
    return output


def refused(message, *arguments):
    status, _, errors = run(*arguments)
    if status != 1 or message not in errors:
        failures.append(f"{arguments}: exit code {status}, expected 1 and '{message}':\n{errors}")


def figures(output):
    return re.findall(r"(?:k-NN|linear probe) top-1 +([0-9.]+)", output)


def normalisation(output):
    return re.search(r"mean and deviation of the channels: .*", output)[0]


judge = f"judge={work / 'trained'}"
trained = succeeds(photos, "trained", "epochs=1", "batch_size=16")
judged = succeeds(photos, "judged", judge)
if len(figures(trained)) != 2 or figures(judged) != figures(trained):
    failures.append(f"the figures are {figures(judged)}, expected those of the run, {figures(trained)}")
features = [(work / name / "features.safetensors").read_bytes() for name in ("trained", "judged")]
if features[0] != features[1]:
    failures.append("the features differ from those of the run")
for name in ("checkpoint.pt", "metrics.jsonl", "loss.png", "statistics.json"):
    if not (work / "trained" / name).exists() or (work / "judged" / name).exists():
        failures.append(f"{name} is to be there after training, and not after judging")

for folder in sorted(photos.iterdir())[:2]:
    shutil.copytree(folder, work / "others" / folder.name)
others = succeeds(work / "others", "judged_others", judge)
if normalisation(others) != normalisation(trained):
    failures.append(f"other images are normalised by {normalisation(others)}, the run's by {normalisation(trained)}")

shutil.copytree(photos, work / "damaged")
first = next(file for file in sorted((work / "damaged").rglob("*")) if file.is_file())
first.write_text("this is no picture")
status, _, warnings = run(work / "damaged", "judged_damaged", judge)
if status != 0 or "its place is left blank" not in warnings:
    failures.append(f"a damaged image among others: exit code {status}, expected 0 and warnings:\n{warnings}")
for name in ("features.safetensors", "neighbours.png"):
    if not (work / "judged_damaged" / name).exists():
        failures.append(f"a damaged image costs {name}")

refused("nowhere", photos, "judged", f"judge={work / 'nowhere'}")
refused("resume and judge are both set", photos, "judged", judge, "resume=true")
sys.exit("\n".join(failures) or print("what a run left gives its figures and features again"))
