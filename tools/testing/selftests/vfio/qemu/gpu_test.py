#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""QEMU with a simulated GPU, whose memory it migrates. Prints TAP.

The guest writes the GPU's memory all the time. What is in there arrives if the guest has
put the GPU to sleep; if not, the migration fails, and the guest goes on.
"""

import sys

from gpu_lab import GpuLab
from lab import REPORTS_AFTER
from tap import main, needs_iommufd
from util import Failure, require

# what is behind the end of the memory, in a BAR that is larger
ONES = 0xffffffff
# what QEMU says of the driver's errors
BUSY = "Device or resource busy"
NOT_SUPPORTED = "Operation not supported"
NOT_ASLEEP = "not in D3hot"
SYNDROME_NOT_ASLEEP = 1
END_TIMEOUT = 60


def check_bars(lab, gpu):
    """The guest has found the sizes, and the ends, that the BARs have."""
    bars, ends = lab.guest.bars(), {}
    if bars != gpu.bars():
        raise Failure(f"the guest has found BARs of {bars} bytes, there are {gpu.bars()}")
    for index, (offset, length, size) in gpu.regions().items():
        last = gpu.read(offset + length - 4, 4)
        ends[index] = int.from_bytes(last, "little") if length == size else ONES
    if lab.guest.bar_ends() != ends:
        raise Failure(f"the BARs end with {lab.guest.bar_ends()} and not with {ends}")


def check_awake(lab):
    """The guest wakes the GPU and finds in its memory what it has written."""
    lab.guest.wake()
    lab.guest.wait_for_work(REPORTS_AFTER)


class Untouched:
    """Nobody resets the device of a machine meanwhile, or takes its state."""

    def __init__(self, machine):
        self._machine = machine
        self._gpu = machine.devices[0]
        self._before = self._counters()

    def _counters(self):
        return (self._gpu.resets(), self._gpu.state_losses(),
                self._machine.traced("vfio_pci_reset"))

    def check(self):
        """Compare with the beginning."""
        if self._counters() != self._before:
            raise Failure("somebody has reset the GPU")


def stop_and_continue(lab):
    """The machine is stopped and goes on, with the GPU awake."""
    source, _ = lab.pair()
    untouched = Untouched(source)
    for _ in range(2):
        source.execute("stop")
        source.execute("cont")
        lab.check_stayed()
    untouched.check()


def pre_copy(lab, **setup):
    """The memory is sent while the guest writes to it, and the rest when the GPU sleeps."""
    migration = lab.migration(*lab.pair(**setup))
    migration.start()
    migration.wait_for_passes()
    require(migration.source.was_in_precopy(), "a GPU in PRE_COPY")
    lab.guest.sleep()
    migration.finish()
    lab.check_arrived(migration)
    check_awake(lab)


def iommufd(lab):
    """The same by iommufd."""
    needs_iommufd()
    pre_copy(lab, iommufd=True)


def stopped(lab, gpus=None):
    """The machine is stopped before, with the GPU asleep, and goes on afterwards."""
    migration = lab.migration(*lab.pair(gpus))
    check_bars(lab, migration.source.devices[0])
    lab.guest.sleep()
    migration.source.execute("stop")
    migration.start()
    migration.finish(running=False)
    require(not migration.source.was_in_precopy(), "a GPU that is stopped all the time")
    migration.destination.execute("cont")
    lab.check_arrived(migration)
    check_awake(lab)


def ping_pong(lab):
    """There and back, without the GPU being woken on the way."""
    first = lab.migration(*lab.pair())
    lab.guest.sleep()
    first.run()
    require(first.source.was_in_precopy(), "a GPU in PRE_COPY")
    lab.check_arrived(first)
    second = lab.migration(first.destination, lab.successor(first.source, "source-again"))
    second.run()
    lab.check_arrived(second)
    check_awake(lab)


def awake(lab):
    """Nobody puts the GPU to sleep: the migration fails when the guest is stopped."""
    migration = lab.migration(*lab.pair())
    source = migration.source
    untouched = Untouched(source)
    migration.start()
    migration.wait_for_passes()
    migration.allow_switchover()
    migration.wait_for_end("failed")
    require(BUSY in migration.reason(), f"{BUSY} in: {migration.reason()}")
    migration.destination.wait_for_end(END_TIMEOUT)
    lab.check_stayed()
    untouched.check()
    if NOT_ASLEEP not in source.devices[0].last_error():
        raise Failure(f"the driver's last error is: {source.devices[0].last_error()}")
    if source.devices[0].last_syndrome() != SYNDROME_NOT_ASLEEP:
        raise Failure(f"the driver's last syndrome is {source.devices[0].last_syndrome()}")
    lab.guest.sleep()
    lab.migrate_again(migration.destination)
    check_awake(lab)


def cancel(lab):
    """The migration is cancelled while the memory is sent."""
    migration = lab.migration(*lab.pair())
    untouched = Untouched(migration.source)
    migration.start()
    migration.wait_for_passes()
    migration.cancel()
    migration.wait_for_end("cancelled")
    lab.check_stayed()
    untouched.check()
    lab.guest.sleep()
    lab.migrate_again(migration.destination)
    check_awake(lab)


def unlike(lab):
    """The destination's GPU has more memory, in a BAR of the same size."""
    migration = lab.migration(*lab.pair([lab.gb200[0], lab.other]))
    untouched = Untouched(migration.source)
    migration.start()
    migration.wait_for_end("failed")
    migration.destination.wait_for_end(END_TIMEOUT)
    last = migration.destination.errors()[-1]
    require(NOT_SUPPORTED in last, f"{NOT_SUPPORTED} in: {last}")
    lab.check_stayed()
    untouched.check()


def two_memories(lab):
    """The same of a GPU with two memories, one of which is write-combined and of an odd size."""
    stopped(lab, lab.gh200)


CASES = {function.__name__: function for function in (
    stop_and_continue, pre_copy, iommufd, stopped, ping_pong, awake, cancel, unlike,
    two_memories)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES, GpuLab))
