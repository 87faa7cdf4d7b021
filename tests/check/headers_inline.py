#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the object of a program's one source defines no symbol, but main, that another source with the same headers
would define again.

Functions and variables that are inline, and what templates instantiate to, are weak symbols or unique ones, of which a
linker keeps one. Any other symbol that the linker sees is a header's function or variable that is not inline.

Usage: headers_inline.py <nm> <object>
"""
import subprocess
import sys

nm, made = sys.argv[1:3]
listed = subprocess.run([nm, "--extern-only", "--defined-only", "--demangle", made], capture_output=True, text=True, check=True)
symbols = [line.split(maxsplit=2)[1:] for line in listed.stdout.splitlines()]
if not symbols:
    sys.exit(f"{made} defines nothing: was it compiled?")
findings = [f"a header defines {name}, which is not inline" for kind, name in symbols if kind not in "WVu" and name != "main"]
sys.exit("\n".join(findings) or print(f"{len(symbols)} symbols, each of which other sources may define, too"))
