# SPDX-License-Identifier: GPL-2.0-only
"""Processes of an earlier run that was killed before it could end them."""

import os
import signal
from pathlib import Path

from util import wait_until

END_TIMEOUT = 10


def start_time(pid):
    """When the process started, in clock ticks since boot; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name, in parentheses, may contain anything: count from its end
    return stat.rpartition(")")[2].split()[19]


class ProcessRecord:
    """A file with the processes that run; pid and start time name one for certain."""

    def __init__(self, path):
        self._path = path

    def add(self, pid):
        """Note a process that was started."""
        with self._path.open("a") as record:
            record.write(f"{pid} {start_time(pid)}\n")

    def clear(self):
        """All processes have ended."""
        self._path.unlink(missing_ok=True)

    def end_all(self):
        """End what an earlier run left behind."""
        if not self._path.exists():
            return
        for line in self._path.read_text().splitlines():
            pid, started = line.split()
            if start_time(pid) != started:
                continue
            os.kill(int(pid), signal.SIGKILL)
            wait_until(lambda pid=pid, started=started: start_time(pid) != started,
                       END_TIMEOUT, f"the end of process {pid}, left by an earlier run,")
        self.clear()
