#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the checks: each must find the faults planted in a small tree, and nothing in the same tree without them."""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SPDX = "// SPDX-License-Identifier: Apache-2.0\n// Says what it is.\n#pragma once\n"

FIELDS = "/// A thing.\n///\n/// Shapes     none\n/// Errors     none, of\n///            any kind\n/// Models     none\n/// Source     none\n"
INSIDE = ("namespace jessl {\n%sstruct Thing {\n};\n\n/// A role.\ntemplate <class T>\nconcept Role = true;\n\n"
          "/// Does it.\n[[nodiscard]] inline int work(int a) {\n  return a;\n}\n}  // namespace jessl\n")
VERSION = "#define JESSL_VERSION_MAJOR 1\n#define JESSL_VERSION_MINOR 2\n#define JESSL_VERSION_PATCH 3\nversion = \"1.2.3\";\n"

GOOD = {
    ".clang-format": "DisableFormat: true\n",
    "include/jessl/core/thing.hpp": SPDX + INSIDE % FIELDS,
    "include/jessl/core/version.hpp": SPDX + VERSION,
    "vcpkg.json": '{"version": "1.2.3"}',
    "packaging/vcpkg/ports/jessl/vcpkg.json": '{"version": "1.2.3"}',
    "include/jessl/jessl.hpp": SPDX + "#include <jessl/loss.hpp>\n#include <jessl/data.hpp>\n",
    "include/jessl/core/error.hpp": SPDX + "void fail() { throw 1; }\n",
    "include/jessl/core/tensor.hpp": SPDX + "#include <torch/torch.h>\n",
    "include/jessl/loss.hpp": SPDX + "#include <jessl/loss/a.hpp>\n",
    "include/jessl/loss/a.hpp": SPDX + '#include <jessl/core/tensor.hpp>\nstatic_assert(f(1, ")"), "no " "luck");\n',
    "include/jessl/data.hpp": SPDX + "#include <jessl/data/d.hpp>\n",
    "include/jessl/data/d.hpp": SPDX + "#include <jessl/core/error.hpp>\n// a comment may say throw\n",
    "tests/check/torch_headers.txt": "core/tensor.hpp\n",
    "tests/check/plain_headers.txt": "# none\n",
    "tests/check/optional_headers.txt": "# none\n",
    "tests/fail/a.cpp": "// expect: no luck\n",
    "tests/fail/a.ok.cpp": "\n",
    "examples/e.cpp": "// Head.\n\nint a;\n// [part]\n  int b;\n// [/part]\n",
    "README.md": "<!-- code: examples/e.cpp [part] -->\n```cpp\nint b;\n```\n[all](docs/README.md#all-pages) `[](no.link)`\n",
    "docs/README.md": "# All pages\n[losses](loss/README.md)\n\n<!-- pages: loss -->\n[loss::A](loss/a.md)\n",
    "docs/loss/README.md": "# Losses\n[a](a.md), [elsewhere](https://example.org)\n",
    "docs/loss/a.md": "# loss::A\n[back](README.md)\n",
}

