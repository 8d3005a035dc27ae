# SPDX-License-Identifier: GPL-2.0-only
"""What one guest prints, in the machines that it runs in one after the other."""

import re
from itertools import pairwise
from typing import NamedTuple

from util import Failure, OutOfTime, wait_until

WORK_TIMEOUT = 120

START = re.compile(r"^(engines started: \d+|GPU started)$")
RESET = ("engine was reset", "GPU was reset")
REPORT = re.compile(r"^sequence (\d+) ok, memory pass (\d+) ok$")


class Report(NamedTuple):
    """What the guest said in one line: all was right up to here."""

    sequence: int
    memory_pass: int


def check_order(reports):
    """Numbers grow while nobody resets anything."""
    for earlier, later in pairwise(reports):
        if later.sequence <= earlier.sequence:
            raise Failure(f"number {later.sequence} came after number {earlier.sequence}")


class Guest:
    """A guest; its text goes on in the next machine when it has migrated."""

    def __init__(self, machine):
        self._machines = [machine]
        # how often it may have started, and its devices may have been reset, by now
        self.starts = 1
        self.resets = 0

    @property
    def machine(self):
        """The machine that it runs in."""
        return self._machines[-1]

    def move(self, machine):
        """It runs in another machine from now on."""
        self._machines.append(machine)

    def _lines(self):
        text = "".join(machine.console() for machine in self._machines)
        return text.split("\n")[:-1]

    def reports(self):
        """The reports since the last start or reset; what is wrong with any line is raised."""
        starts = resets = 0
        found = []
        for line in self._lines():
            if line.startswith("failed: "):
                raise Failure(f"the guest found: {line.removeprefix('failed: ')}")
            if START.match(line):
                starts += 1
                found = []
            elif line in RESET:
                resets += 1
                found = []
            elif match := REPORT.match(line):
                found.append(Report(*map(int, match.groups())))
        if starts > self.starts:
            raise Failure("the guest has started again")
        if resets > self.resets:
            raise Failure("somebody has reset a device under the guest")
        if starts < self.starts or resets < self.resets:
            return []
        check_order(found)
        return found

    def last_report(self):
        """The newest report."""
        return self.reports()[-1]

    def wait_for_work(self, count):
        """Wait until the guest has printed so many more reports."""
        wanted = len(self.reports()) + count

        def enough():
            self.machine.check_alive()
            return len(self.reports()) >= wanted

        try:
            wait_until(enough, WORK_TIMEOUT, f"the work of the guest in the {self.machine.name}")
        except OutOfTime as error:
            last = (self.machine.console().strip().splitlines() or ["nothing"])[-1]
            raise Failure(f'{error}; the guest said last: "{last}"') from error
