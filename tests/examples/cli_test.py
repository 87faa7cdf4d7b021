#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program jessl on tiny data: runs by flags and by files repeat each other, an interrupted one goes on to the same
losses, its network is evaluated, embedded and inspected, and what is wrong on the command line is refused with its remedy.

Usage: cli_test.py <the program> <program that makes photos> <folder to work in>
"""
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time

tests = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(tests / "support"), str(tests / "distributed")]
from program import Program
from ranks import Ranks

program, make_photos, work = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
subprocess.run([make_photos, "48", work / "photos"], check=True, stdout=subprocess.DEVNULL)
shutil.copytree(work / "photos", work / "others")
shutil.copytree(work / "photos", work / "renamed")
next(folder for folder in sorted((work / "renamed").iterdir()) if folder.is_dir()).rename(work / "renamed" / "another_class")

SMALL = ["--augmentation.size", "16", "--backbone.width=4", "--projector.widths", "32-16", "--batch-size", "16",
         "--threads", "1", "--epochs", "2"]

tested = Program(program, folder=work)
failures, succeeds, expect, refused = tested.failures, tested.succeeds, tested.expect, tested.refused


def prints(text, *arguments):
    output = succeeds(*arguments)
    expect(f"{arguments}: expected '{text}' in\n{output}", text in output)
    return output


def losses(out):
    steps = {}
    for line in (work / out / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "loss" in record and "step" in record:
            steps[record["step"]] = record["loss"]
    return steps


def tensors(file):
    """The tensors of a safetensors file: name to (shape, bytes)."""
    bytes_ = (work / file).read_bytes()
    size = struct.unpack("<Q", bytes_[:8])[0]
    header = json.loads(bytes_[8:8 + size])
    header.pop("__metadata__", None)
    at = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: (entry["shape"], bytes_[8 + size:][at[name][0]:at[name][1]]) for name, entry in header.items()}


def numpy_values(file):
    """The header and the bytes of a .npy file."""
    bytes_ = (work / file).read_bytes()
    assert bytes_[:8] == b"\x93NUMPY\x01\x00", bytes_[:8]
    size = struct.unpack("<H", bytes_[8:10])[0]
    assert (10 + size) % 64 == 0, size
    return eval(bytes_[10:10 + size]), bytes_[10 + size:]  # a literal of a dictionary


# Two methods: by flags, by a recipe, and by what the run leaves.
for method, table, flags in (("SimCLR", "[loss]\ntemperature = 0.3\n", ["--loss.temperature", "0.3"]),
                             ("BYOL", "[loss.teacher]\nmomentum = 0.9\n", ["--loss.teacher.momentum", "0.9"])):
    succeeds("pretrain", "--method", method.lower(), "--data", "photos", *SMALL, *flags, "--out", f"{method}/flags")
    recipe = work / f"{method}.toml"
    recipe.write_text(f'method = "{method}"\ndata = "photos"\n{table}[fit]\nepochs = 2\nbatch_size = 16\nthreads = 1\n'
                      '[augmentation]\nsize = 99\n[backbone]\nwidth = 4\n[projector]\nwidths = "32-16"\n')
    succeeds("pretrain", "--config", recipe, "--augmentation.size", "16", "--out", f"{method}/recipe")
    expect(f"{method}: a recipe gives other losses than flags", losses(f"{method}/flags") == losses(f"{method}/recipe"))
    expect(f"{method}: there are {len(losses(f'{method}/flags'))} losses, expected 6", len(losses(f"{method}/flags")) == 6)
succeeds("pretrain", "--config", "SimCLR/flags/config.toml", "--out", "again")
expect("config.toml of a run gives other losses than the run", losses("again") == losses("SimCLR/flags"))
for name in ("config.toml", "config.json", "metrics.jsonl", "checkpoint.pt", "views.png", "weights.safetensors", "summary.json"):
    expect(f"the run left no {name}", (work / "again" / name).exists())
expect("the weights have other names than torchvision's", "layer1.0.conv1.weight" in tensors("again/weights.safetensors"))
expect("--loss.temperature is not in config.toml", "temperature = 0.3" in (work / "again/config.toml").read_text())

# Views that grow: the first epoch's are smaller.
for out, ramp in (("grown", ["--ramp.min", "8", "--ramp.start", "0", "--ramp.end", "1", "--ramp.step", "8"]), ("large", [])):
    succeeds("pretrain", "--data", "photos", *SMALL, *ramp, "--out", out)
expect("views that grow gave the losses of those that do not", losses("grown")[1] != losses("large")[1])
succeeds("embed", "grown", "--data", "photos", "--out", "grown.npy", "--threads", "1")

# A run that is killed goes on to the same losses.
LONG = ["--method", "SimCLR", "--data", "photos", *SMALL, "--epochs", "8"]
LONG.remove("--epochs"), LONG.remove("2")
succeeds("pretrain", *LONG, "--out", "whole", "--online-probe", "--knn-every", "4", "--rank-every", "4", "--test-data", "others")
expect("no figures of the monitors", all(by in (work / "whole/metrics.jsonl").read_text()
                                         for by in ("OnlineProbe", "KNNMonitor", "RankMonitor")))
victim = subprocess.Popen([program, "pretrain", *LONG, "--out", "killed"], cwd=work, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
while not (work / "killed/checkpoint.pt").exists() and victim.poll() is None:
    time.sleep(0.005)
victim.kill()
victim.wait()
refused(2, "has a checkpoint.pt in it already", "pretrain", *LONG, "--out", "killed")
succeeds("pretrain", "--resume", "auto", "--out", "killed")

# Two processes, as torchrun starts them, train one network: the first writes, and the run begins as that of one.
placed = [str(work / argument) if argument in ("photos", "others") else argument for argument in LONG]
together = Ranks([program, "pretrain", *placed, "--out", work / "two"], 2, work / "two_ranks")
codes = together.wait()
expect(f"two ranks ended with {codes}: {together.says(0)}{together.says(1)}", codes == [0, 0])
expect(f"the second rank says {together.says(1)}", together.says(1) == "")
if codes == [0, 0]:
    expect("two ranks took other steps than one", sorted(losses("two")) == sorted(losses("whole")))
    expect(f"two ranks begin with {losses('two')[1]}, one with {losses('whole')[1]}",
           abs(losses("two")[1] - losses("whole")[1]) < 1e-3)
    expect("the summary does not tell the ranks", json.loads((work / "two/summary.json").read_text())["resolved"]["ranks"] == 2)
expect("a run that was killed and resumed has other losses", losses("killed") == losses("whole"))

# What the network is worth, its features, and what the files hold.
output = succeeds("evaluate", "again", "--train", "photos", "--test", "others", "--layers", "--probes", "knn,linear,ridge,centroid",
                  "--json", "scores.json", "--threads", "1")
scores = json.loads((work / "scores.json").read_text())["scores"]
expect(f"{len(scores)} figures, expected four at each of three layers", len(scores) == 12)
expect("figures without a protocol", all(score["probe"] and score["metric"] == "top1" for score in scores))
succeeds("evaluate", "again/weights.safetensors", "--train", "photos", "--test", "others", "--probes", "ridge", "--json",
         "weights.json", "--threads", "1")
of_weights = json.loads((work / "weights.json").read_text())["scores"]
expect(f"the weights alone give {of_weights}, expected the representation's figure", of_weights[0] in scores)

succeeds("embed", "again", "--data", "photos", "--out", "features.npy", "--threads", "1")
succeeds("embed", "again/weights.safetensors", "--data", "photos", "--out", "features.safetensors", "--threads", "1")
header, values = numpy_values("features.npy")
expect(f"features.npy is {header}", header == {"descr": "<f4", "fortran_order": False, "shape": (48, 32)})
stored = tensors("features.safetensors")
expect("features.npy and features.safetensors differ", stored["features"] == ([48, 32], values))
header, values = numpy_values("features.labels.npy")
expect("the labels differ", header["shape"] == (48,) and values == stored["labels"][1])

# Maps of them: of the file, and of the network that made it, which are the same pictures.
prints("maps/pca.png: 48 points", "map", "features.safetensors", "--out", "maps", "--neighbours", "5")
prints("./pca.png: 48 points", "map", "features.safetensors", "--neighbours", "5")
prints("again/pca.png: 48 points", "map", "again", "--data", "photos", "--neighbours", "5")
maps = [picture.name for picture in (work / "maps").iterdir()]
expect(f"maps has {maps}", "pca.png" in maps)
for picture in maps:
    expect(f"{picture} of the features and of the network differ",
           (work / "maps" / picture).read_bytes() == (work / "again" / picture).read_bytes())

prints("a run of SimCLR on 48 images of 3 classes", "inspect", "again")
prints("conv1.weight Float [4, 3, 3, 3]", "inspect", "again/weights.safetensors")
prints("loss.temperature = 0.3", "inspect", "again/checkpoint.pt")
prints("images a class: 16 to 16", "inspect", "photos")
prints("LibTorch", "doctor", "--out", work)

# Packed images are the same images, in a .beton file, in tar shards, and as pixels, which tar shards hold as PNG.
prints("48 JPEGs as they were", "pack", "--data", "photos", "--out", "packed/photos.beton", "--progress", "false")
prints("48 images in 3 files", "pack", "--data", "packed/photos.beton", "--out", "packed/photos-{0..2}.tar")
prints("48 as pixels", "pack", "--data", "photos", "--out", "packed/raw.beton", "--mode", "raw", "--progress", "false")
prints("48 images in 1 file", "pack", "--data", "packed/raw.beton", "--out", "packed/raw.tar")
for data in ("photos.beton", "photos-{0..2}.tar", "raw.tar"):
    succeeds("pretrain", "--config", "again/config.toml", "--data", f"packed/{data}", "--out", f"of/{data}")
    expect(f"{data}: packed images give other losses", losses(f"of/{data}") == losses("again"))
files = sorted(path for path in (work / "photos").rglob("*.jpg"))
succeeds("pack", "--data", "photos", "--out", "packed/plain.tar")
with tarfile.open(work / "packed/plain.tar") as tar:
    members = {member.name: tar.extractfile(member).read() for member in tar}
expect(f"the tar file holds {sorted(members)[:4]} ...", sorted(members) == sorted(f"{i:09}.{end}" for i in range(48) for end in ("jpg", "cls")))
expect("the tar file holds other bytes than the folder", [members[f"{i:09}.jpg"] for i in range(48)] == [path.read_bytes() for path in files])
# A folder of both kinds of files asks which way; what is there already is not replaced, not even by itself.
shutil.copytree(work / "photos", work / "mixed")
pixel = next((work / "mixed").iterdir()) / "pixel.png"
pixel.write_bytes(bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010800000000"  # one grey pixel
                                "3a7e9b550000000a49444154789c63a8070000810080d394534a0000000049454e44ae426082"))
refused(2, "48 of 49 images are JPEGs; say --mode jpg", "pack", "--data", "mixed", "--out", "mixed.beton")
prints("48 JPEGs as they were, 1 JPEGs made", "pack", "--data", "mixed", "--out", "mixed.beton", "--mode", "jpg", "--progress", "false")
before = (work / "mixed.beton").read_bytes()
refused(2, "mixed.beton exists already; choose another name", "pack", "--data", "mixed.beton", "--out", "mixed.beton", "--max-resolution", "8")
expect("a refused pack changed the file", (work / "mixed.beton").read_bytes() == before)
refused(2, "packed/photos-1.tar exists already", "pack", "--data", "photos", "--out", "packed/photos-{1..3}.tar")
refused(2, "which names a file twice", "pack", "--data", "photos", "--out", "twice-{1,1}.tar")
(pixel.parent / "zero.jpg").write_bytes(b"no picture")
pixel.unlink()
refused(1, "zero.jpg", "pack", "--data", "mixed", "--out", "none/half.beton", "--progress", "false")
expect("half a file was left", list((work / "none").iterdir()) == [])
refused(2, 'pack.mode: unknown name "jgp"; did you mean "jpg"? Known: raw, jpg, smart, proportion (--mode)', "pack", "--data", "photos",
        "--out", "nowhere/a.beton", "--mode", "jgp")
expect("a refused pack made a folder", not (work / "nowhere").exists())
refused(2, "--quality is for .beton files", "pack", "--data", "photos", "--out", "a.tar", "--quality", "50")
refused(2, "quality is 101, expected 1 to 100", "pack", "--data", "photos", "--out", "a.beton", "--quality", "101")
refused(2, "ends in .beton or .tar", "pack", "--data", "photos", "--out", "a.zip")
refused(2, "60 files for 48 images; take fewer", "pack", "--data", "photos", "--out", "a-{1..60}.tar")

# Where the time of a run goes.
output = prints("SimCLR on 48 images", "bench-data", "--config", "again/config.toml", "--seconds", "0.05", "--steps", "3")
rates = [float(line.split(" 1 thread ")[1].split()[0]) for line in output.splitlines() if " 1 thread " in line]
expect(f"rates of {rates}", len(rates) == 3 and min(rates) > 0)
share = float(re.search(r"the run .* ([\d.]+) % of it on the loader", output)[1])
advice = "The data path is worth work" if share > 10 else "The network is what takes the time"
expect(f"{share} % and no '{advice}' in\n{output}", advice in output)
prints("SimCLR on 49 images", "bench-data", "--config", "again/config.toml", "--data", "mixed", "--seconds", "0.02", "--steps", "3")
refused(2, "--seconds is 0, expected more than 0", "bench-data", "--data", "photos", "--seconds", "0")
refused(2, "--steps is 0, expected at least 1", "bench-data", "--data", "photos", "--steps", "0")
refused(2, "the run has only 2 steps, expected at least 3; take more --epochs", "bench-data", "--config", "again/config.toml",
        "--seconds", "0.02", "--batch-size", "24", "--epochs", "1")

# Milestones of the learning rate, by flag and through config.toml.
COURSE = ["--fit.warmup_epochs", "0", "--fit.lr_milestones", "[1]", "--fit.lr_gamma", "0.5", "--fit.weight_decay_end", "0.1",
          "--fit.max_gradient_norm", "0.5"]
succeeds("pretrain", "--config", "again/config.toml", *COURSE, "--out", "course")
rates = [json.loads(line)["learning_rate"] for line in (work / "course/metrics.jsonl").read_text().splitlines() if "learning_rate" in line]
expect(f"the learning rates are {rates}", len(rates) == 6 and rates[3:] == [rates[0] / 2] * 3)
succeeds("pretrain", "--config", "course/config.toml", "--out", "course_again")
expect("config.toml loses the course", losses("course_again") == losses("course"))

# The page about the run has its settings among the settings alone.
succeeds("report", "again", "--out", "again.html")
page = (work / "again.html").read_text()
results = page[page.index('id="results"'):page.index('id="configuration"')]
expect("the page about a run lacks its settings", "loss.temperature" in page)
expect("the page about a run takes settings for results", "temperature" not in results and "result.loss" in results)

# Help and completion.
prints("--loss.teacher.momentum", "pretrain", "--help-all", "--method", "BYOL")
prints("Examples:", "--help")
for command in ("pretrain", "evaluate", "embed", "map", "report", "views", "pack", "bench-data", "inspect", "doctor", "completion"):
    prints("Example", command, "--help")
for words, expected in (("pretrain --method Si", "SimCLR SimSiam"), ("eva", "evaluate"),
                        ("pretrain --loss.temp", "--loss.temperature"), ("pretrain --backbone resnet1", "resnet18 resnet101 resnet152")):
    listed = words.split()
    script = f'''. <("{program}" completion bash)
COMP_WORDS=(jessl {words}); COMP_CWORD={len(listed)}; _jessl; echo "${{COMPREPLY[*]}}"'''
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    expect(f"'{words}' completes to '{done.stdout.strip()}', expected '{expected}' {done.stderr}",
           set(expected.split()) <= set(done.stdout.split()))
prints("bashcompinit", "completion", "zsh")

# What is wrong is refused, with what would be right.
refused(2, 'did you mean "pretrain"', "pretrian")
refused(2, "did you mean --epochs", "pretrain", "--data", "photos", "--epoch_s", "3")
refused(2, "did you mean --loss.temperature", "pretrain", "--data", "photos", "--loss.temprature", "3")
refused(2, 'did you mean "SimCLR"', "pretrain", "--data", "photos", "--method", "SimCL")
refused(2, 'did you mean "resnet18"', "pretrain", "--data", "photos", "--backbone", "resnet19")
refused(2, '--fit.epochs is "many", expected a whole number', "pretrain", "--data", "photos", "--fit.epochs", "many")
refused(2, '--epochs is "many", expected a whole number', "pretrain", "--data", "photos", "--epochs", "many")
refused(2, "set by --loss.temperature -1", "pretrain", "--data", "photos", *SMALL, "--loss.temperature", "-1")
refused(2, "set it by --fit.batch_size", "pretrain", "--data", "photos", "--augmentation.size", "16")
refused(2, "set by --ramp.min 9", "pretrain", "--data", "photos", *SMALL, "--ramp.min", "9", "--ramp.step", "8")
refused(2, "--data is not given", "pretrain")
refused(1, "--data: there is nothing at nowhere", "pretrain", "--data", "nowhere")
refused(2, 'did you mean "beton"', "pretrain", "--data", "photos", "--data-kind", "betn")
refused(1, "there is no file none.toml; expected a TOML", "pretrain", "--config", "none.toml")
(work / "wrong.toml").write_text('data = "photos"\n[loss]\ntemprature = 0.3\n')
refused(2, 'did you mean "loss.temperature"', "pretrain", "--config", "wrong.toml")
(work / "broken.toml").write_text('data = "photos"\n[loss\n')
refused(2, "broken.toml, line 2", "pretrain", "--config", "broken.toml")
refused(2, "name the folder of the run", "pretrain", "--data", "photos", "--resume", "auto")
refused(2, "would be judged by themselves", "evaluate", "again", "--train", "photos", "--test", "photos", "--probes", "knn")
refused(1, "expected the same", "evaluate", "again", "--train", "photos", "--test", "renamed", "--probes", "knn")
(work / "mine").mkdir()
(work / "mine" / "config.json").write_text("{}")
refused(2, "has a config.json in it already", "pretrain", "--data", "photos", *SMALL, "--method", "SimCLR", "--out", "mine")
shutil.copy(work / "again" / "weights.safetensors", work / "mine")
succeeds("embed", "mine/weights.safetensors", "--data", "photos", "--out", "mine.npy", "--threads", "1")
refused(2, 'did you mean "knn"', "evaluate", "again", "--train", "photos", "--test", "others", "--probes", "kn")
refused(1, "expected the folder of a run", "embed", "nowhere", "--data", "photos", "--out", "a.npy")
refused(2, "--layers: again/weights.safetensors holds a backbone alone", "evaluate", "again/weights.safetensors", "--train", "photos",
        "--test", "others", "--layers")
refused(1, "jessl embed: --out", "embed", "again", "--data", "photos", "--out", "no/folder/a.npy")
refused(1, "jessl evaluate: --json", "evaluate", "again", "--train", "photos", "--test", "others", "--json", "no/folder/a.json")
succeeds("evaluate", "--train", "photos", "--test", "others", "--probes", "centroid", "again", "--threads", "1")
refused(2, "ends in .npy or .safetensors", "embed", "again", "--data", "photos", "--out", "a.csv")
refused(2, "name them, as --data photos", "map", "again")
refused(2, "--neighbors", "map", "features.safetensors", "--neighbors", "5")
refused(2, "--split is for a network", "map", "features.safetensors", "--split", "test")
refused(1, "there is no nowhere.safetensors", "map", "nowhere.safetensors")
refused(2, "jessl embed --out features.safetensors", "map", "features.npy")
refused(2, "--rows is 0", "map", "features.safetensors", "--rows", "0")
refused(2, "--train", "evaluate", "again")
sys.exit("\n".join(failures) or print("the program jessl does what it says"))
