# SPDX-License-Identifier: Apache-2.0
"""Starts the processes of a group on this machine, as torchrun, SLURM or Open MPI tell them their places."""
import json
import os
import pathlib
import socket
import subprocess
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def torchrun(rank, size, port):
    return {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


def slurm(rank, size, port):
    return {"SLURM_PROCID": rank, "SLURM_NTASKS": size, "SLURM_LOCALID": rank, "SLURM_JOB_NODELIST": "localhost,node[2-3]",
            "SLURM_JOB_ID": port}


def open_mpi(rank, size, port):
    return {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_SIZE": size, "OMPI_COMM_WORLD_LOCAL_RANK": rank,
            "OMPI_COMM_WORLD_LOCAL_SIZE": size, "PMIX_NAMESPACE": f"job-{port}"}


# Spinning threads of several processes would fight for the cores.
QUIET = {**{name: value for name, value in os.environ.items()
            if not name.startswith(("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_", "SLURM_", "OMPI_", "PMIX_", "TORCHELASTIC_"))},
         "OMP_WAIT_POLICY": "passive"}


class Ranks:
    """Some processes of one group, each with its output in a file."""

    def __init__(self, command, size, folder, launcher=torchrun, started=None, environment=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.processes = []
        for rank in range(size if started is None else started):
            variables = {name: str(value) for name, value in launcher(rank, size, port).items()}
            with open(self.log(rank), "w") as log:
                self.processes.append(subprocess.Popen([str(part) for part in command], stdout=log, stderr=log,
                                                       env={**QUIET, **(environment or {}), **variables}))

    def log(self, rank):
        return self.folder / f"rank{rank}.log"

    def says(self, rank):
        return self.log(rank).read_text()

    def kill(self, rank, with_signal):
        self.processes[rank].send_signal(with_signal)

    def wait(self, seconds=120):
        """The exit codes; whoever takes longer is killed."""
        end = time.monotonic() + seconds
        codes = []
        for process in self.processes:
            try:
                codes.append(process.wait(max(0.1, end - time.monotonic())))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
        return codes


def lines(path):
    """The losses of a metrics file by step, as text: equal means equal to the last bit."""
    try:
        text = pathlib.Path(path).read_text()
    except FileNotFoundError:
        return {}
    found = {}
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # a line that is being written
            continue
        if "loss" in record and "learning_rate" in record:
            found[record["step"]] = json.dumps(record["loss"])
    return found


def wait_for_step(folder, step, ranks, seconds=60):
    """Waits until the run in a folder has taken so many steps; whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if max(lines(folder / "metrics.jsonl"), default=0) >= step:
            return True
        if any(process.poll() is not None for process in ranks.processes):
            return False
        time.sleep(0.01)
    return False
