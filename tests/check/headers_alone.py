#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each header compiles without another before it.

With LibTorch, a compiler spends most of its time after the last line of a source, on templates that LibTorch's headers
left to instantiate. So each source ends with an assertion that fails and ends the compiler there: a header is sound
when that is the only error. What templates instantiate to is the matter of the tests.

A source may have several headers, each of which includes the one before, perhaps by others: what stands before a header then
is what it includes anyway, and hides nothing that it lacks.

Usage: headers_alone.py <compile_commands.json> <file whose flags to use> <folder of headers> <header as it is included>...
"""
import concurrent.futures
import functools
import os
import pathlib
import re
import sys

from compiler import Compiler

END = "the end of the source"

database, like, include = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
headers = sys.argv[4:]
compiler = Compiler(database, like)


@functools.cache
def reached(header):
    """All of jessl's headers that a header includes, itself or by others."""
    direct = re.findall(r"^#include <(jessl/[^>]+)>", (include / header).read_text(), re.M)
    return frozenset(direct).union(*map(reached, direct))


def chains():
    """The headers in rows, each header of which reaches the one before."""
    left = sorted(headers, key=lambda header: (len(reached(header)), header))
    while left:
        row = [left.pop()]
        while following := [header for header in left if header in reached(row[-1])]:
            row.append(following[-1])
            left.remove(following[-1])
        yield row[::-1]


def finding(row):
    """What is wrong with the headers of a row, or nothing."""
    text = "".join(f"#include <{header}>\n" for header in row)
    _, output = compiler.check(f'{text}static_assert(false, "{END}");\n', "-Wfatal-errors")
    return None if f"static assertion failed: {END}" in output else f"one of {', '.join(row)} does not compile alone:\n{output}"


rows = sorted(chains(), key=len, reverse=True)
with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    findings = [text for text in pool.map(finding, rows) if text]
if not headers:
    sys.exit("no header was named: does the pattern that finds them still match?")
sys.exit("\n".join(findings) or print(f"{len(headers)} headers compile alone, in {len(rows)} sources"))
