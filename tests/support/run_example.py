#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program and checks that it ends well and prints what it promises: ctest looks at one of the two alone.

Usage: run_example.py <regular expression> <program> [argument...]
"""
import re
import subprocess
import sys

expected, *command = sys.argv[1:]
result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
print(result.stdout)
if result.returncode != 0:
    sys.exit(f"{command[0]} ended with {result.returncode}, expected 0")
if not re.search(expected, result.stdout):
    sys.exit(f"{command[0]} did not print what matches: {expected}")
