#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each message of a static_assert in include/jessl is proved by a case in tests/fail: one whose first line,
// expect: text, is a part of the message. An assertion without text is for a library's own facts, at namespace scope.

Usage: messages.py [folder that holds include/ and tests/]. Prints one line a finding.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()


def assertions(text):
    """Each static_assert of a source text: its line, indentation, text, and message (adjacent literals
    joined) or None."""
    text = re.sub(r"//[^\n]*", "", text)
    for match in re.finditer(r"(^|\n)?([ \t]*)\bstatic_assert\s*\(", text):
        depth, end, quoted = 1, match.end(), False
        while depth:  # to the closing parenthesis, over those inside string literals
            c = text[end]
            if quoted and c == "\\":
                end += 1
            elif c == '"':
                quoted = not quoted
            elif not quoted:
                depth += (c == "(") - (c == ")")
            end += 1
        message = re.search(r',\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)$', text[match.end():end])
        joined = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', message[1])) if message else None
        yield text[:match.end()].count("\n") + 1, len(match[2]), text[match.end():end], joined


cases = {}
for case in sorted((TOP / "tests/fail").glob("*.cpp")):
    if not case.name.endswith(".ok.cpp"):
        first = case.read_text().split("\n", 1)[0]
        cases[case.name] = first.removeprefix("// expect: ").strip() if first.startswith("// expect: ") else None

findings, count = [], 0
for header in sorted((TOP / "include/jessl").rglob("*.hpp")):
    if "detail" in header.parts:  # a header for nobody else explains itself to its author
        continue
    for line, indent, condition, message in assertions(header.read_text()):
        where = f"{header.relative_to(TOP)}:{line}"
        if message is None:
            if indent:
                findings.append(f"{where}: static_assert without a text")
            continue
        if "std::endian" in condition:  # about the machine: there is no failing case to write
            continue
        count += 1
        if not any(expected and expected in message for expected in cases.values()):
            findings.append(f"{where}: no case in tests/fail expects: {message}")
for name, expected in cases.items():
    if expected is None:
        findings.append(f"tests/fail/{name}: its first line must be '// expect: <text of the message>'")
    if not (TOP / "tests/fail" / name.replace(".cpp", ".ok.cpp")).exists():
        findings.append(f"tests/fail/{name}: has no twin {name.replace('.cpp', '.ok.cpp')} that compiles")

if not count:
    findings.append("there is no static_assert with a text in include/jessl")
print("\n".join(findings) or f"{count} messages, {len(cases)} failing cases")
sys.exit(bool(findings))
