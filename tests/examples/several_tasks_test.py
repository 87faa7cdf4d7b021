#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the example of several tasks from pixels and again from the files that it wrote: both print one table. Bad lists end with
exit code 1 and a message.

Usage: several_tasks_test.py <the program several_tasks> <folder to work in>
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

program, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
failures = []


def run(*settings):
    return subprocess.run([program, *settings], capture_output=True, text=True, timeout=120)


first = run("images=300", "test_images=100", "components=8", f"out={work}")
path = work / "tasks.json"
if first.returncode != 0 or not path.exists():
    sys.exit(f"the run on pixels failed:\n{first.stdout}{first.stderr}")
table = first.stdout.removeprefix(f"the list of tasks is {path}\n")
second = run(f"tasks={path}")
if second.returncode != 0 or second.stdout != table:
    failures.append(f"the files' table differs from that in memory:\n{first.stdout}{second.stdout}{second.stderr}")
entries = json.loads(path.read_text())
if [e["name"] for e in entries] != ["class"] * 2 + ["worn"] * 2 + ["box"] * 2:
    failures.append(f"the list is {entries}")
if len(re.findall(r"(?m)^(?:pixels|components) .* [1-4]\.\d\d$", table)) != 4:
    failures.append(f"a row of the table has no rank:\n{table}")

changed = work / "changed.json"
for change, message in [({"kind": "class"}, r'changed\.json\[2\]\.kind: unknown name "class"; did you mean "classes"\?'),
                        ({"tests": "x"}, r'changed\.json\[2\]: unknown name "tests"; did you mean "test"\?'),
                        ({"kind": "quantities", "train": "absent"}, r"changed\.json\[2\]: .*cannot open .*absent")]:
    changed.write_text(json.dumps([e | (change if i == 2 else {}) for i, e in enumerate(entries)]))
    result = run(f"tasks={changed}")
    if result.returncode != 1 or not re.search(message, result.stderr):
        failures.append(f"{change}: exit code {result.returncode}, expected 1 and '{message}':\n{result.stderr}")

if failures:
    sys.exit("\n\n".join(failures))
print("files and memory give one table, and bad lists are refused")
