# SPDX-License-Identifier: Apache-2.0
"""The compiler as the build calls it, for checks of what compiles and what does not."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile


class Compiler:
    """Compiles texts with the flags that the build uses for the file `like`."""

    def __init__(self, database, like):
        entries = json.loads(database.read_text())
        entry = next((e for e in entries if pathlib.Path(e["file"]).resolve() == like), None)
        if entry is None:
            sys.exit(f"{database} does not know {like}")
        command = shlex.split(entry["command"])
        self.command = command[:command.index("-o")]  # what follows names the object and the source
        self.folder = entry["directory"]

    def check(self, text, *flags):
        """The compiler's status for a source of that text, and what it wrote; no object is made."""
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
            file.write(text)
            file.flush()
            command = [*self.command, *flags, "-fsyntax-only", "-fdiagnostics-color=never", file.name]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        return done.returncode, done.stderr
