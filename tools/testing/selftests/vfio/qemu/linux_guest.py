# SPDX-License-Identifier: GPL-2.0-only
"""A guest that is a Linux, with the kernel's own driver for its VF: how it is made and read."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from util import Failure, OutOfTime, wait_until
from vm import VirtualMachine

MEMORY_MIB = 256
DRIVER = "mlx5_core"
INIT = Path(__file__).resolve().parent / "linux_init"
BUSYBOX = Path("/usr/bin/busybox")

# An emulator in an emulator: minutes to the prompt, seconds for a command.
START_TIMEOUT = 2400
WORK_TIMEOUT = 900

COMMAND_LINE = ("console=ttyS0 loglevel=3 panic=-1 mitigations=off nokaslr nowatchdog "
                "cryptomgr.notests no_timer_check rcupdate.rcu_cpu_stall_suppress=1 rdinit=/init")

ANSWER = re.compile(r"^guest: answer (\d+) from VHCA (\d+)$")
BOUND_AGAIN = re.compile(r"^guest: bound again, VHCA (\d+)$")
FAILED = "guest: failed: "


def distribution_kernel():
    """Release of the newest kernel that is installed; it starts faster than one with checkers."""
    images = sorted(Path("/boot").glob("vmlinuz-*"), key=lambda image: image.stat().st_mtime)
    if not images:
        raise Failure("no kernel for the guest in /boot")
    return images[-1].name.removeprefix("vmlinuz-")


def run(*command, **options):
    """Run a tool and return what it prints."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"{command[0]}: {error}") from error


def modules(release):
    """Files of the driver and of what it needs, in the order in which they are loaded."""
    found = run("modprobe", "-S", release, "--show-depends", DRIVER, text=True)
    return [Path(line.split()[1]) for line in found.splitlines() if line.startswith("insmod ")]


def make_initramfs(release, image):
    """Make an initramfs of busybox, the modules and the guest's own program."""
    tree = image.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("bin", "dev", "modules", "proc", "sys"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    for number, module in enumerate(modules(release)):
        content = module.read_bytes()
        if module.suffix == ".xz":
            content = run("xz", "-dc", str(module))
        (tree / "modules" / f"{number:02}.ko").write_bytes(content)
    names = "\n".join(str(Path(folder, name).relative_to(tree))
                      for folder, folders, files in os.walk(tree) for name in folders + files)
    image.write_bytes(run(str(BUSYBOX), "cpio", "-o", "-H", "newc", input=names.encode(),
                          cwd=tree, stderr=subprocess.DEVNULL))
    shutil.rmtree(tree)


class LinuxMachine(VirtualMachine):
    """A QEMU that starts a Linux; the initramfs is beside the console."""

    def __init__(self, name, folder, devices):
        super().__init__(name, folder, devices)
        self._release = distribution_kernel()
        self._initramfs = folder / f"initramfs-{self._release}"

    def guest_arguments(self, setup):
        if not self._initramfs.exists():
            make_initramfs(self._release, self._initramfs)
        return ["-accel", "tcg,tb-size=128", "-m", f"{MEMORY_MIB}M",
                "-kernel", f"/boot/vmlinuz-{self._release}", "-initrd", str(self._initramfs),
                "-append", COMMAND_LINE]


class LinuxGuest:
    """What the guest prints, in the machine that it is in."""

    def __init__(self, machine):
        self.machine = machine

    def move(self, machine):
        """It runs in another machine from now on."""
        self.machine = machine

    def _matches(self, pattern):
        lines = self.machine.console().replace("\r", "").split("\n")[:-1]
        for line in lines:
            if line.startswith(FAILED):
                raise Failure(f"the guest found: {line.removeprefix(FAILED)}")
        return [match for match in map(pattern.match, lines) if match]

    def answers(self, vhca):
        """The numbers of the commands that the firmware of this VHCA has answered here."""
        return [int(match[1]) for match in self._matches(ANSWER) if int(match[2]) == vhca]

    def bindings(self, vhca):
        """How often the driver was bound again to this VHCA, in this machine."""
        return sum(int(match[1]) == vhca for match in self._matches(BOUND_AGAIN))

    def wait(self, condition, timeout, what):
        """Wait for something that the guest does."""
        def look():
            self.machine.check_alive()
            return condition()

        try:
            return wait_until(look, timeout, what)
        except OutOfTime as error:
            last = self.machine.console().strip().splitlines()[-1:]
            raise OutOfTime(f"{error}; the last words of the guest: {last}") from error

    def wait_for_answers(self, vhca, count, timeout=WORK_TIMEOUT):
        """Wait until the firmware of this VHCA has answered so often here."""
        self.wait(lambda: len(self.answers(vhca)) >= count, timeout,
                  f"answer {count} of VHCA {vhca}")
