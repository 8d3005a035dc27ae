#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A Linux guest with the kernel's own driver for its VF survives a migration. Prints TAP.

An emulator in an emulator starts a distribution's kernel: this takes minutes.
"""

import sys
import time

import sim
from linux_guest import START_TIMEOUT, WORK_TIMEOUT, LinuxGuest, LinuxMachine
from tap import main, say
from util import Failure, read_attribute

ANSWERS = 3


def check_commands(vf):
    """The guest's driver gave commands, and none that the firmware does not know."""
    model = sim.DEBUGFS / "pcisim" / vf.address
    if read_attribute(model / "commands") == "0":
        raise Failure(f"the firmware of {vf.address} got no command")
    if count := int(read_attribute(model / "unknown_commands")):
        raise Failure(f"the firmware of {vf.address} got {count} commands that it does not know")


def driver(lab):
    """mlx5_core starts its VF, gives commands, and goes on after the migration."""
    source_vfs, destination_vfs = lab.vfs_of_sides()
    source = lab.launch("source", source_vfs, kind=LinuxMachine)
    source.connect()
    start = time.monotonic()
    guest = LinuxGuest(source)
    guest.wait_for_answers(source_vfs[0].vhca, ANSWERS, START_TIMEOUT)
    check_commands(source_vfs[0])
    say(f"the guest took {time.monotonic() - start:.0f} s to start")

    destination = lab.launch("destination", destination_vfs, incoming=True, kind=LinuxMachine)
    destination.connect()
    migration = lab.migration(source, destination)
    migration.run()
    answered = guest.answers(source_vfs[0].vhca)[-1]
    vhca = destination_vfs[0].vhca
    guest.move(destination)
    guest.wait_for_answers(vhca, ANSWERS)
    if guest.answers(vhca)[0] <= answered:
        raise Failure("the guest has not gone on where it was")
    guest.wait(lambda: guest.bindings(vhca), WORK_TIMEOUT, "the driver being bound again")
    guest.wait_for_answers(vhca, len(guest.answers(vhca)) + ANSWERS)
    migration.check()
    check_commands(destination_vfs[0])
    lab.adapter.check_commands()


CASES = {function.__name__: function for function in (driver,)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
