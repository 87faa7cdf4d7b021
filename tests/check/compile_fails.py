#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the library's messages at compile time: a case must fail to compile and say what its first line promises
(// expect: text), and its twin <name>.ok.cpp must compile.

All cases are compiled at once, each in a namespace of its own, and so are all twins: what they include costs more than
they do. A case with JESSL_OPTIONS, which must stand outside of namespaces, is compiled alone.

Usage: compile_fails.py <compile_commands.json> <file whose flags to use> <case.cpp>...
"""
import pathlib
import re
import sys

from compiler import Compiler

database, like, *cases = (pathlib.Path(a).resolve() for a in sys.argv[1:])
if not cases:
    sys.exit("no case was named: does the pattern that finds them still match?")
compiler = Compiler(database, like)

INCLUDE = re.compile(r"^#include .*$", re.M)
ERROR = re.compile(r"(?:error|static assertion failed): ")


def together(sources):
    """One source text of all of them; the compiler's messages name each one's own file and lines."""
    texts = {source: source.read_text() for source in sources}
    includes = dict.fromkeys(line for text in texts.values() for line in INCLUDE.findall(text))
    parts = list(includes)
    for i, (source, text) in enumerate(texts.items()):
        parts += [f"namespace case_{i} {{", f'#line 1 "{source}"', INCLUDE.sub("", text), "}"]
    return "\n".join(parts) + "\n"


def compile(sources):
    """Compiles the sources in one go; gives the compiler's status and what it wrote."""
    text = together(sources) if len(sources) > 1 else f'#include "{sources[0]}"\n'
    # Definitions say nothing of what is declared, and take a sixth of the time. In a namespace, main() has to return something.
    return compiler.check(text, "-DJESSL_SEPARATE_COMPILATION", "-Wno-return-type")


def errors_of(case, output):
    """The compiler's errors that come from a case: those in its file, and those that its lines led to."""
    found, led_here = [], False
    for line in output.split("\n"):
        led_here |= str(case) in line
        if ERROR.search(line):
            if led_here:
                found.append(line)
            led_here = False
        elif ": note: " in line:
            led_here = False
    return found


def batches(sources):
    alone = [s for s in sources if "JESSL_OPTIONS" in s.read_text()]
    rest = [s for s in sources if s not in alone]
    return ([rest] if rest else []) + [[s] for s in alone]


findings = []
for batch in batches([case.with_suffix(".ok.cpp") for case in cases]):
    status, output = compile(batch)
    if status:
        findings.append(f"these must compile, but do not: {', '.join(map(str, batch))}\n{output}")
for batch in batches(cases):
    _, output = compile(batch)
    for case in batch:
        first = case.read_text().split("\n", 1)[0]
        expected = re.fullmatch(r"// expect: (.+)", first)
        errors = errors_of(case, output)
        if not expected:
            findings.append(f"{case}: its first line must be '// expect: <text of the message>'")
        elif not errors:
            findings.append(f"{case} compiles, but should fail with: {expected[1]}")
        elif not any(expected[1].strip() in error for error in errors):
            findings.append(f"{case} fails, as it should, but does not say: {expected[1]}\n" + "\n".join(errors))
        else:
            print(next(error for error in errors if expected[1].strip() in error))
sys.exit("\n".join(findings) or 0)
