# SPDX-License-Identifier: GPL-2.0-only
"""Simulated GPUs whose memory is the machine's, and their driver."""

import os
from pathlib import Path

import sim
from util import Failure, read_attribute, write_attribute

DRIVER = "nvgrace_vfio_mig"
PARAMETERS = Path("/sys/module") / DRIVER / "parameters"

MIB = 1 << 20
# of the memory, moved in one go
PIECE = MIB
# what the driver sends is blocks, unless they are zero
BLOCK = 64 << 10

# Settings of the GPUs; a GB200 has a BAR 2 of its own, a GH200 part of the memory there.
GB200 = {"device_id": 0x2941, "works_cached": 2, "bar2_size": MIB}
GH200 = {"device_id": 0x2342, "works_cached": 1}

RESOURCE_MEM = 0x200


def enable_migration(on):
    """Whether devices that are bound from now on can migrate."""
    write_attribute(PARAMETERS / "enable_migration", "Y" if on else "N")


class Gpu(sim.Device):
    """A GPU: its memory behind the driver's back, and what simulator and driver tell."""

    DRIVER = DRIVER
    # QEMU 11.1 asks type 1 also for the pages of mapped BARs, and with an unaligned size (which
    # is refused) next to an MSI-X table that is smaller than a page: have the table elsewhere
    OPTIONS = ("x-msix-relocation=bar0",)

    def __init__(self, address):
        super().__init__(address)
        self._driver = sim.DEBUGFS / "nvgrace-vfio-mig" / address

    def _number(self, name):
        return int(read_attribute(self._model / name), 0)

    def memory_size(self):
        """Bytes of memory."""
        return self._number("memory_size")

    def resets(self):
        """How often it was reset."""
        return self._number("resets")

    def state_losses(self):
        """How often D3hot has taken its state."""
        return self._number("state_losses")

    def last_syndrome(self):
        """The number that the driver gave with its last error."""
        return int(read_attribute(self._migration / "last_syndrome"), 0)

    def regions(self):
        """Of each region that is memory: offset in the memory, length, size of the region."""
        regions, offset = {}, 0
        lines = [line.split() for line in read_attribute(self._driver / "memory").splitlines()]
        for _, index, _, length, size, _ in sorted(lines, key=lambda line: int(line[2], 0)):
            regions[int(index)] = offset, int(length, 0), int(size, 0)
            offset += int(length, 0)
        return regions

    def bars(self):
        """Sizes of the BARs that a guest has to see: those of the function, and its memory.

        The upper half of BAR 0 is the MSI-X table, which QEMU has put there.
        """
        bars = {}
        lines = read_attribute(self.sysfs / "resource").splitlines()[:6]
        for index, line in enumerate(lines):
            first, last, flags = (int(word, 0) for word in line.split())
            if flags & RESOURCE_MEM:
                bars[index] = last - first + 1
        bars[0] *= 2
        return bars | {index: size for index, (_, _, size) in self.regions().items()}

    def read(self, offset, length):
        """What the memory holds."""
        try:
            with (self._model / "memory").open("rb", buffering=0) as memory:
                memory.seek(offset)
                return memory.read(length)
        except OSError as error:
            raise Failure(f"cannot read the memory of {self.address}: {error.strerror}") from error

    def fill(self, offset, length):
        """Fill whole MiB of the memory with bytes of which no two of these MiB have the same."""
        piece = os.urandom(PIECE - 8)
        try:
            with (self._model / "memory").open("wb", buffering=0) as memory:
                memory.seek(offset)
                for number in range(length // PIECE):
                    memory.write(number.to_bytes(8, "little") + piece)
        except OSError as error:
            raise Failure(f"cannot fill the memory of {self.address}: {error.strerror}") from error

    def compare(self, other):
        zeroes, least = bytes(PIECE), 0
        for offset in range(0, self.memory_size(), PIECE):
            piece = self.read(offset, PIECE)
            if other.read(offset, PIECE) != piece:
                raise Failure(f"the GPUs' memories differ in the MiB at {offset:#x}")
            least += BLOCK if piece != zeroes else 0
        return least


class GpuHost(sim.Host):
    """A PCI host with GPUs."""

    def create(self, *settings):
        """Create it with GPUs of these settings, and return them."""
        functions = {f"gpu.{number}": each for number, each in enumerate(settings)}
        return [Gpu(address) for address in self._bring_to_life(functions)]
