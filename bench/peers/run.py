#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs jessl's data path, losses and evaluation beside its peers', by turns, and prints tables of rates and ratios.

    make bench-peers [ARGS="--lines simclr/224,pack,loss,eval --peers DALI,compiled --rounds 5 --seconds 1.5"]

The peers (evaluation.txt, losses.txt, and requirements.txt where images are asked for) are installed into a virtual environment in
the cache folder at first use: 0.3 to 6 GB. That takes Debian's python3-venv. ffcv and SPDL also need Debian packages: libopencv-dev
libturbojpeg0-dev pkg-config g++, and libavdevice59 libavfilter8; torch.compile needs g++ and python3-dev; a peer that does not
start is named and left out.
JESSL_BENCH_IMAGES is a folder of JPEG files (without it, pictures of waves and noise are made), JESSL_BENCH_THREADS the number of
threads or processes of each contestant (default: all).

A round visits every contestant once; the tables have the medians of the rounds. jessl is jessl_bench as `make bench` builds
it, a process a round, which makes an epoch before the clock runs. A peer is a process that lives through all rounds and is
stopped, with its workers, while others run; peer.py says what it does.
"""
import argparse
import array
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import typing

HERE = pathlib.Path(__file__).resolve().parent
DATA_LOADER = ["torchvision tensors", "torchvision PIL", "lightly"]
PHOTOGRAPHS = DATA_LOADER + ["DALI whole", "DALI regions", "SPDL", "ffcv"]

LOSSES = ["lightly's loss", "PyTorch compiled"]
# glibc keeps freed memory, as in a run of jessl's trainer: else up to a fifth of a step is the kernel's, which clears the pages.
KEPT_MEMORY = {"GLIBC_TUNABLES": f"glibc.malloc.mmap_threshold={2**25}:glibc.malloc.trim_threshold={2**31 - 1}"}


class Line(typing.NamedTuple):
    """Benchmarks of jessl_bench, the peers, by which factor each benchmark should beat the fastest of them, and how many MB
    it should take at most beside its input."""
    benchmarks: list
    peers: list
    bars: list = []
    memory: float = None
    beats: dict = {}  # by which factor the first benchmark should beat a peer


def loss(name, rows, width, peers=LOSSES, bars=(), memory=None):
    """A loss of two views of rows x width, float32, forward and backward."""
    return Line([f"loss/{name}/forward_backward/N:{rows}/D:{width}"], peers, list(bars), memory)


# ffcv's files are made anew by its writer, which costs quality and saves time; `beton_recompressed` are such files, but with
# restart markers.
LINES = {
    "simclr/224": Line(["loader/simclr/224/folder", "loader/simclr/224/beton", "loader/simclr/224/beton_recompressed",
                        "decode/full/folder"], PHOTOGRAPHS, [4, 5]),
    "simclr/160": Line(["loader/simclr/160/folder", "loader/simclr/160/beton"], PHOTOGRAPHS),
    "simclr/96": Line(["loader/simclr/96/folder", "loader/simclr/96/beton"], PHOTOGRAPHS),
    "rrc/224": Line(["loader/rrc/224/folder", "loader/rrc/224/beton", "loader/rrc/224/beton_recompressed"],
                    [p for p in PHOTOGRAPHS if p != "lightly"], [2, 2.5]),
    "multicrop": Line(["loader/multicrop/2x224+6x96/beton"], DATA_LOADER + ["DALI whole", "SPDL"]),
    "augment/32": Line(["augment/simclr/32/memory"], DATA_LOADER + ["kornia", "DALI whole", "ffcv"], [10]),
    "decode": Line(["decode/full/folder"], ["torchvision tensors", "torchvision PIL", "DALI whole", "SPDL"]),
    "pack": Line(["pack/jpg", "pack/jpg/recompressed"], ["ffcv writer"], [2, 2]),
    "loss/NTXent/2048x128": loss("NTXent", 2048, 128, bars=[3]),
    "loss/NTXent/8192x128": loss("NTXent", 8192, 128),
    "loss/NTXent/16384x128": loss("NTXent", 16384, 128, peers=[], memory=200),
    "loss/VICReg/256x8192": loss("VICReg", 256, 8192, bars=[35], memory=64),
    "loss/VICReg/2048x2048": loss("VICReg", 2048, 2048, bars=[1]),
    "loss/BarlowTwins/256x8192": loss("BarlowTwins", 256, 8192, bars=[25], memory=64),
    "loss/BarlowTwins/2048x2048": loss("BarlowTwins", 2048, 2048, bars=[1]),
    "eval/KNN/50000x512/1000": Line(["eval/KNN/50000x512/1000"], ["faiss", "scikit-learn"], memory=200,
                                    beats={"faiss": 1.2, "scikit-learn": 4}),
    "eval/KNN_euclidean/50000x512/1000": Line(["eval/KNN_euclidean/50000x512/1000"], ["scikit-learn"], memory=200,
                                              beats={"scikit-learn": 4}),
    "eval/LogisticProbe/50000x512/10": Line(["eval/LogisticProbe/50000x512/10"], ["scikit-learn"], [2]),
    "eval/LogisticProbe/50000x512/1000": Line(["eval/LogisticProbe/50000x512/1000"], ["scikit-learn"], [2]),
    "eval/RankMe/50000x2048": Line(["eval/RankMe/50000x2048"], ["NumPy"], [10]),
}


def is_loss(line):
    return line.startswith("loss/")


def is_evaluation(line):
    return line.startswith("eval/")


def is_step(line):
    """Whether a turn is a piece of work over and over, whose time is told."""
    return is_loss(line) or is_evaluation(line)


def variables(line, **more):
    """What a contestant's environment is at a line."""
    return {**os.environ, **(KEPT_MEMORY if is_loss(line) else {}), **more}


