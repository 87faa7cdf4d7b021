#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each header compiles as the only line of a source file.

With LibTorch, a compiler spends most of its time after the last line of a source, on templates that LibTorch's headers
left to instantiate. So each source ends with an assertion that fails and ends the compiler there: a header is sound
when that is the only error. What templates instantiate to is the matter of the tests.

Usage: headers_alone.py <compile_commands.json> <file whose flags to use> <header as it is included>...
"""
import concurrent.futures
import os
import pathlib
import sys

from compiler import Compiler

END = "the end of the source"

database, like = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
headers = sys.argv[3:]
compiler = Compiler(database, like)


def finding(header):
    """What is wrong with a header, or nothing."""
    _, output = compiler.check(f'#include <{header}>\nstatic_assert(false, "{END}");\n', "-Wfatal-errors")
    return None if f"static assertion failed: {END}" in output else f"{header} does not compile alone:\n{output}"


with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    findings = [text for text in pool.map(finding, headers) if text]
if not headers:
    sys.exit("no header was named: does the pattern that finds them still match?")
sys.exit("\n".join(findings) or print(f"{len(headers)} headers compile alone"))
