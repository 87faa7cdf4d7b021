#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the documentation: README.md and the other pages beside it, and docs/.

Code blocks are equal to the compiled sources that they were copied from. A marked block names its source, and for a part of it the region:

    <!-- code: examples/00_quickstart.cpp -->            the whole file, less its head comment
    <!-- code: tests/loss/nt_xent_test.cpp [example] -->  from the line // [example] to the line // [/example]
    ```cpp
    ...
    ```

A block of C++ without a mark is a finding: nobody would notice when it stops compiling.

Links lead to a file that is there, and to a heading that is there. README.md leads to docs/README.md, the index, and that to
every page, in as many steps as it takes. The README.md of a folder links to all pages beside it; a mark in the index,

    <!-- pages: loss -->

stands above a list of them, in that page's order.

Usage: code_blocks.py [--write] [top folder]. --write copies the sources into the blocks and the pages into the lists.
"""
import os
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

LIST = re.compile(r"^(?P<mark><!-- pages: (?P<folder>\S+) -->\n)(?P<pages>(?:[^\n]+\n)*)", re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
CODE = re.compile(r"^[ \t]*```.*?^[ \t]*```$|`[^`\n]*`", re.M | re.S)

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


def links(page):
    """The targets of a page's links, but for those that lead to other places: (path, heading)."""
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", target):
            path, _, heading = target.partition("#")
            yield (page.parent / path).resolve() if path else page, heading


def anchors(page):
    """The headings of a page as links name them."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_list(page, match):
    folder = page.parent / match["folder"]
    first = folder / "README.md"
    if not first.is_file():
        findings.append(f"{page.relative_to(TOP)}: there is no {first.relative_to(TOP)}, whose pages are to be listed")
        return match[0]
    listed = dict.fromkeys(target for target, _ in links(first) if target.parent == folder and target != first and target.is_file())
    entries = [f"[{target.read_text().split(chr(10))[0].removeprefix('# ')}]({target.relative_to(page.parent)})" for target in listed]
    wanted = textwrap.fill(", ".join(entries), 160, break_long_words=False, break_on_hyphens=False) + "\n"
    if wanted != match["pages"] and not write:
        findings.append(f"{page.relative_to(TOP)}: the list of {match['folder']} is not that of {first.relative_to(TOP)}; `make docs` copies it")
    return match["mark"] + wanted


pages = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
for page in pages:
    page_text = page.read_text()
    updated = LIST.sub(lambda m: check_list(page, m), BLOCK.sub(lambda m: check(page, m), page_text))
    if write and updated != page_text:
        page.write_text(updated)
        print(f"wrote {page.relative_to(TOP)}")

count = 0
for page in pages:
    for target, heading in links(page):
        count += 1
        where = page.relative_to(TOP)
        if not target.exists() or not target.is_relative_to(TOP):
            findings.append(f"{where}: links to {os.path.relpath(target, page.parent)}, which is not there")
        elif heading and heading not in anchors(target):
            findings.append(f"{where}: links to #{heading}, which is no heading of {target.relative_to(TOP)}")

INDEX = TOP / "docs/README.md"
if (TOP / "docs").is_dir():
    if TOP / "README.md" in pages and INDEX not in {target for target, _ in links(TOP / "README.md")}:
        findings.append("README.md does not link to docs/README.md")
    reached, ahead = set(), [INDEX]
    while ahead:
        page = ahead.pop()
        if page in pages and page not in reached:
            reached.add(page)
            ahead += [target for target, _ in links(page) if target.is_relative_to(TOP / "docs")]
    for page in pages:
        first = page.parent / "README.md"
        if page.is_relative_to(TOP / "docs") and page not in reached:
            findings.append(f"{page.relative_to(TOP)}: no link leads here from docs/README.md")
        elif page != first and page.parent.parent == TOP / "docs" and first in pages and page not in {target for target, _ in links(first)}:
            findings.append(f"{page.relative_to(TOP)}: {first.relative_to(TOP)} does not link to it")

if not blocks:
    findings.append("there is no block of C++ in the documentation")
print("\n".join(findings) or f"{blocks} code blocks are equal to their sources, {count} links lead somewhere")
sys.exit(bool(findings))