def environment(venv, lines):
    """The Python of the environment of these lines' peers, made at first use; evaluation has one of its own."""
    photographs = not all(map(is_step, lines))
    pins = [HERE / ("evaluation.txt" if is_evaluation(lines[0]) else "losses.txt")]
    if photographs:
        pins.append(HERE / "requirements.txt")
    if venv is None:
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "jessl"
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in pins)).hexdigest()[:12]
        venv = cache / f"peers-{digest}"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        if importlib.util.find_spec("ensurepip") is None:
            sys.exit("bench-peers: this Python cannot make environments: apt-get install python3-venv; the head of "
                     "bench/peers/run.py names what single peers need")
        print(f"bench-peers: installing the peers into {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run(install + [f"--requirement={file}" for file in pins], check=True)
        if photographs and subprocess.run(install + ["--no-deps", "--no-build-isolation", "ffcv==1.0.2"]).returncode != 0:
            print("bench-peers: ffcv does not build here and is left out; with Debian's libopencv-dev libturbojpeg0-dev "
                  f"pkg-config g++ it does. Delete {venv} to try again", flush=True)
        (venv / "complete").touch()
    return python


class Peer:
    """A peer's process. Its first batch is made when it is started."""

    def __init__(self, python, name, line, settings, place):
        self.name = name
        self.errors = (place / f"{name}.log".replace(" ", "_")).open("w+")
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [python, HERE / "peer.py", name, line, settings.images, str(settings.threads), place], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True, env=variables(line))
        self.alive = self.answer() is not None
        self.first_batch = time.perf_counter() - start
        self.memory = self.answer()["extra_MB"] if self.alive and is_loss(line) else None
        if self.alive:
            os.killpg(self.process.pid, signal.SIGSTOP)  # else it makes batches ahead, in the others' time

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def measure(self, seconds):
        os.killpg(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(f"{seconds}\n")
        answer = self.answer()
        if answer is None:
            sys.exit(f"bench-peers: {self.name} has died: {self.why()}")
        os.killpg(self.process.pid, signal.SIGSTOP)
        return answer["rate"]

    def why(self):
        """The last line that it wrote, which is Python's message."""
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["no message"])[-1]

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # threads and workers of some peers never end by themselves
        except ProcessLookupError:
            pass
        self.process.wait()