# (script, file, its text with a fault, a part of the finding)
FAULTS = [
    ("include_rules.py", "include/jessl/loss/a.hpp", SPDX + "#include <jessl/data/d.hpp>\n", "may include core and itself only"),
    ("include_rules.py", "include/jessl/loss/a.hpp", SPDX + "#include <torch/torch.h>\n", "in core/tensor.hpp only"),
    ("include_rules.py", "include/jessl/data/d.hpp", SPDX + "#include <jessl/core/tensor.hpp>\n", "reaches core/tensor.hpp"),
    ("include_rules.py", "tests/check/plain_headers.txt", "loss/a.hpp\n", "loss/a.hpp: reaches core/tensor.hpp"),
    ("include_rules.py", "tests/check/plain_headers.txt", "loss/b.hpp\n", "plain_headers.txt: there is no include/jessl/loss/b.hpp"),
    ("include_rules.py", "tests/check/optional_headers.txt", "loss/b.hpp\n", "optional_headers.txt: there is no include/jessl/loss/b.hpp"),
    ("include_rules.py", "tests/check/optional_headers.txt", "loss/a.hpp\n", "reaches jessl/loss/a.hpp, which needs a library"),
    ("include_rules.py", "include/jessl/data/d.hpp", SPDX + "void f() { throw 1; }\n", "line 4: bare throw"),
    ("include_rules.py", "include/jessl/data/d.hpp", SPDX + "void f() { std::abort(); }\n", "abort() ends the process"),
    ("include_rules.py", "include/jessl/data/d.hpp", SPDX + "#include <jessl/core/none.hpp>\n", "does not exist"),
    ("include_rules.py", "include/jessl/data/d.hpp", "#pragma once\n", "SPDX"),
    ("include_rules.py", "include/jessl/loss/b.hpp", SPDX, "does not include jessl/loss/b.hpp"),
    ("include_rules.py", "include/jessl/jessl.hpp", SPDX + "#include <jessl/loss.hpp>\n", "does not include jessl/data.hpp"),
    ("include_rules.py", "include/jessl/core/thing.hpp", SPDX + "#if JESSL_DEFINITIONS\n#endif\n", "thing.hpp: does not include jessl/core/detail/separate.hpp"),
    ("include_rules.py", "include/jessl/core/thing.hpp", SPDX + "JESSL_INSTANTIATE(class A<B>);\n", "thing.hpp: has definitions that none"),
    ("include_rules.py", "include/jessl/misc/x.hpp", SPDX, "'misc' is no family"),
    ("messages.py", "tests/fail/a.cpp", "// expect: other\n", "no case in tests/fail expects: no luck"),
    ("messages.py", "tests/fail/b.cpp", "// expect: no\n", "has no twin"),
    ("messages.py", "include/jessl/loss/a.hpp", "void f() {\n  static_assert(true);\n}\n", "a.hpp:2: static_assert without a text"),
    ("code_blocks.py", "examples/e.cpp", "// [part]\nint c;\n// [/part]\n", "README.md:2: differs from examples/e.cpp"),
    ("code_blocks.py", "README.md", "```cpp\nint b;\n```\n", "without <!-- code"),
    ("code_blocks.py", "README.md", "<!-- code: examples/e.cpp [part] -->\n```cpp\nint b;\n```\n", "README.md does not link to docs/README.md"),
    ("code_blocks.py", "docs/loss/a.md", "# loss::A\n[b](b.md)\n", "docs/loss/a.md: links to b.md, which is not there"),
    ("code_blocks.py", "docs/loss/a.md", "# loss::A\n[b](README.md#a)\n", "a.md: links to #a, which is no heading of docs/loss/README.md"),
    ("code_blocks.py", "docs/lost.md", "# Lost\n", "docs/lost.md: no link leads here from docs/README.md"),
    ("code_blocks.py", "docs/loss/README.md", "# Losses\n", "docs/loss/a.md: docs/loss/README.md does not link to it"),
    ("code_blocks.py", "docs/loss/a.md", "# loss::Other\n", "docs/README.md: the list of loss is not that of docs/loss/README.md"),
    ("code_blocks.py", "docs/README.md", "[a](loss/a.md)\n\n<!-- pages: none -->\n", "there is no docs/none/README.md"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE % "", "thing.hpp:5: Thing has no docstring"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE % FIELDS.replace("/// Models     none\n", ""), "lacks Models"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE % FIELDS.replace("Shapes", "Source"), "lacks Shapes"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE % FIELDS.replace("kind\n/// Models", "kind Models"), "two fields"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE % FIELDS.replace("           any", "any"), "not indented"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE.replace("/// A role.\n", "") % FIELDS, "the concept Role has no docstring"),
    ("docstrings.py", "include/jessl/core/thing.hpp", SPDX + INSIDE.replace("/// Does it.\n", "") % FIELDS, "work() has no docstring"),
    ("versions.py", "vcpkg.json", '{"version": "1.2.4"}', "vcpkg.json: the version is 1.2.4, that of"),
    ("versions.py", "include/jessl/core/version.hpp", SPDX + VERSION.replace('"1.2.3"', '"1.2.2"'), "is not that of the macros, 1.2.3"),
    ("format.py", ".clang-format", "BasedOnStyle: Google\n", "include/jessl/loss/a.hpp: not formatted"),
    ("std_includes.py", "include/jessl/data/d.hpp", SPDX + "#include <map>\nstd::vector<int> a;\n", "d.hpp:5: std::vector needs #include <vector>"),
    ("std_includes.py", "include/jessl/data/d.hpp", SPDX + "std::no_such_thing a;\n", "std::no_such_thing is in no header"),
    ("std_includes.py", "include/jessl/data/d.hpp", SPDX + "Eigen::Index i;\n", "Eigen:: needs an #include <Eigen/...>"),
    ("code_blocks.py", "README.md", "<!-- code: examples/e.cpp [gone] -->\n```cpp\n```\n", "no region"),
]

# (script, the files that are taken away, a part of the finding): what looks at nothing must not pass
EMPTY = [
    ("include_rules.py", "include/jessl/", "there is no header in"),
    ("docstrings.py", "include/jessl/core/thing.hpp", "include/jessl has no public types"),
    ("messages.py", "include/jessl/loss", "there is no static_assert with a text"),
    ("std_includes.py", "include/jessl/", "there is no header in"),
    ("code_blocks.py", "README.md", "there is no block of C++"),
    ("format.py", ("include", "tests", "examples"), "there is no source in"),
]


