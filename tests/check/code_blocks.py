#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the code blocks of README.md and docs/ with the compiled sources that they were copied from.

A marked block names its source, and for a part of it the region:

    <!-- code: examples/00_quickstart.cpp -->            the whole file, less its head comment
    <!-- code: tests/loss/nt_xent_test.cpp [example] -->  from the line // [example] to the line // [/example]
    ```cpp
    ...
    ```

Usage: code_blocks.py [--write] [top folder]. --write copies the sources into the blocks. A block of C++ without a mark
is a finding: nobody would notice when it stops compiling.
"""
import pathlib
import re
import sys
import textwrap

arguments = [a for a in sys.argv[1:] if a != "--write"]
write = "--write" in sys.argv
TOP = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parents[2]).resolve()

# ```cpp after an optional mark; the mark's line may be indented, as in a list.
BLOCK = re.compile(
    r"(?:^[ \t]*<!-- code: (?P<file>\S+)(?: \[(?P<region>[^\]]+)\])? -->\n)?"
    r"^(?P<indent>[ \t]*)```cpp\n(?P<code>.*?)^[ \t]*```$", re.M | re.S)

findings = []
blocks = 0


def source(file, region):
    """The text that a block must have, or None with a finding."""
    path = TOP / file
    if not path.is_file():
        return None, f"there is no {file}"
    text = path.read_text()
    if not region:
        return re.sub(r"\A(?://[^\n]*\n)+\n*", "", text), ""
    match = re.search(rf"^[ \t]*// \[{re.escape(region)}\]\n(.*?)^[ \t]*// \[/{re.escape(region)}\]$", text, re.M | re.S)
    if not match:
        return None, f"{file} has no region // [{region}] ... // [/{region}]"
    return textwrap.dedent(match[1]), ""


def check(page, match):
    global blocks
    blocks += 1
    where = f"{page.relative_to(TOP)}:{page_text[:match.start('code')].count(chr(10))}"
    if not match["file"]:
        findings.append(f"{where}: a block of C++ without <!-- code: file [region] --> above it")
        return match[0]
    wanted, problem = source(match["file"], match["region"])
    if wanted is None:
        findings.append(f"{where}: {problem}")
        return match[0]
    wanted = textwrap.indent(wanted, match["indent"])
    if wanted == match["code"]:
        return match[0]
    if not write:
        findings.append(f"{where}: differs from {match['file']}; `make docs` copies it")
    start, end = match.start("code") - match.start(), match.end("code") - match.start()
    return match[0][:start] + wanted + match[0][end:]


for page in sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]):
    page_text = page.read_text()
    updated = BLOCK.sub(lambda m: check(page, m), page_text)
    if write and updated != page_text:
        page.write_text(updated)
        print(f"wrote {page.relative_to(TOP)}")

if not blocks:
    findings.append("there is no block of C++ in the documentation")
print("\n".join(findings) or f"{blocks} code blocks are equal to their sources")
sys.exit(bool(findings))
