#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program and checks that it ends well and prints what it promises: ctest looks at one of the two alone. With
--seconds it is stopped after so many seconds, if it still runs and has printed that.

Usage: run_example.py [--seconds <number>] <regular expression> <program> [argument...]
"""
import re
import subprocess
import sys

seconds = float(sys.argv[2]) if sys.argv[1] == "--seconds" else None
expected, *command = sys.argv[3 if seconds else 1:]
if seconds:
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.kill()
    printed = running.communicate()[0]
    print(printed)
    if running.returncode not in (0, -9):
        sys.exit(f"{command[0]} ended with {running.returncode}, expected 0, or that it still runs")
    sys.exit(None if re.search(expected, printed) else f"{command[0]} did not print what matches: {expected}")
result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
print(result.stdout)
if result.returncode != 0:
    sys.exit(f"{command[0]} ended with {result.returncode}, expected 0")
if not re.search(expected, result.stdout):
    sys.exit(f"{command[0]} did not print what matches: {expected}")