def run(script, changes, *options, without=()):
    with tempfile.TemporaryDirectory() as top:
        for name, text in {**GOOD, **changes}.items():
            if without and name.startswith(without):
                continue
            path = pathlib.Path(top, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, HERE / script, *options, top], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr, pathlib.Path(top, "README.md").read_text() if not without else ""


wrong, skipped = [], []
for script in sorted({fault[0] for fault in FAULTS}):
    status, output, _ = run(script, {})
    if output.startswith("skipped: "):
        skipped.append(script)
    if status:
        wrong.append(f"{script} finds fault with a tree that has none: {output}")
for script, name, text, finding in FAULTS:
    if script in skipped:
        continue
    status, output, _ = run(script, {name: text})
    if status == 0 or finding not in output:
        wrong.append(f"{script} should find '{finding}', but says: {output}")
for script, without, finding in EMPTY:
    if script in skipped:
        continue
    status, output, _ = run(script, {}, without=without)
    if status == 0 or finding not in output:
        wrong.append(f"{script} should find '{finding}', but says: {output}")
_, _, written = run("code_blocks.py", {"examples/e.cpp": "// [part]\nint c;\n// [/part]\n"}, "--write")
if written != GOOD["README.md"].replace("int b", "int c"):
    wrong.append(f"code_blocks.py --write wrote: {written}")

with tempfile.TemporaryDirectory() as top:
    source, database = pathlib.Path(top, "source.cpp").resolve(), pathlib.Path(top, "database.json")
    database.write_text(json.dumps([{"directory": top, "file": str(source), "command": f"c++ -std=c++20 -I{top} -o x -c {source}"}]))
    pathlib.Path(top, "good.hpp").write_text("#include <vector>\ninline std::vector<int> a;\n")
    pathlib.Path(top, "jessl").mkdir()
    pathlib.Path(top, "jessl/bad.hpp").write_text("inline std::vector<int> b;\n")
    pathlib.Path(top, "jessl/hides.hpp").write_text("#include <vector>\n#include <jessl/bad.hpp>\n")
    pathlib.Path(top, "jessl/first.hpp").write_text("#pragma once\ninline int c;\n")
    pathlib.Path(top, "jessl/second.hpp").write_text("#include <jessl/first.hpp>\ninline int d = c;\n")
    for tried, finding in [(["good.hpp"], "1 headers compile alone, in 1 sources"), (["jessl/bad.hpp"], "one of jessl/bad.hpp does not compile"),
                           (["jessl/hides.hpp", "jessl/bad.hpp"], "one of jessl/bad.hpp, jessl/hides.hpp does not compile alone"),
                           (["jessl/second.hpp", "good.hpp", "jessl/first.hpp"], "3 headers compile alone, in 2 sources")]:
        done = subprocess.run([sys.executable, HERE / "headers_alone.py", database, source, top, *tried], capture_output=True, text=True)
        if finding not in done.stdout + done.stderr or (done.returncode == 0) != ("headers compile alone" in finding):
            wrong.append(f"headers_alone.py should say '{finding}', but says: {done.stdout}{done.stderr}")

    for text, finding in [("inline int a() { return 1; }\nauto kept = &a;\n", "a header defines kept"), ("int b() { return 1; }\n", "a header defines b()"),
                          ("template <class T> T c() { return 1; }\nstatic auto kept = c<int>();\n", "1 symbols"), ("", "defines nothing")]:
        source.write_text(text)
        subprocess.run(["c++", "-std=c++20", "-c", "-o", source.with_suffix(".o"), source], check=True)
        done = subprocess.run([sys.executable, HERE / "headers_inline.py", "nm", source.with_suffix(".o")], capture_output=True, text=True)
        if finding not in done.stdout + done.stderr or (done.returncode == 0) != (finding == "1 symbols"):
            wrong.append(f"headers_inline.py should say '{finding}', but says: {done.stdout}{done.stderr}")

    for script in ["headers_alone.py", "compile_fails.py"]:
        done = subprocess.run([sys.executable, HERE / script, database, source, *([top] if script == "headers_alone.py" else [])],
                              capture_output=True, text=True)
        if done.returncode == 0 or "was named" not in done.stderr:
            wrong.append(f"{script} should find that it was given nothing, but says: {done.stdout}{done.stderr}")

left_out = f"; not tried, because they skip here: {', '.join(skipped)}" if skipped else ""
print("\n".join(wrong) or f"{sum(fault[0] not in skipped for fault in FAULTS + EMPTY)} planted faults were found{left_out}")
sys.exit(bool(wrong))
