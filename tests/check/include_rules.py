#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a reader of include/jessl may rely on:

  * who includes whom (docs/design.md): a family includes core and itself; train and method may see all;
  * LibTorch enters through core/tensor.hpp alone, and the plain families never reach it;
  * jessl/<family>.hpp includes every header of its family, but for those that need a library which jessl does without, and
    jessl.hpp every family;
  * a header whose definitions can be read apart (JESSL_DEFINITIONS) includes core/detail/separate.hpp, and base_source.hpp,
    torch_source.hpp or umap_source.hpp reaches it;
  * each header opens with its SPDX line, a sentence that says what it is, and #pragma once;
  * errors are thrown by core/error.hpp, and nothing ends the process.

Usage: include_rules.py [folder that holds include/ and tests/]. Prints one line a finding.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
ROOT = TOP / "include" / "jessl"

PLAIN = {"core", "data", "augment", "eval"}
STAGES = PLAIN | {"backbone", "projector", "loss", "optim", "distributed", "io"}
COMPOSERS = {"train", "method"}  # they put the stages together, so they may include them all

# LibTorch headers that may be named outside core/tensor.hpp: few need them.
TORCH_DOOR = "core/tensor.hpp"
TORCH_ALSO = {
    "core/autocast.hpp": {"ATen/autocast_mode.h", "ATen/cuda/CUDAContext.h"},
    "io/": {"torch/serialize.h", "torch/csrc/jit/serialization/pickler.h", "torch/csrc/jit/serialization/unpickler.h",
            "torch/csrc/jit/serialization/pickle.h", "torch/csrc/jit/serialization/storage_context.h",
            "caffe2/serialize/inline_container.h"},
    "distributed/": {"torch/csrc/distributed/"},
    "": {"ATen/Parallel.h", "ATen/CPUGeneratorImpl.h"},
}
TORCH_PREFIXES = ("torch/", "ATen/", "c10/", "caffe2/")

# Where definitions that are read apart are compiled, and what says so, which is read more than once.
SOURCES = {"base_source.hpp", "torch_source.hpp", "umap_source.hpp"}
SEPARATE = "core/detail/separate.hpp"

# A family header lists the public policies; these are part of a family without being policies.
PRIVATE = re.compile(r"(^|/)detail/")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)

findings = []


def complain(header, text):
    findings.append(f"include/jessl/{header}: {text}")


