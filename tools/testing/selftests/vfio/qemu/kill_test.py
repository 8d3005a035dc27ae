#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Either machine of a migration is killed, at every moment of it. Prints TAP.

Each case starts on the VFs that the one before it left behind. When the destination is
killed the guest goes on at the source; if that was late, it migrates afterwards.
"""

import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

import sim
from lab import REPORTS_AFTER
from tap import main
from util import Failure

# of a VF: so large that it is still being sent at the first sign of it
BULK_BYTES = 64 << 20
END_TIMEOUT = 60
DEMO = Path(__file__).resolve().parent.parent / "demo" / "run.py"
DEMO_TIMEOUT = 120


def before(lab):
    """Before it begins."""
    return lab.migration(*lab.pair())


def copying(lab):
    """While the guest's memory is copied."""
    migration = lab.migration(*lab.pair())
    migration.start()
    migration.wait_for_passes()
    return migration


def before_switchover(lab):
    """When guest and VF are stopped, in a pause."""
    migration = lab.migration(*lab.pair(), "pause-before-switchover")
    migration.start()
    migration.wait_for_passes()
    migration.allow_switchover()
    migration.wait_for_status("pre-switchover")
    return migration


def sending(lab):
    """While the state of a VF that was stopped before is sent."""
    source, destination = lab.pair()
    migration = lab.migration(source, destination)
    source.execute("stop")
    source.devices[0].write_bulk_state(bytes(BULK_BYTES))
    migration.start()
    migration.allow_switchover()
    migration.wait_for_device_state("stop-copy")
    return migration


def completed(lab):
    """Afterwards."""
    migration = lab.migration(*lab.pair())
    migration.run()
    return migration


def kill_source(lab, moment):
    """The destination ends as well, or has the guest by now."""
    migration = moment(lab)
    migration.source.kill()
    if moment is completed:
        lab.guest.move(migration.destination)
        lab.guest.wait_for_work(REPORTS_AFTER)
    elif moment is not before:
        migration.destination.wait_for_end(END_TIMEOUT)


def kill_destination(lab, moment):
    """The source goes on, unless it has given the guest away."""
    migration = moment(lab)
    migration.destination.kill()
    if moment is completed:
        migration.source.execute("query-status")
        return
    if moment is before_switchover:
        # the source finds out when it goes on
        migration.resume()
    if moment is not before:
        migration.wait_for_end("failed")
    if moment is sending:
        migration.source.execute("cont")
    lab.check_stayed()
    if moment is sending:
        lab.migrate_again(migration.destination)


def demo(lab):
    """The demo is killed, its machines and VFs stay; the next demo does away with them."""
    command = [DEMO, "--payload", lab.payload, "--qemu", lab.qemu]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        for line in killed.stdout:
            if "The migration starts" in line:
                killed.kill()
                break
        killed.wait(DEMO_TIMEOUT)
    if not sim.Adapter("vfio-mig-demo").exists():
        raise Failure("the killed demo had nothing to leave behind")
    again = subprocess.run(command, capture_output=True, text=True, check=False,
                           timeout=DEMO_TIMEOUT)
    if again.returncode:
        raise Failure(f"the next demo failed: {again.stdout}{again.stderr}")
    if sim.Adapter("vfio-mig-demo").exists():
        raise Failure("the demo did not remove all that it made")


CASES = {f"{kill.__name__}.{moment.__name__}": partial(kill, moment=moment)
         for kill, moment in product((kill_source, kill_destination),
                                     (before, copying, before_switchover, sending, completed))}
CASES["demo"] = demo

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
