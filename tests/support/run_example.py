#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program and checks that it ends well and prints what it promises: ctest looks at one of the two alone. With
--until the program is stopped once it has printed that.

Usage: run_example.py [--until] <regular expression> <program> [argument...]
"""
import re
import subprocess
import sys

until = sys.argv[1] == "--until"
expected, *command = sys.argv[2 if until else 1:]
if until:
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in running.stdout:
        print(line, end="", flush=True)
        if re.search(expected, line):
            running.kill()
            running.wait()
            sys.exit()
    sys.exit(f"{command[0]} ended with {running.wait()} and did not print what matches: {expected}")
result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
print(result.stdout)
if result.returncode != 0:
    sys.exit(f"{command[0]} ended with {result.returncode}, expected 0")
if not re.search(expected, result.stdout):
    sys.exit(f"{command[0]} did not print what matches: {expected}")