def jessl(settings, benchmark, threads=None):
    """The counters of a benchmark of jessl_bench."""
    done = subprocess.run(
        [settings.jessl_bench, f"--benchmark_filter=^{re.escape(benchmark)}(/iterations:1)?(/real_time)?$",
         "--benchmark_format=json", f"--benchmark_min_time={settings.seconds}"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=variables(benchmark, JESSL_BENCH_IMAGES=settings.images, JESSL_BENCH_THREADS=str(threads or settings.threads)))
    return json.loads(done.stdout)["benchmarks"][0]


def rate(result):
    """Views, images or, of a loss, steps a second."""
    units = {"ms": 1000, "s": 1}
    return result.get("views_per_second") or result.get("images_per_second") or units[result["time_unit"]] / result["real_time"]


def limit(benchmark, results):
    """How near a loss is to what its matrix products alone take."""
    operations = results[0]["GFLOP"]
    reached = operations * statistics.median(map(rate, results))
    products = statistics.median(result["products_GFLOP/s"] for result in results)
    print(f"{benchmark}: {operations:.1f} GFLOP a step at {reached:.0f} GFLOP/s, {100 * reached / products:.0f} % of the "
          f"{products:.0f} GFLOP/s of its matrix products alone", flush=True)


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def verdict(what, factor, wanted):
    print(f"{what}: {factor:.2f}, wanted {wanted}: {'met' if factor >= wanted else 'not met'}", flush=True)


def agreement(folder, name):
    """What a peer's answer is beside jessl's: of whole numbers the share that is equal, else the largest relative difference."""
    answers = []
    for contestant in ("jessl", name):
        numbers = array.array("d")
        numbers.frombytes((pathlib.Path(folder) / f"{contestant}.f64").read_bytes())
        answers.append(numbers)
    pairs = list(zip(*answers, strict=True))
    if all(a.is_integer() for a in answers[0]):
        return f"{sum(a == b for a, b in pairs)} of {len(pairs)} equal"
    return f"differs by {max(abs(a - b) / abs(b) for a, b in pairs):.1e}"


def run_line(line, settings, python):
    """One line: all contestants by turns. Returns the medians."""
    sys.path.insert(0, str(HERE))
    from peer import LESS
    benchmarks, names, bars, most_memory, beats = LINES[line]
    with tempfile.TemporaryDirectory(prefix="jessl-bench-peers-") as folder:
        if is_evaluation(line):
            os.environ["JESSL_BENCH_FEATURES"] = folder
            subprocess.run([python, "-c", "import sys, peer; peer.make_features(*sys.argv[1:])", folder, line], check=True, cwd=HERE)
        peers, absent = [], []
        for name in names:
            if settings.peers and not any(part in name for part in settings.peers):
                continue
            peer = Peer(python, name, line, settings, pathlib.Path(folder))
            if peer.alive:
                peers.append(peer)
            else:
                absent.append([name, "-", "-", f"does not start: {peer.why()}"] + [""] * len(benchmarks))
                peer.end()
        results = {name: [] for name in benchmarks}
        rates = {name: [] for name in benchmarks + [peer.name for peer in peers]}
        try:
            for _ in range(settings.rounds):
                # jessl's turns lie between the peers'.
                turns = [peers[k::len(benchmarks)] for k in range(len(benchmarks))]
                for benchmark, following in zip(benchmarks, turns):
                    results[benchmark].append(jessl(settings, benchmark))
                    rates[benchmark].append(rate(results[benchmark][-1]))
                    for peer in following:
                        rates[peer.name].append(peer.measure(settings.seconds))
        finally:
            for peer in peers:
                peer.end()
        agreements = {peer.name: agreement(folder, peer.name) for peer in peers} if is_evaluation(line) else {}
    medians = {name: statistics.median(values) for name, values in rates.items()}
    first = {peer.name: f"{peer.first_batch:.1f} s" for peer in peers}
    if is_loss(line):
        head = ["ms a step", "first step", "extra MB"]
        memory = {name: results[name][0]["peak_bytes"] / 1e6 for name in benchmarks}
        memory |= {peer.name: peer.memory for peer in peers}
        notes = {name: "" if value is None else f"{value:.1f}" for name, value in memory.items()}
        shown = lambda values: [f"{1000 / value:.1f}" for value in sorted(values, reverse=True)]
    elif is_evaluation(line):
        head = ["s", "first", "answer"]
        memory = {name: results[name][0].get("peak_MB") for name in benchmarks}
        notes = {name: agreements.get(name, "") for name in rates}
        shown = lambda values: [f"{1 / value:.2f}" for value in sorted(values, reverse=True)]
    else:
        head = ["images/s" if line == "pack" else "views/s", "first file" if line == "pack" else "first batch", "leaves out"]
        notes = {name: LESS.get((name, line.split("/")[0]), "") for name in rates}
        shown = lambda values: [f"{value:.0f}" for value in sorted(values)]

    def row(name):
        spread = shown(rates[name])
        ratios = [f"{medians[b] / medians[name]:.2f}" if name not in benchmarks else "" for b in benchmarks]
        return [name, f"{shown([medians[name]])[0]} ({spread[0]} to {spread[-1]})", first.get(name, ""), notes[name]] + ratios

    print(f"\n### {line}\n")
    table(["contestant"] + head + [f"{b} / it" for b in benchmarks], [row(name) for name in rates] + absent)
    if peers:
        for benchmark, wanted in zip(benchmarks, bars):
            fastest = max((peer.name for peer in peers), key=medians.get)
            verdict(f"{benchmark} to the fastest peer, {fastest}", medians[benchmark] / medians[fastest], wanted)
            if fastest == "ffcv" and len(peers) > 1:  # which reads files that were made anew
                fastest = max((peer.name for peer in peers if peer.name != "ffcv"), key=medians.get)
                verdict(f"{benchmark} to the fastest peer on the same files, {fastest}",
                        medians[benchmark] / medians[fastest], wanted)
                anew = f"{benchmark}_recompressed"
                if anew in medians:
                    verdict(f"{anew} to ffcv", medians[anew] / medians["ffcv"], wanted)
        for name, wanted in beats.items():
            if name in medians:
                verdict(f"{benchmarks[0]} to {name}", medians[benchmarks[0]] / medians[name], wanted)
    for benchmark in benchmarks if is_step(line) else []:
        if is_loss(line):
            limit(benchmark, results[benchmark])
        if most_memory is not None and memory[benchmark] is not None:
            met = "met" if memory[benchmark] < most_memory else "not met"
            print(f"{benchmark}: {memory[benchmark]:.1f} MB beside its input, wanted below {most_memory}: {met}", flush=True)
    if line == "simclr/224":
        for benchmark in benchmarks[:2]:
            verdict(f"{benchmark} to images decoded whole, one a view", medians[benchmark] / medians["decode/full/folder"], 1.2)


def run_alone(settings):
    """What has no line beside peers: threads, the first batch, memory."""
    benchmarks = ["loader/simclr/224/folder", "loader/simclr/224/beton"]
    rates = {(b, threads): [] for b in benchmarks for threads in (1, 2)}
    first, memory = [], {}
    for _ in range(settings.rounds):
        for benchmark, threads in rates:
            rates[benchmark, threads].append(rate(jessl(settings, benchmark, threads)))
        first.append(jessl(settings, "loader/first_batch/simclr/224/folder")["seconds_since_start"])
        memory = jessl(settings, "loader/memory/simclr/224/beton")
    medians = {key: statistics.median(values) for key, values in rates.items()}
    print("\n### jessl alone\n")
    table(["", "1 thread", "2 threads", "ratio"],
          [[b, f"{medians[b, 1]:.0f}", f"{medians[b, 2]:.0f}", f"{medians[b, 2] / medians[b, 1]:.2f}"] for b in benchmarks])
    print(f"first batch of 256 pairs of views, from the start of the process: {statistics.median(first):.2f} s, "
          f"wanted at most 1 s\nloader at batch 256: {memory['loader_MB']:.0f} MB, of these the batch itself "
          f"{memory['of_these_the_batch_MB']:.0f} MB, wanted below 300 MB", flush=True)


def lines_of(text):
    """The lines named by commas, or all whose names begin so: "simclr" is simclr/224, simclr/160 and simclr/96."""
    lines = []
    for part in text.split(","):
        found = [line for line in [*LINES, "alone"] if f"{line}/".startswith(f"{part}/")]
        if not found:
            raise argparse.ArgumentTypeError(f"there is no line {part}, but {', '.join([*LINES, 'alone'])}")
        lines += found
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=lines_of, default=[*LINES, "alone"], help=", ".join([*LINES, "alone"]))
    parser.add_argument("--peers", type=lambda text: text.split(","), help="parts of the names of those to run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="a contestant's turn in a round")
    parser.add_argument("--venv", type=pathlib.Path, help="where the peers are installed")
    parser.add_argument("--jessl-bench", default="build/release/bench/jessl_bench")
    settings = parser.parse_args()
    if settings.rounds < 1:
        parser.error(f"--rounds is {settings.rounds}, expected 1 or more")
    settings.threads = int(os.environ.get("JESSL_BENCH_THREADS") or len(os.sched_getaffinity(0)))
    evaluation = [line for line in settings.lines if is_evaluation(line)]
    others = [line for line in settings.lines if not is_evaluation(line)]
    python = environment(settings.venv, others) if others else None
    python_of_evaluation = environment(settings.venv and settings.venv / "evaluation", evaluation) if evaluation else None
    with tempfile.TemporaryDirectory(prefix="jessl-bench-peers-") as folder:
        settings.images = os.environ.get("JESSL_BENCH_IMAGES")
        if not settings.images:
            settings.images = folder
            if not all(map(is_step, settings.lines)):
                subprocess.run([python, "-c", "import sys, peer; peer.make_photographs(sys.argv[1])", folder], check=True, cwd=HERE)
        for line in settings.lines:
            if line == "alone":
                run_alone(settings)
            else:
                run_line(line, settings, python_of_evaluation if is_evaluation(line) else python)


if __name__ == "__main__":
    main()
