#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs sweeps of the program jessl in small: the methods of the recipe learn, what is done is not done again, what was
interrupted goes on, a run that diverges is told and does not end the others, and what is wrong with a file is refused with
its remedy.

Usage: sweep_test.py <the program> <folder of recipes> <folder to work in>, with JESSL_DATA_DIR set to some of Fashion-MNIST
"""
import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program import Program

program, recipes, work = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)


tested = Program(program, "sweep", folder=work)
failures, succeeds, expect, refused = tested.failures, tested.succeeds, tested.expect, tested.refused

# Methods learn: of negatives, of a teacher, of prototypes without multi-crop's small views.
NAMES = ["SimCLR", "BYOL", "SwAV"]
SMALL = ["--images-per-class", "60", "--backbone", "resnet", "--backbone.layers", "[1,1,1,1]", "--backbone.width", "4", "--epochs",
         "12", "--batch-size", "128", "--precision", "float32", "--threads", "1", "--augmentation.size", "16",
         "--checkpoint-every", "12"]
output = succeeds(recipes / "methods.toml", "--seeds", "1", "--only", ";".join(NAMES), *SMALL, "--out", "methods")
expect(f"not all methods have learned:\n{output}", "3 of 3 are above the untrained network in every column" in output)
listed = succeeds(recipes / "methods.toml", "--list").splitlines()[1:]
expect(f"the recipe has {listed}", len(listed) == 14)

# The experiments' files can be run, on all of Fashion-MNIST.
everything = {name: value for name, value in os.environ.items() if name != "JESSL_DATA_DIR"}
for name, variants in (("augmentations", 8), ("negatives", 3), ("projectors", 9)):
    listed = succeeds(f"examples/democratizing/{name}.toml", "--list", "--out", work / "none", folder=recipes.parent.parent,
                      environment=everything)
    expect(f"{name} has\n{listed}", len(listed.splitlines()) == 1 + variants)
listed = succeeds(recipes / "cifar.toml", "--list", "--data", "fashion-mnist", "--test-data", "fashion-mnist", "--out", "none")
expect(f"the recipe for CIFAR has {listed}", len(listed.splitlines()) == 5)
# Of ImageNet's, which all have known settings before any data is looked for, one takes a step, with growing views.
refused(1, "there is nothing at nowhere", recipes.parent / "democratizing" / "batch_sizes.toml", "--data", "nowhere", "--out", "none")
refused(1, "there is nothing at nowhere", recipes / "imagenet.toml", "--data", "nowhere", "--out", "none")
output = succeeds(recipes / "imagenet.toml", "--only", "160 to 224, BYOL, batch 256", "--data", "fashion-mnist", "--test-data",
                  "fashion-mnist", "--backbone.width", "4", "--images-per-class", "26", "--epochs", "1", "--fit.warmup_epochs", "0",
                  "--threads", "1", "--out", "imagenet")
expect(f"no figures of ImageNet's recipe:\n{output}", "160 to 224, BYOL, batch 256" in (work / "imagenet/table.txt").read_text())
refused(1, 'the task "cifar10", train: there is nothing at cifar10', recipes.parent / "democratizing" / "tasks.toml", "--out", "none")

# Every variant with every table of `with`, two seeds, at every layer and on another task.
(work / "small.toml").write_text('''
data = "fashion-mnist"
test_data = "fashion-mnist"
images_per_class = 20
[backbone]
name = "resnet"
layers = [1, 1, 1, 1]
width = 4
[augmentation]
size = 16
[projector]
widths = "16-8"
[fit]
epochs = 2
batch_size = 64
threads = 1
[sweep]
seeds = [1, 2]
probes = ["knn"]
layers = true
untrained = true
[[sweep.tasks]]
name = "again"
train = "fashion-mnist"
test = "fashion-mnist"
[[sweep.with]]
name = "SimCLR"
method = "SimCLR"
[[sweep.with]]
name = "VICReg"
method = "VICReg"
[[sweep.variants]]
name = "crop & more"
[[sweep.variants]]
name = "no crop"
augmentation.min_scale = 1.0
[sweep.large.fit]
epochs = 3
''')
first = succeeds("small.toml", "--out", "small")
rows = json.loads((work / "small/results.json").read_text())["rows"]
expect(f"{len(rows)} figures, expected those of five rows, three layers and two columns", len(rows) == 30)
expect("not each figure is of two seeds", all(len(row["values"]) == 2 for row in rows))
for row in rows:
    expect(f"{row}: the mean is another", abs(row["mean"] - sum(row["values"]) / 2) < 1e-9)
names = ["untrained", "SimCLR, crop & more", "SimCLR, no crop", "VICReg, crop & more", "VICReg, no crop"]
expect("the variants have other names", list(dict.fromkeys(row["variant"] for row in rows)) == names)
table = (work / "small/table.txt").read_text()
expect(f"the table printed is not the file's:\n{first}\n{table}", table in first and "+-" in table)
at = {(row["variant"], row["layer"], row["column"]): row["values"] for row in rows}
for method in ("SimCLR", "VICReg"):
    kinds = [at[f"{method}, {kind}", "representation", "knn"] for kind in ("crop & more", "no crop")]
    expect(f"{method}: with and without crops gave the same figures", kinds[0] != kinds[1])

# Again: nothing is trained. A run that is gone, one without its end and one that was trained but not asked: only that is done,
# to the same table.
gone, cut, unasked = (work / "small" / name / "seed2" for name in ("simclr_no_crop", "vicreg_no_crop", "vicreg_crop_more"))
stamps = {file: file.stat().st_mtime_ns for file in work.glob("small/*/*/checkpoint.pt")}
shutil.rmtree(gone)
(cut / "summary.json").unlink()
(cut / "checkpoint.pt").unlink()
for folder in (cut, unasked):
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps({"settings": record["settings"]}))
succeeds("small.toml", "--out", "small")
expect("the table of the second time differs", (work / "small/table.txt").read_text() == table)
changed = {file for file, stamp in stamps.items() if file.stat().st_mtime_ns != stamp}
expect(f"{changed} were trained again, expected two runs", changed == {gone / "checkpoint.pt", cut / "checkpoint.pt"})
succeeds("small.toml", "--out", "small", "--only", "VICReg, no crop", "--seeds", "2")
expect("a part of the sweep replaced the table of all", (work / "small/table.txt").read_text() == table)

# A run that diverges is told; the others go on, and it is not tried again.
(work / "steep.toml").write_text((work / "small.toml").read_text().replace("augmentation.min_scale = 1.0", "optimizer.lr = 1e30")
                                 .replace("seeds = [1, 2]", "seeds = [1]"))
for _ in range(2):
    output = succeeds("steep.toml", "--out", "steep", "--only", "SimCLR, crop & more;SimCLR, no crop")
    expect(f"no word of the run that diverges:\n{output}", "diverged: SimCLR, no crop, seed 1: " in output)
    expect(f"no figures of the other:\n{output}", "SimCLR, crop & more  representation" in output)

# What is wrong is refused before anything is trained.
refused(2, "has a run of other settings: fit.epochs was 2 and is 3", "small.toml", "--out", "small", "--large")
refused(2, '"SimCLR, crop & more", "SimCLR, no crop"', "small.toml", "--only", "nothing like it", "--out", "none")
refused(2, 'did you mean "SimCLR, no crop"', "small.toml", "--only", "SimCLR, no crops", "--out", "none")
refused(2, "has no table [sweep]", recipes / "quickstart.toml", "--out", "none")
refused(2, "did you mean --epochs", "small.toml", "--epoch", "3", "--out", "none")
refused(2, "say them by --seeds", "small.toml", "--seed", "3", "--out", "none")
refused(2, "in which the variants of small.toml differ", "small.toml", "--method", "BYOL", "--out", "none")
refused(2, "has 1 twice", "small.toml", "--seeds", "1,1", "--out", "none")
refused(1, "there is no file", "nowhere.toml", "--out", "none")
text = (work / "small.toml").read_text()
for change, message in ((('name = "no crop"', 'name = "crop, more"'),
                         '"SimCLR, crop & more" and "SimCLR, crop, more" would be the same folder'),
                        (('probes = ["knn"]', 'probes = []'), "sweep.probes is empty"),
                        (('[fit]', '[augmentation.fit]'), 'did you mean'),
                        (('augmentation.min_scale = 1.0', 'fit = 3'), "fit is no table"),
                        (('augmentation.min_scale = 1.0', 'fit.seed = 3'), "fit.seed is set by sweep.seeds"),
                        (('min_scale', 'mini_scale'), 'did you mean "augmentation.min_scale"'),
                        (('probes = ["knn"]', 'probes = ["kn"]'), 'did you mean "knn"'),
                        (('seeds = [1, 2]', 'seeds = []'), "sweep.seeds is empty"),
                        (('seeds = [1, 2]', 'seed = [1, 2]'), 'did you mean "seeds"'),
                        (('min_scale = 1.0', 'min_scale = 7.0'), 'variant "SimCLR, no crop"'),
                        (('test_data = "fashion-mnist"', ''), "--test-data")):
    (work / "wrong.toml").write_text(text.replace(*change))
    refused(2, message, "wrong.toml", "--out", "none")
expect("a refused sweep left something", not (work / "none").exists())
sys.exit("\n".join(failures) or print("sweeps do what they say"))
