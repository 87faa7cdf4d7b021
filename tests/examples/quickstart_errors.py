#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the quickstart on bad input: each case must end soon, with exit code 1 and a message that says what to do, and
must leave the files of an earlier run as they were.

Usage: quickstart_errors.py <the program quickstart> <folder to work in>
"""
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys

program, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
scripts = pathlib.Path(__file__).parents[1] / "support"
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
subprocess.run([scripts / "small_fashion_mnist.sh", "256", work / "data"], check=True)
SETTINGS = {"epochs": "2", "images": "256", "test_images": "100", "batch_size": "128"}
failures = []


def run(out, *settings, data="data", most_bytes=None):
    def before():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    environment = dict(os.environ, JESSL_DATA_DIR=str(work / data))
    usual = [f"{name}={value}" for name, value in SETTINGS.items() if not any(given.startswith(f"{name}=") for given in settings)]
    return subprocess.run([program, *usual, f"out={out}", *settings], env=environment, preexec_fn=before,
                          capture_output=True, text=True, timeout=120)


def fingerprints(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def refused(name, message, out, *settings, **options):
    """The run fails with the message, before it trains; what lies in `out` stays as it is."""
    before = fingerprints(out) if out.is_dir() else None
    result = run(out, *settings, **options)
    if result.returncode != 1:
        failures.append(f"{name}: exit code {result.returncode}, expected 1\n{result.stdout}{result.stderr}")
    elif not re.search(message, result.stderr):
        failures.append(f"{name}: the message lacks '{message}':\n{result.stderr}")
    if "evaluating" in result.stdout:
        failures.append(f"{name}: told only after the baselines:\n{result.stdout}")
    if before is not None and fingerprints(out) != before:
        failures.append(f"{name}: changed the files of the earlier run")


def damaged(name, change):
    """A copy of the data with one file changed."""
    folder = work / name
    shutil.copytree(work / "data", folder)
    images = folder / "fashion-mnist/train-images-idx3-ubyte"
    images.write_bytes(change(images.read_bytes()))
    return name


good = work / "good"
result = run(good)
if result.returncode != 0:
    sys.exit(f"the run with good input failed:\n{result.stdout}{result.stderr}")
checkpoint = good / "checkpoint.pt"

# What it says of itself.
summary = json.loads((good / "summary.json").read_text())
rows = {name: [summary[name][column] for column in ("knn20_top1", "knn200_top1", "linear_top1")] for name in ("raw_pixels", "untrained", "trained")}
table = (good / "table.txt").read_text()
for name, row in rows.items():
    words = r"\s+".join(f"{value:.2f}" for value in row)
    if not re.search(rf"(?m)^{name.replace('_', ' ')}[a-z ]*\s{words}$", table) or any(round(value, 2) != value for value in row):
        failures.append(f"the table differs from summary.json's {name}, {row}:\n{table}")
if not table.startswith("Top-1 accuracy on 100 test images, in percent") or table not in result.stdout:
    failures.append(f"the table has no heading, or was not printed:\n{result.stdout}")
below = any(trained < pixels for trained, pixels in zip(rows["trained"], rows["raw_pixels"]))
if below != bool(re.search(r"ends below raw pixels \(.*\d\.\d\d against .*\): .* Run epochs=\d+ images=60000,", result.stdout)):
    failures.append(f"{rows['trained']} of the trained encoder, {rows['raw_pixels']} of raw pixels, and it said:\n{result.stdout}")
for text in ["256 images to train on, in batches of 128 (0 left out of each epoch), and 100 to test on", f"{good}/views.png shows a row an image"]:
    if text not in result.stdout:
        failures.append(f"it did not say '{text}':\n{result.stdout}")
resolved = summary["config"]["resolved"]
if (resolved["device"], resolved["warmup_epochs"]) != ("cpu", 0.2) or resolved["precision"] not in ("float32", "bfloat16") or \
   min(resolved["threads"], resolved["workers"]) < 1 or not re.fullmatch(r"\d+\.\d+\.\d+", resolved["version"]):
    failures.append(f"the resolved settings in summary.json are {resolved}")

whole_log = (good / "metrics.jsonl").read_text()

# The settings.
refused("no epochs", r"epochs is 0, expected 1 to", good, "epochs=0")
refused("batch above the data", r"batch_size is 1000, but the data set has only 256 images", good, "batch_size=1000")
refused("too few images", r"images is 8, expected at least 200", good, "images=8")
refused("no test images", r"test_images is 0, expected at least 1", good, "test_images=0")
refused("an unknown setting", r'unknown name "epoch"; did you mean "epochs"', good, "epoch=3")
refused("a setting twice", r'"epochs" is given twice, as epochs=2 and as epochs=1; leave one away', good, "epochs=2", "epochs=1")
refused("a wish for help", r'argument "--help" is not of the form name=value; settings and their defaults: .*batch_size = 128', good, "--help")
refused("no number", r'epochs is "many", expected a whole number', good, "epochs=many")

# The data.
refused("absent data", r"there is neither .*apt-get install", good, data="nowhere")
refused("truncated data", r"train-images-idx3-ubyte is truncated: it ends at byte 5000", good, data=damaged("cut", lambda b: b[:5000]))
refused("a text file", r"train-images-idx3-ubyte is no IDX file", good, data=damaged("text", lambda b: b"hello, world\n" * 100))
refused("no data in the file", r"train-images-idx3-ubyte ends at byte 0, inside its header", good, data=damaged("empty", lambda b: b""))

# The output folder: no text, which a summary can't name; below a file, where not even root can write.
refused("a name that is not UTF-8", r"out is not UTF-8, as summary\.json must be: .*name the folder in UTF-8", pathlib.Path(os.fsdecode(os.fsencode(work) + b"/caf\xe9")))
if b"caf\xe9" in os.listdir(os.fsencode(work)):
    failures.append("a name that is not UTF-8: its folder was made")
(work / "file").write_text("in the way")
refused("an unwritable folder", r"cannot create.*file", work / "file/out")

# The checkpoint to resume.
refused("another run's checkpoint", r"belongs to another run: /run/seed is 1 there and 2 here", good, "resume=true", "seed=2")
bytes_of_checkpoint = checkpoint.read_bytes()
(good / "checkpoint.pt.before").unlink()  # from which the run would go on, with a warning
checkpoint.write_bytes(bytes_of_checkpoint[: len(bytes_of_checkpoint) // 2])
refused("a truncated checkpoint", r"checkpoint\.pt.*is damaged or not a checkpoint: its end is missing", good, "resume=true")
middle = len(bytes_of_checkpoint) // 2
checkpoint.write_bytes(bytes_of_checkpoint[:middle] + bytes([bytes_of_checkpoint[middle] ^ 1]) + bytes_of_checkpoint[middle + 1:])
refused("a flipped bit in a checkpoint", r"checkpoint\.pt.*is damaged", good, "resume=true")
checkpoint.write_bytes(bytes_of_checkpoint)

# A full disk: the checkpoints do not fit, the log does.
full = work / "full"
result = run(full, most_bytes=len(bytes_of_checkpoint) // 2)
if result.returncode != 1 or not re.search(r"Free some space.*weights are still in the trainer", result.stderr, re.S):
    failures.append(f"a full disk: exit code {result.returncode}\n{result.stderr}")
if (full / "checkpoint.pt").exists() or (full / "checkpoint.pt.partial").exists():
    failures.append("a full disk: half a checkpoint was left")
if [re.sub(r'"(images_per_second|loader_seconds)":[^,}]*', "", line) for line in (full / "metrics.jsonl").read_text().split("\n")] != \
   [re.sub(r'"(images_per_second|loader_seconds)":[^,}]*', "", line) for line in whole_log.split("\n")]:
    failures.append("a full disk: the log differs from that of the undisturbed run")

# Resuming without a checkpoint starts anew; resuming a finished run evaluates it again and keeps its log.
result = run(work / "anew", "resume=true")
if result.returncode != 0 or "starts anew" not in result.stdout:
    failures.append(f"resuming without a checkpoint: {result.returncode}\n{result.stdout}{result.stderr}")
# A new run over an earlier one keeps what that one left.
anew = fingerprints(work / "anew")
result = run(work / "anew", "seed=2", "epochs=1")
kept = fingerprints(work / "anew")
for name in ("table.txt", "summary.json", "metrics.jsonl", "checkpoint.pt"):
    if result.returncode != 0 or kept.get(f"{name}.previous") != anew[name]:
        failures.append(f"a new run did not keep {name} of the earlier one: {result.returncode}\n{result.stderr}")
result = run(good, "resume=true")
if result.returncode != 0 or (good / "metrics.jsonl").read_text() != whole_log:
    failures.append(f"resuming a finished run: {result.returncode}, log kept: {(good / 'metrics.jsonl').read_text() == whole_log}\n{result.stderr}")

if failures:
    sys.exit("\n\n".join(failures))
print("every bad input was refused with its message, and nothing was lost")
