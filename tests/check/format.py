#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the sources are as `make format` leaves them. Skipped, and says so, where clang-format 14 (Debian 12's) is
not installed: other releases break some lines elsewhere.

Usage: format.py [top folder]. Prints one line a file.
"""
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
RELEASE = "14"
FOLDERS = ["include", "tests", "examples", "bench"]

program = shutil.which(f"clang-format-{RELEASE}") or shutil.which("clang-format")
told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else "none"
if not re.search(rf"version {RELEASE}\.", told):
    print(f"skipped: this wants clang-format {RELEASE}, found: {told.strip()}")
    sys.exit(0)

files = [p for folder in FOLDERS for ending in ("hpp", "cpp", "cu") for p in sorted((TOP / folder).rglob(f"*.{ending}"))]
if not files:
    sys.exit(f"there is no source in {', '.join(FOLDERS)}")
names = [p.relative_to(TOP).as_posix() for p in files]
done = subprocess.run([program, "--dry-run", *names], cwd=TOP, capture_output=True, text=True)
findings = dict.fromkeys(re.findall(r"^(\S+?):\d+:\d+: warning: code should be clang-formatted", done.stderr, re.M))
if done.returncode:
    findings[done.stderr.strip()] = None

print("\n".join(f"{name}: not formatted; run `make format`" for name in findings) or f"{len(names)} files are formatted")
sys.exit(bool(findings))
