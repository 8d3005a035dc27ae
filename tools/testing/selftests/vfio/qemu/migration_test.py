#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""QEMU migrates a guest with simulated VFs on each way that it knows. Prints TAP."""

import sys

import sim
from tap import main
from util import require

RECONFIGURATIONS = 2


def pre_copy(lab):
    """The VF hands out its state while the guest runs, and the rest when it is stopped."""
    migration = lab.migration(*lab.pair())
    migration.run()
    require(migration.source.was_in_precopy(), "a VF in PRE_COPY")
    lab.check_arrived(migration)


def stop_and_copy(lab):
    """Firmware that does not track a running VF: all of its state comes when it is stopped."""
    migration = lab.migration(*lab.pair())
    lab.adapter.fail(sim.SAVE, migration.source.devices[0], status=sim.BAD_RESOURCE_STATE)
    migration.run()
    lab.adapter.check_no_failures_left()
    lab.check_arrived(migration)


def switchover_ack(lab):
    """The source waits until the destination has all that came first."""
    migration = lab.migration(*lab.pair(), "switchover-ack")
    migration.run()
    require(migration.source.was_in_precopy(), "a VF in PRE_COPY")
    require(migration.source.traced("source_return_path_thread_switchover_acked") == 1,
            "one acknowledgement by the destination")
    lab.check_arrived(migration)


def reinit(lab):
    """The VF is reconfigured while its state is handed out: that starts afresh."""
    migration = lab.migration(*lab.pair(), "switchover-ack")
    migration.start()
    migration.wait_for_passes()
    require(migration.source.was_in_precopy(), "a VF in PRE_COPY")
    for _ in range(RECONFIGURATIONS):
        migration.reconfigure(migration.source.devices[0])
    migration.finish()
    require(migration.source.traced("vfio_query_precopy_size_request_switchover_ack"),
            "a new acknowledgement asked for")
    lab.check_arrived(migration)


def two_vfs(lab):
    """Two VFs in one guest."""
    migration = lab.migration(*lab.pair(vfs=2))
    migration.run()
    lab.check_arrived(migration)


def multifd(lab):
    """The state of two stopped VFs goes through channels of its own, in threads of its own."""
    migration = lab.migration(*lab.pair(vfs=2), "multifd")
    migration.run()
    require(migration.source.traced("vfio_save_complete_precopy_thread_end") == 2,
            "a thread for each VF of the source")
    require(migration.destination.traced("vfio_load_state_device_buffer_load_end"),
            "device state in a channel of its own")
    lab.check_arrived(migration)


def paused(lab):
    """The guest is stopped before, and goes on afterwards: only stop-and-copy."""
    migration = lab.migration(*lab.pair())
    migration.source.execute("stop")
    migration.start()
    migration.finish(running=False)
    require(not migration.source.was_in_precopy(), "a VF that is stopped all the time")
    migration.destination.execute("cont")
    lab.check_arrived(migration)


def never_started(lab):
    """The guest's first instruction is run by the destination."""
    migration = lab.migration(*lab.pair(paused=True))
    migration.start()
    migration.finish(running=False)
    migration.destination.execute("cont")
    lab.check_arrived(migration)


def file(lab):
    """Into a file, and from there when the source does not work any more."""
    source, destination = lab.pair()
    migration = lab.migration_by_file(source, destination)
    migration.send()
    migration.wait_for_passes()
    migration.allow_switchover()
    migration.wait_for_status("completed")
    migration.listen()
    migration.wait_until_running()
    lab.check_arrived(migration)


def ping_pong(lab):
    """There and back, with the same guest."""
    first = lab.migration(*lab.pair())
    first.run()
    lab.check_arrived(first)
    second = lab.migration(first.destination, lab.successor(first.source, "source-again"))
    second.run()
    lab.check_arrived(second)


def pause_before_switchover(lab):
    """A pause with the guest and the VF stopped."""
    migration = lab.migration(*lab.pair(), "pause-before-switchover")
    migration.start()
    migration.wait_for_passes()
    migration.allow_switchover()
    migration.wait_for_status("pre-switchover")
    state = migration.source.devices[0].migration_state()
    require(state in ("STOP", "STOP_COPY"), f"a stopped VF, it is in {state}")
    migration.resume()
    migration.finish()
    lab.check_arrived(migration)


CASES = {function.__name__: function for function in (
    pre_copy, stop_and_copy, switchover_ack, reinit, two_vfs, multifd, paused, never_started,
    file, ping_pong, pause_before_switchover)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
