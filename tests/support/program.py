# SPDX-License-Identifier: Apache-2.0
"""A program under test: runs it in a folder, and collects what is not as expected."""
import subprocess
import sys


class Program:
    def __init__(self, *command, folder):
        self.command, self.folder, self.failures = command, folder, []

    def run(self, *arguments, folder=None, environment=None):
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, cwd=folder or self.folder,
                              env=environment)
        return done.returncode, done.stdout, done.stderr

    def succeeds(self, *arguments, **where):
        """What it prints; the test ends where it fails."""
        status, output, errors = self.run(*arguments, **where)
        if status != 0:
            sys.exit(f"{arguments} ended with {status}: {output}{errors}")
        return output

    def expect(self, what, condition):
        if not condition:
            self.failures.append(what)

    def refused(self, code, message, *arguments):
        """It must end with this exit code and say this, in a few lines."""
        status, output, errors = self.run(*arguments)
        if status != code or message not in errors or errors.count("\n") > 6:
            self.failures.append(f"{arguments}: exit code {status}, expected {code} and '{message}':\n{output}{errors}")
