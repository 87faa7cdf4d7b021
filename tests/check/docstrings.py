#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the docstring above what is public in include/jessl: what stands at namespace scope, outside detail.

Each concept and each function has one; overloads that follow each other share it. That of a type, a struct or class,
has the fields that a reader looks for, in this order, and "none" is an answer:

    Shapes, Errors, Models, Source

and every line of a field but its first is indented to the field's text, so that none ran into the next. Exempt are
exceptions (their first line says when they are thrown), enumerations and specialisations (jessl::EnumNames<...>). Finding
no type, no concept or no function at all is a finding.

Usage: docstrings.py [folder that holds include/]. Prints one line a finding.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
REQUIRED = ["Shapes", "Errors", "Models", "Source"]
NAMES = "Shapes|Units|Precision|Cost|Randomness|Errors|Models|Source|Differs"
FIELD = re.compile(rf" (?=.{{10}} \S)({NAMES}) +\S")  # its text begins in the twelfth column
RUN_IN = re.compile(rf"\S +({NAMES}) {{4,}}\S")
TYPE = re.compile(r"(?:template <.*> )?(?:struct|class)\s+(?:\[\[\w+\]\]\s+)?(\w+)\b(?!::)(?!<)[^;]*$")
CONCEPT = re.compile(r"concept (\w+)")
FUNCTION = re.compile(r"(?:\[\[\w+\]\] )?(?:(?:inline|constexpr|const|auto|void) )*[\w:]+(?:<.*?>)?[&*]? (\w+)\(")  # not X::f(
TEXT = 12  # columns from /// to a field's text

findings, counts = [], {"types": 0, "concepts": 0, "functions": 0}
for header in sorted((TOP / "include/jessl").rglob("*.hpp")):
    if "detail" in header.relative_to(TOP).parts:
        continue
    inside = []  # the namespaces around a line
    docstring = []
    documented = None  # the function before, if it has a docstring
    for number, line in enumerate(header.read_text().split("\n"), 1):
        where = f"{header.relative_to(TOP)}:{number}"
        if line.startswith("namespace ") and line.endswith("{"):
            inside.append(line.split()[1])
        elif line.startswith("}  // namespace"):
            inside.pop()
        if any("detail" in name for name in inside):
            continue
        if line.startswith("///"):
            text = line[3:]
            in_field = any(FIELD.match(earlier) for earlier in docstring) and text.strip()
            if RUN_IN.search(text) or (in_field and not FIELD.match(text) and not text.startswith(" " * TEXT)):
                findings.append(f"{where}: a field's line is not indented to its text, or two fields stand in one line")
            docstring.append(text)
            continue
        found = TYPE.match(line)
        if found and not found[1].endswith("Error") and inside:
            counts["types"] += 1
            fields = [FIELD.match(text)[1] for text in docstring if FIELD.match(text)]
            missing = [name for name in REQUIRED if name not in fields]
            if not docstring:
                findings.append(f"{where}: {found[1]} has no docstring")
            elif missing:
                findings.append(f"{where}: the docstring of {found[1]} lacks {', '.join(missing)}")
            elif [name for name in fields if name in REQUIRED] != REQUIRED:
                findings.append(f"{where}: the fields of {found[1]} come in another order than {', '.join(REQUIRED)}")
        concept, function = CONCEPT.match(line), FUNCTION.match(line)
        if inside and concept:
            counts["concepts"] += 1
            if not docstring:
                findings.append(f"{where}: the concept {concept[1]} has no docstring")
        elif inside and function and not line.startswith("template "):
            counts["functions"] += 1
            if not docstring and function[1] != documented:
                findings.append(f"{where}: {function[1]}() has no docstring")
            documented = function[1]
        if not line.startswith(("template <", "requires ")):
            docstring = []

findings += [f"include/jessl has no public {kind}; does the pattern that finds them still match?"
             for kind, count in counts.items() if not count]
print("\n".join(findings) or f"{', '.join(f'{count} {kind}' for kind, count in counts.items())} have their docstrings")
sys.exit(bool(findings))
