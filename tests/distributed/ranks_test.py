#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several processes compute what one does, find each other, and end in order when one of them is lost.

Usage: ranks_test.py <worker> <work folder> <math|runs|faults|launchers|kills|resnet|more_faults|overlap>
"""
import json
import math
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ranks import QUIET, Ranks, free_port, lines, open_mpi, slurm, torchrun, wait_for_step

worker, work, part = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
failures = []


def expect(what, condition):
    if not condition:
        failures.append(what)


def finishes(command, size, folder, **more):
    ranks = Ranks([worker, *command], size, folder, **more)
    codes = ranks.wait()
    expect(f"{command} with {size} ranks ended with {codes}:\n" + "".join(ranks.says(r) for r in range(size)),
           codes == [0] * size)
    return ranks


def difference(a, b):
    """The largest difference of two lists of numbers, relative to the largest number."""
    scale = max(1.0, *(abs(x) for x in b))
    return max(abs(x - y) if math.isfinite(x) else math.inf for x, y in zip(a, b)) / scale


def same_math(network, steps, sizes, most):
    """Losses and weights after some steps, whatever the number of ranks."""
    results = {}
    for size in sizes:
        file = work / f"{network}{size}.json"
        finishes(["math", network, steps, file], size, work / f"{network}{size}")
        results[size] = json.loads(file.read_text()) if file.exists() else {}
    for size in sizes[1:]:
        for method, alone in results[1].items():
            other = results[size].get(method, {"losses": [math.inf] * steps, "weights": {}})
            worst = difference(other["losses"], alone["losses"])
            for name, values in alone["weights"].items():
                worst = max(worst, difference(other["weights"].get(name, [math.inf] * len(values)), values))
            # Relative to the largest of the network: that of a bias before a batch norm is rounding alone.
            scale = max(abs(x) for values in alone["gradients"].values() for x in values)
            for name, values in alone["gradients"].items():
                far = difference([x / scale for x in other.get("gradients", {}).get(name, [math.inf] * len(values))],
                                 [x / scale for x in values])
                expect(f"{network}, {method}: the first gradient of {name} with {size} ranks differs by {far:.1e} of the largest",
                       far <= (most if most < 1e-6 else 500 * most))  # in float32 a value may be on the other side of a ReLU
            moved = abs(alone["losses"][0] - alone["losses"][-1])
            print(f"{network}, {method}, {size} ranks: {worst:.1e}")
            expect(f"{network}, {method}: {size} ranks differ from one by {worst:.1e}, expected at most {most:.0e}",
                   worst <= most)
            expect(f"{network}, {method}: the loss does not move", moved > 1e-4)


def check_math():
    same_math("small", 20, [1, 2, 4], 1e-10)


def check_resnet():
    same_math("narrow64", 20, [1, 2, 4], 1e-9)
    same_math("resnet32", 20, [1, 2], 1e-4)


def run(folder, *settings):
    return ["run", folder, *settings]


def check_runs():
    """What a run is told, leaves and says."""
    folders = {name: work / name for name in ("one", "two", "again", "four", "parts", "slurm", "mpi")}
    finishes(run(folders["one"]), 1, folders["one"])
    finishes(run(folders["two"]), 2, folders["two"])
    finishes(run(folders["again"]), 2, folders["again"], launcher=slurm)
    finishes(run(folders["four"]), 4, folders["four"], launcher=open_mpi)
    finishes(run(folders["parts"], "micro=6"), 2, folders["parts"])
    one, two = (lines(folders[name] / "metrics.jsonl") for name in ("one", "two"))
    expect(f"one process took steps {sorted(one)}", sorted(one) == list(range(1, 13)))
    expect("two equal runs of two ranks differ", two == lines(folders["again"] / "metrics.jsonl"))
    for name in ("two", "four"):
        other = lines(folders[name] / "metrics.jsonl")
        worst = max((abs(float(other.get(step, "inf")) - float(one[step])) for step in (1, 2)), default=math.inf)
        expect(f"{name} ranks: a loss differs from that of one by {worst}", sorted(other) == sorted(one) and worst < 1e-4)
    # A part of a rank's share is another batch to the batch norms: the losses are near, not equal.
    parts = lines(folders["parts"] / "metrics.jsonl")
    expect(f"micro-batches took steps {sorted(parts)}", sorted(parts) == sorted(one))

    def probe(name):
        text = (folders[name] / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines() if "OnlineProbe" in line]
    expect("the online probe of two ranks has no records", probe("two") and len(probe("two")) == len(probe("one")))
    said = (folders["two"] / "rank0.log").read_text()
    expect(f"rank 0 does not say how many ranks there are: {said}", "2 ranks" in said)
    expect("rank 1 says something", (folders["two"] / "rank1.log").read_text() == "")
    # The run of two ranks goes on with one, and says so.
    finishes(run(folders["two"], "epochs=3"), 1, work / "two_by_one")
    said = (work / "two_by_one" / "rank0.log").read_text()
    expect(f"another number of ranks is not told: {said}", "began with 2 ranks" in said)


def refused(folder, variables, *messages, size=1):
    ranks = Ranks([worker, *run(folder, "timeout=2")], size, folder, launcher=lambda *_: variables)
    codes = ranks.wait()
    said = ranks.says(0)
    expect(f"{variables} ended with {codes} and says: {said}", 0 not in codes and all(message in said for message in messages))


def stopped(rank, ranks):
    """A rank stops, as a machine or a network that hangs: another one names it in time."""
    ranks.kill(rank, signal.SIGSTOP)
    begin = time.monotonic()
    other = 1 if rank == 0 else 0
    while ranks.processes[other].poll() is None and time.monotonic() - begin < 60:
        time.sleep(0.05)
    said = ranks.says(other)
    expect(f"rank {rank} was stopped, and rank {other} says after {time.monotonic() - begin} s: {said}",
           f"rank {rank} does not answer" in said and time.monotonic() - begin < 40)
    ranks.kill(rank, signal.SIGKILL)
    ranks.wait()


def check_more_faults():
    """Four ranks, of which those that wait for the lost one are not taken for it; a lost or stopped rank 0; an error of one rank; SIGUSR1."""
    for size, victim in ((4, 1), (2, 0)):
        folder = work / f"killed_{size}"
        ranks = Ranks([worker, *run(folder, "wait=100")], size, folder)
        expect(f"{size} ranks did not get going: " + ranks.says(0), wait_for_step(folder, 2, ranks))
        ranks.kill(victim, signal.SIGKILL)
        codes = ranks.wait()
        for rank in set(range(size)) - {victim}:
            said = ranks.says(rank)
            others = [other for other in range(size) if other != victim and f"rank {other} does not answer" in said]
            expect(f"rank {victim} of {size} was killed, rank {rank} ended with {codes[rank]}: {said}",
                   codes[rank] == 1 and f"rank {victim} does not answer" in said and not others)
    for rank in (0, 1):
        folder = work / f"stopped_{rank}"
        ranks = Ranks([worker, *run(folder, "wait=100", "timeout=3")], 2, folder)
        expect("the run did not get going: " + ranks.says(0), wait_for_step(folder, 2, ranks))
        stopped(rank, ranks)
    folder = work / "error"
    ranks = Ranks([worker, *run(folder, "wait=100", "fail=3")], 2, folder)
    codes, said = ranks.wait(), ranks.says(1)
    expect(f"rank 0 ended with an error, rank 1 with {codes}: {said}", codes == [1, 1] and "rank 0 ended: a fault of its own" in said)
    folder = work / "asked"
    ranks = Ranks([worker, *run(folder, "wait=100", "every=0")], 2, folder)
    wait_for_step(folder, 2, ranks)
    expect("a checkpoint that nobody asked for", not (folder / "checkpoint.pt").exists())
    ranks.kill(1, signal.SIGUSR1)
    step = max(lines(folder / "metrics.jsonl"))
    wait_for_step(folder, step + 3, ranks)
    expect("SIGUSR1 left no checkpoint", (folder / "checkpoint.pt").exists() and ranks.processes[0].poll() is None)
    codes = ranks.wait()
    expect(f"the run did not go on after SIGUSR1: {codes}", codes == [0, 0])
    # Another number of ranks goes on from it: some steps of four ranks, then two, then one.
    folder = work / "fewer"
    for size, last in ((4, 3), (2, 6)):
        ranks = Ranks([worker, *run(folder, "wait=100")], size, folder)
        expect(f"{size} ranks did not get going: " + ranks.says(0), wait_for_step(folder, last, ranks))
        ranks.kill(size - 1, signal.SIGTERM)
        ranks.wait()
    finishes(run(folder), 1, folder)
    expect("a run of 4, 2 and 1 ranks has not all steps", sorted(lines(folder / "metrics.jsonl")) == list(range(1, 13)))


def check_faults():
    refused(work / "no_size", {"RANK": 0}, "WORLD_SIZE")
    refused(work / "no_port", {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}, "MASTER_PORT")
    refused(work / "wrong_rank", {**torchrun(0, 2, 1), "RANK": 2}, "RANK", "0 to 1")
    refused(work / "no_number", {**torchrun(0, 2, 1), "WORLD_SIZE": "two"}, "WORLD_SIZE", "two")
    begin = time.monotonic()
    ranks = Ranks([worker, *run(work / "alone", "timeout=2")], 2, work / "alone", started=1)
    codes, said = ranks.wait(), ranks.says(0)
    expect(f"one of two ranks ended with {codes} after {time.monotonic() - begin} s: {said}",
           codes == [1] and "did not meet" in said and time.monotonic() - begin < 20)
    ranks = Ranks([worker, *run(work / "odd", "batch=25", "timeout=5")], 2, work / "odd")
    codes, said = ranks.wait(), ranks.says(0)
    expect(f"a batch that ranks can't share: {codes}, {said}", codes == [1, 1] and "2 ranks cannot share it equally" in said)

    ranks = Ranks([worker, *run(work / "unused", "unused=3")], 2, work / "unused")
    codes, said = ranks.wait(), ranks.says(0)
    expect(f"a parameter that nothing reaches: {codes}, {said}",
           codes == [1, 1] and "did not reach backbone.never_used, so" in said)

    whole = work / "whole"
    finishes(run(whole), 2, whole)
    undisturbed = lines(whole / "metrics.jsonl")
    folder = work / "killed"
    # SIGTERM: a checkpoint, and the end of all ranks, though one alone is told.
    ranks = Ranks([worker, *run(folder, "wait=100")], 2, folder)
    wait_for_step(folder, 2, ranks)
    ranks.kill(1, signal.SIGTERM)
    codes, said = ranks.wait(), ranks.says(0)
    expect(f"SIGTERM ended the ranks with {codes}: {said}", codes == [1, 1] and "stopped by SIGTERM" in said)
    for rank, step in ((1, 6),):
        ranks = Ranks([worker, *run(folder, "wait=100")], 2, folder)
        expect("the run to be disturbed did not get going: " + ranks.says(0), wait_for_step(folder, step, ranks))
        ranks.kill(rank, signal.SIGKILL)
        begin = time.monotonic()
        codes, said = ranks.wait(), ranks.says(1 - rank)
        expect(f"rank {rank} was killed, and the other ended with {codes} after {time.monotonic() - begin} s: {said}",
               codes[1 - rank] == 1 and f"rank {rank} does not answer" in said and time.monotonic() - begin < 15)
    # Bits of its last checkpoint flip: the one before is taken, and no loss is another.
    checkpoint = folder / "checkpoint.pt"
    damaged = bytearray(checkpoint.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    checkpoint.unlink()  # its other name, if any, stays as it is
    checkpoint.write_bytes(damaged)
    ranks = finishes(run(folder), 2, folder)
    said = ranks.says(0)
    expect(f"the damaged checkpoint is not told: {said}", "goes on from the checkpoint before it" in said)
    expect("a disturbed run has other losses", lines(folder / "metrics.jsonl") == undisturbed)


def launched(what, command, folder):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, env=QUIET)
    expect(f"{what} ended with {done.returncode}: {done.stdout}{done.stderr}", done.returncode == 0)
    return lines(folder / "metrics.jsonl")


def check_launchers():
    """The real launchers, where they are."""
    python, mpirun = os.environ.get("JESSL_TORCH_PYTHON"), shutil.which("mpirun")
    if python is None and mpirun is None:
        print("skipped: there is neither mpirun (apt-get install openmpi-bin) nor JESSL_TORCH_PYTHON, a Python with torch")
        sys.exit(77)
    folder = work / "by_hand"
    finishes(run(folder), 2, folder)
    by_hand = lines(folder / "metrics.jsonl")
    if python is None:
        print("torchrun was not tried: JESSL_TORCH_PYTHON does not name a Python with torch")
    else:
        torchrun_command = [python, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node", 2]
        folder = work / "torchrun"
        found = launched("torchrun", [*torchrun_command, "--master-port", free_port(), worker, *run(folder)], folder)
        expect("the losses of torchrun's ranks are others", found == by_hand)
        # It starts all ranks anew when one of them was killed, and they go on from the checkpoint.
        folder = work / "restarts"
        command = [*torchrun_command, "--master-port", free_port(), "--max-restarts", 2, worker, *run(folder, "wait=100", "die=5")]
        found = launched("torchrun --max-restarts", command, folder)
        expect("a restarted run has other losses", found == by_hand and (folder / "died").exists())
    if mpirun is None:
        print("mpirun was not tried: apt-get install openmpi-bin")
    else:
        folder = work / "mpirun"
        command = [mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", 2, worker, *run(folder)]
        expect("the losses of mpirun's ranks are others", launched("mpirun", command, folder) == by_hand)


def check_overlap():
    """No test: how much of the averaging of gradients is hidden behind the backward pass."""
    file = work / "overlap.json"
    finishes(["overlap", file], 2, work / "overlap")
    never, after, beside = (statistics.median(json.loads(file.read_text())[way]) for way in ("never", "after", "beside"))
    print(f"a step of ResNet-18: {1e3 * never:.0f} ms without averages, {1e3 * after:.0f} ms averaged after the backward pass, "
          f"{1e3 * beside:.0f} ms beside it: {100 * (after - beside) / (after - never):.0f} % hidden")


def check_kills():
    """Kills at random moments, each of which the run outlives."""
    count, size = 20, 2
    settings = ("wait=30", "epochs=30")
    whole = work / "whole"
    finishes(run(whole, "epochs=30"), size, whole)
    undisturbed = lines(whole / "metrics.jsonl")
    folder, rng, longest = work / "killed", random.Random(1), 0.0
    for kill in range(count):
        ranks = Ranks([worker, *run(folder, *settings)], size, folder)
        begun = max(lines(folder / "metrics.jsonl"), default=0)
        if not wait_for_step(folder, begun + 1, ranks):
            expect(f"kill {kill}: the run did not go on: {ranks.says(0)}", False)
            break
        time.sleep(rng.random() * 0.2)
        victim = rng.randrange(size)
        ranks.kill(victim, signal.SIGKILL)
        begin = time.monotonic()
        codes = ranks.wait()
        longest = max(longest, time.monotonic() - begin)
        said = ranks.says(1 - victim)
        expect(f"kill {kill}: rank {victim} was killed, the other ended with {codes}: {said}",
               codes[1 - victim] == 1 and f"rank {victim} does not answer" in said)
    finishes(run(folder, "epochs=30"), size, folder)
    expect("a run that was killed has other losses", lines(folder / "metrics.jsonl") == undisturbed)
    print(f"{count} kills; the other rank ended at most {longest:.1f} s later; {len(undisturbed)} losses equal to the last bit")


{"math": check_math, "runs": check_runs, "faults": check_faults, "launchers": check_launchers, "kills": check_kills,
 "resnet": check_resnet, "more_faults": check_more_faults,
 "overlap": check_overlap}[part]()
sys.exit("\n".join(failures) or None)
