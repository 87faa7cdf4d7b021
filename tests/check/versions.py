#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the version is the same wherever it is written out: in core/version.hpp, as numbers and as a text, and in
the manifests of vcpkg, which cannot read it from there. (CMake and conanfile.py do.)

Usage: versions.py [top folder]. Prints one line a finding.
"""
import json
import pathlib
import re
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
HEADER = "include/jessl/core/version.hpp"
MANIFESTS = ["vcpkg.json", "packaging/vcpkg/ports/jessl/vcpkg.json"]

text = (TOP / HEADER).read_text()
version = ".".join(re.findall(r"#define JESSL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))
findings = []
if f'version = "{version}"' not in text:
    findings.append(f"{HEADER}: the text `version` is not that of the macros, {version}")
for manifest in MANIFESTS:
    found = json.loads((TOP / manifest).read_text()).get("version")
    if found != version:
        findings.append(f"{manifest}: the version is {found}, that of {HEADER} is {version}")

print("\n".join(findings) or f"version {version} in {HEADER} and {len(MANIFESTS)} manifests")
sys.exit(bool(findings))
