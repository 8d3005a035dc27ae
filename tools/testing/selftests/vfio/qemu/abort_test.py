#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Migrations that somebody ends before they are through: the guest goes on. Prints TAP.

It migrates afterwards, to VFs that were to take its state before.
"""

import sys

from tap import main

# of a VF: so large that it takes a while
BULK_BYTES = 64 << 20


def after_cancelling(lab, migration):
    """Cancel; the guest goes on at the source, and migrates then."""
    migration.cancel()
    migration.wait_for_end("cancelled")
    lab.check_stayed()
    lab.migrate_again(migration.destination)


def cancel_setup(lab):
    """At once, when there is nothing that the destination could answer."""
    migration = lab.migration(*lab.pair(), return_path=False)
    migration.start()
    after_cancelling(lab, migration)


def cancel_running(lab):
    """While the guest's memory is copied again and again."""
    migration = lab.migration(*lab.pair())
    migration.start()
    migration.wait_for_passes()
    after_cancelling(lab, migration)


def cancel_before_switchover(lab):
    """When guest and VF are stopped, in a pause."""
    migration = lab.migration(*lab.pair(), "pause-before-switchover")
    migration.start()
    migration.wait_for_passes()
    migration.allow_switchover()
    migration.wait_for_status("pre-switchover")
    after_cancelling(lab, migration)


def cancel_late(lab):
    """While the rest of the stopped VF's state is sent, of which there is much.

    QEMU takes no command then, so that this comes just before the end or just behind it:
    the guest goes on at one side, whichever it is.
    """
    source, destination = lab.pair()
    migration = lab.migration(source, destination)
    source.execute("stop")
    source.devices[0].write_bulk_state(bytes(BULK_BYTES))
    migration.start()
    migration.allow_switchover()
    migration.wait_for_device_state("stop-copy")
    migration.cancel()
    if migration.wait_for_end("cancelled", "completed") == "completed":
        destination.execute("cont")
        lab.check_arrived(migration)
    else:
        source.execute("cont")
        lab.check_stayed()


def reset(lab):
    """The guest's machine is reset while its memory is copied: QEMU resets the VF."""
    migration = lab.migration(*lab.pair())
    migration.start()
    migration.wait_for_passes()
    migration.source.execute("system_reset")
    migration.wait_for_end("failed")
    lab.guest.starts += 1
    lab.check_stayed()
    lab.migrate_again(migration.destination)


CASES = {function.__name__: function for function in (
    cancel_setup, cancel_running, cancel_before_switchover, cancel_late, reset)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
