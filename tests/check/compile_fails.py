#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a message of the library at compile time: a case must fail to compile and say what its first line promises
(// expect: text), and its twin <name>.ok.cpp must compile.

Usage: compile_fails.py <compile_commands.json> <file whose flags to use> <case.cpp>
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

database, like, case = (pathlib.Path(a).resolve() for a in sys.argv[1:])
entry = next((e for e in json.loads(database.read_text()) if pathlib.Path(e["file"]).resolve() == like), None)
if entry is None:
    sys.exit(f"{database} does not know {like}")


def compile(source):
    command = shlex.split(entry["command"])
    command = command[:command.index("-o")]  # what follows names the object and the source
    command += ["-fsyntax-only", "-fdiagnostics-color=never", str(source)]
    return subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True)


first = case.read_text().split("\n", 1)[0]
expected = re.fullmatch(r"// expect: (.+)", first)
if not expected:
    sys.exit(f"{case}: its first line must be '// expect: <text of the message>'")

twin = case.with_suffix(".ok.cpp")
good = compile(twin)
if good.returncode:
    sys.exit(f"{twin} must compile, but:\n{good.stderr}")

bad = compile(case)
if bad.returncode == 0:
    sys.exit(f"{case} compiles, but should fail with: {expected[1]}")
if expected[1].strip() not in bad.stderr:
    sys.exit(f"{case} fails, as it should, but does not say: {expected[1]}\n{bad.stderr}")
print(next(line for line in bad.stderr.split("\n") if " error: " in line))