def without_comments(text):
    """The code alone: comments and the insides of string literals are blanked."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: '""' if m[0].startswith(('"', "R")) else " ", text, flags=re.S)


headers = {p.relative_to(ROOT).as_posix(): p.read_text() for p in sorted(ROOT.rglob("*.hpp"))}
includes = {name: INCLUDE.findall(text) for name, text in headers.items()}


def listed(file):
    """The headers that a file of tests/check names."""
    lines = (TOP / "tests/check" / file).read_text().split("\n")
    return {line for line in lines if line and not line.startswith("#")}


torch_headers = listed("torch_headers.txt")
plain_headers = listed("plain_headers.txt")
optional_headers = listed("optional_headers.txt")


def family(name):
    """core for core/error.hpp and for core.hpp; none for jessl.hpp."""
    first = name.split("/")[0].removesuffix(".hpp")
    return None if first == "jessl" else first


def inner(name):
    """The jessl headers that a header includes, as paths below include/jessl."""
    return [i.removeprefix("jessl/") for i in includes[name] if i.startswith("jessl/")]


def reaches(name, seen=None):
    """Everything in include/jessl that a header brings in."""
    seen = set() if seen is None else seen
    for other in inner(name):
        if other in headers and other not in seen:
            seen.add(other)
            reaches(other, seen)
    return seen


defined = set().union(*(reaches(name) for name in SOURCES & headers.keys()))

if not headers:
    sys.exit(f"there is no header in {ROOT}")

for name, text in headers.items():
    own = None if name in SOURCES else family(name)

    if own is not None and own not in STAGES | COMPOSERS:
        complain(name, f"'{own}' is no family; a new family starts with a paragraph in docs/design.md")
    for other in inner(name):
        if other not in headers:
            complain(name, f"includes jessl/{other}, which does not exist")
        elif own in STAGES and family(other) not in (own, "core"):
            complain(name, f"includes jessl/{other}; the family {own} may include core and itself only")
        if (other == "jessl.hpp" and name not in SOURCES) or (other.count("/") == 0 and own is not None and "/" in name and own not in COMPOSERS):
            complain(name, f"includes all of jessl/{other}; include the header that is needed")
    for include in includes[name]:
        if include.startswith(TORCH_PREFIXES) and name != TORCH_DOOR:
            allowed = {header for place, some in TORCH_ALSO.items() if name.startswith(place) for header in some}
            if not any(include == a or (a.endswith("/") and include.startswith(a)) for a in allowed):
                complain(name, f"includes <{include}>; LibTorch is included in {TORCH_DOOR} only")
    if (own in PLAIN and "/" in name and name not in torch_headers) or name in plain_headers:
        if TORCH_DOOR in reaches(name) | {name}:
            complain(name, "reaches core/tensor.hpp; it is to be plain C++, as its family or by tests/check/plain_headers.txt "
                           "(torch_headers.txt lists exceptions)")
    if '#include "' in text:
        complain(name, 'includes with quotes; write #include <jessl/...>')

    lines = text.split("\n") + ["", "", ""]
    if lines[0] != "// SPDX-License-Identifier: Apache-2.0":
        complain(name, "does not begin with the line // SPDX-License-Identifier: Apache-2.0")
    if not re.match(r"// \S.*", lines[1]):
        complain(name, "its second line is no sentence that says what the header is")
    if "#pragma once" not in lines and name != SEPARATE:
        complain(name, "has no #pragma once")

    code = without_comments(text)
    if name != SEPARATE and re.search(r"\bJESSL_(DEFINITIONS|INSTANTIATE)\b", code):
        if f"jessl/{SEPARATE}" not in includes[name]:
            complain(name, f"does not include jessl/{SEPARATE}")
        if name not in defined:
            complain(name, "has definitions that none of base_source.hpp, torch_source.hpp and umap_source.hpp reaches")
    if name != "core/error.hpp":
        for match in re.finditer(r"\bthrow\b(?!\s*;)", code):  # `throw;` hands on what was caught
            complain(name, f"line {code[:match.start()].count(chr(10)) + 1}: bare throw; use jessl::fail or JESSL_CHECK")
    for match in re.finditer(r"\b(?:std::)?(abort|exit|_Exit|quick_exit|terminate)\s*\(", code):
        complain(name, f"{match[1]}() ends the process; report an error instead")

for name in headers:
    own = family(name)
    if own is None or name in SOURCES or PRIVATE.search(name):
        continue
    if "/" not in name:
        if "jessl.hpp" in headers and name not in inner("jessl.hpp"):
            complain("jessl.hpp", f"does not include jessl/{name}")
    elif f"{own}.hpp" in headers:
        # What core has of LibTorch is left out of the family header, so that core.hpp stays plain.
        reached = name in reaches(f"{own}.hpp")
        if name in optional_headers:
            if reached:
                complain(f"{own}.hpp", f"reaches jessl/{name}, which needs a library that not everybody has "
                                       "(tests/check/optional_headers.txt)")
        elif not reached and not (own in PLAIN and name in torch_headers):
            complain(f"{own}.hpp", f"does not include jessl/{name}")
    elif "jessl.hpp" in headers and own != "core":
        complain(f"{own}.hpp", "is missing; it includes the family and lists its policies")

for file, names in (("torch_headers.txt", torch_headers), ("plain_headers.txt", plain_headers),
                    ("optional_headers.txt", optional_headers)):
    findings += [f"tests/check/{file}: there is no include/jessl/{name}" for name in names - headers.keys()]

print("\n".join(dict.fromkeys(findings)) or f"{len(headers)} headers keep the rules")
sys.exit(bool(findings))
