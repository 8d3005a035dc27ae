#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Firmware that refuses a command in the middle of a migration. Prints TAP.

Each command of each step is refused once. Where QEMU can give up the migration without
touching the VF, the guest goes on with all that it had. Where it cannot, it resets the
VF, which the guest has to find out. Where the driver had to take back most, the same
guest migrates afterwards; the VFs are those of the next case anyway.
"""

import sys

import sim
from tap import main
from util import wait_until

# long enough to arm the next fault meanwhile
DELAY_MS = 3000
FAULT_TIMEOUT = 120
# a driver that tries again gets nowhere
ALWAYS = 1000


def wait_for_fault(lab):
    """Wait until the fault that was armed last has come."""
    wait_until(lambda: not lab.adapter.failures_left(), FAULT_TIMEOUT, "a command to fail")


def precopy(lab, *capabilities):
    """A migration in which the guest's memory is copied while it runs."""
    migration = lab.migration(*lab.pair(), *capabilities)
    migration.start()
    migration.wait_until_loading()
    migration.wait_for_passes()
    return migration


def switch_over_slowly(lab):
    """A migration whose source's VF has just got the command to start no more DMA."""
    migration = precopy(lab)
    lab.adapter.delay(sim.SUSPEND, migration.source.devices[0], DELAY_MS)
    migration.allow_switchover()
    wait_for_fault(lab)
    return migration


def check_gone_on(lab, migration, resets=0):
    """The migration fails; the guest goes on at the source."""
    migration.wait_for_end("failed")
    lab.adapter.check_no_failures_left()
    lab.guest.resets += resets
    lab.check_stayed()


def check_reset_at_destination(lab, migration):
    """It is too late to give up: the destination's VF is reset, and works then."""
    migration.wait_until_running()
    lab.adapter.check_no_failures_left()
    lab.guest.resets += 1
    lab.check_reset(migration)


def first_query(lab):
    """How much there is to save, when the source begins."""
    migration = lab.migration(*lab.pair())
    migration.listen()
    lab.adapter.fail(sim.QUERY, migration.source.devices[0], ALWAYS)
    migration.send()
    migration.wait_for_end("failed")
    lab.adapter.fail_no_more()
    check_gone_on(lab, migration)


def first_save(lab):
    """The state of the running VF."""
    migration = lab.migration(*lab.pair())
    lab.adapter.fail(sim.SAVE, migration.source.devices[0])
    migration.start()
    check_gone_on(lab, migration)
    lab.migrate_again(migration.destination)


def first_suspend(lab):
    """To start no more DMA."""
    migration = precopy(lab)
    lab.adapter.fail(sim.SUSPEND, migration.source.devices[0])
    migration.allow_switchover()
    check_gone_on(lab, migration, resets=1)


def second_suspend(lab):
    """To stop."""
    migration = switch_over_slowly(lab)
    lab.adapter.fail(sim.SUSPEND, migration.source.devices[0])
    check_gone_on(lab, migration, resets=1)
    lab.migrate_again(migration.destination)


def last_query(lab):
    """How much is left to save of the stopped VF."""
    migration = switch_over_slowly(lab)
    lab.adapter.fail(sim.QUERY, migration.source.devices[0])
    check_gone_on(lab, migration, resets=1)


def last_save(lab):
    """The state of the stopped VF."""
    migration = switch_over_slowly(lab)
    lab.adapter.fail(sim.SAVE, migration.source.devices[0])
    check_gone_on(lab, migration)
    lab.migrate_again(migration.destination)


def suspend_destination(lab):
    """To make the destination's VF ready for the state."""
    migration = lab.migration(*lab.pair())
    lab.adapter.fail(sim.SUSPEND, migration.destination.devices[0])
    migration.start()
    check_gone_on(lab, migration)


def first_load(lab):
    """To take the state that the running VF had."""
    migration = lab.migration(*lab.pair())
    lab.adapter.fail(sim.LOAD, migration.destination.devices[0])
    migration.start()
    migration.allow_switchover()
    check_gone_on(lab, migration)


def last_load(lab):
    """To take the rest of the state."""
    migration = switch_over_slowly(lab)
    lab.adapter.fail(sim.LOAD, migration.destination.devices[0])
    check_gone_on(lab, migration)


def first_resume(lab):
    """To let the destination's VF take part in others' DMA."""
    migration = precopy(lab)
    lab.adapter.fail(sim.RESUME, migration.destination.devices[0])
    migration.finish(running=False)
    check_reset_at_destination(lab, migration)


def second_resume(lab):
    """To let the destination's VF start DMA."""
    migration = precopy(lab)
    lab.adapter.delay(sim.RESUME, migration.destination.devices[0], DELAY_MS)
    migration.allow_switchover()
    wait_for_fault(lab)
    lab.adapter.fail(sim.RESUME, migration.destination.devices[0])
    migration.wait_for_status("completed")
    check_reset_at_destination(lab, migration)
    lab.migrate_again(migration.source)


def resume_source(lab):
    """To let the source's VF go on after the migration was cancelled."""
    migration = precopy(lab, "pause-before-switchover")
    migration.allow_switchover()
    migration.wait_for_status("pre-switchover")
    lab.adapter.fail(sim.RESUME, migration.source.devices[0])
    migration.cancel()
    migration.wait_for_end("cancelled")
    lab.adapter.check_no_failures_left()
    lab.guest.resets += 1
    lab.check_stayed()


CASES = {function.__name__: function for function in (
    first_query, first_save, first_suspend, second_suspend, last_query, last_save,
    suspend_destination, first_load, last_load, first_resume, second_resume, resume_source)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
