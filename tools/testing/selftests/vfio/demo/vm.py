# SPDX-License-Identifier: GPL-2.0-only
"""One virtual machine: a QEMU process, its monitor and what its guest prints."""

import re
import signal
import subprocess
from itertools import pairwise
from typing import NamedTuple

import qmp
from util import DemoError, wait_until

START_TIMEOUT = 60
STOP_TIMEOUT = 10
# how long a QEMU whose connections broke may take to be gone
END_TIMEOUT = 3
MEMORY_MIB = 16


class Report(NamedTuple):
    """What the guest said in one line: all was right up to here."""

    sequence: int
    memory_pass: int


REPORT = re.compile(r"^sequence (\d+) ok, memory pass (\d+) ok$")


def reports(console):
    """The complete reports in the guest's output; what is wrong with it is raised."""
    found = []
    for line in console.split("\n")[:-1]:
        if line.startswith("failed: "):
            raise DemoError(f"the guest found: {line.removeprefix('failed: ')}")
        if match := REPORT.match(line):
            found.append(Report(*map(int, match.groups())))
    if any(later.sequence <= earlier.sequence for earlier, later in pairwise(found)):
        raise DemoError("the guest has started again")
    return found


class VirtualMachine:
    """A QEMU with the payload as its firmware; name is "source" or "destination"."""

    def __init__(self, name, folder):
        self.name = name
        self.monitor = None
        self.process = None
        self._console = folder / f"{name}.console"
        self._errors = folder / f"{name}.errors"
        self._socket = folder / f"{name}.qmp"

    def start(self, qemu, payload, device, incoming=False):
        """Start QEMU; device is the argument of -device."""
        self._console.write_text("")
        self._socket.unlink(missing_ok=True)
        command = [
            qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35", "-accel", "tcg,tb-size=32", "-cpu", "qemu64",
            "-m", f"{MEMORY_MIB}M", "-bios", str(payload),
            "-serial", f"file:{self._console}",
            "-qmp", f"unix:{self._socket},server=on,wait=off",
            "-device", device,
        ]
        if incoming:
            command += ["-incoming", "defer"]
        try:
            with self._errors.open("w") as errors:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                stdout=errors, stderr=errors)
        except OSError as error:
            raise DemoError(f"cannot start {qemu}: {error.strerror}") from error

    def connect(self):
        """Wait for the monitor."""
        self.monitor = wait_until(self._try_connect, START_TIMEOUT,
                                  f"the start of the {self.name}'s QEMU")

    def _try_connect(self):
        self.check_alive()
        try:
            return qmp.connect(self._socket)
        except qmp.QmpError as error:
            self.fail(error)

    def check_alive(self):
        """Raise the reason if QEMU has ended."""
        status = self.process.poll()
        if status is None:
            return
        if status < 0:
            how = f"was killed by {signal.Signals(-status).name}"
        else:
            how = f"ended with status {status}"
        lines = self._errors.read_text().strip().splitlines()
        said = f', its last words: "{lines[-1]}"' if lines else ""
        raise DemoError(f"the {self.name}'s QEMU {how}{said}")

    def execute(self, command, arguments=None):
        """Run a monitor command; a QEMU that is gone is reported as such."""
        try:
            return self.monitor.execute(command, arguments)
        except qmp.QmpError as error:
            self.fail(error)

    def take_events(self):
        """Events that have arrived from the monitor."""
        try:
            return self.monitor.take_events()
        except qmp.QmpError as error:
            self.fail(error)

    def fail(self, error):
        """Raise why QEMU ended, which explains more than the error that was seen first."""
        try:
            self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the {self.name}'s QEMU: {error}") from error
        self.check_alive()

    def console(self):
        """What the guest has printed in this QEMU."""
        return self._console.read_text()

    def stop(self):
        """End QEMU, whatever it is doing."""
        if self.process is None:
            return
        if self.monitor:
            self.monitor.close()
        for end in (self.process.terminate, self.process.kill):
            end()
            try:
                self.process.wait(STOP_TIMEOUT)
                return
            except subprocess.TimeoutExpired:
                continue
        raise DemoError(f"the {self.name}'s QEMU (process {self.process.pid}) does not end")
