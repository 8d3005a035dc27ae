# SPDX-License-Identifier: GPL-2.0-only
"""The demo itself: one migration with the means of the tests, told step by step."""

import time

import sim
from lab import AdapterLab
from migration import PRECOPY_PASSES

BULK_BYTES = (4 << 20) + 321

# What the steps of the devices, as QEMU reports them, mean; the others say nothing new.
DEVICE_STEPS = {
    ("destination", "resuming"): "The destination's VF waits for the state.",
    ("source", "pre-copy"): "The source's VF hands out its state while it works.",
    ("source", "stop-copy"): "The guest and the source's VF are stopped, the rest of the VF's "
                             "state is read.",
    ("destination", "running"): "The destination's VF runs.",
}


class Demo:
    """One run. Whatever happens, what it made is gone when run() returns."""

    def __init__(self, payload, qemu):
        self._lab = AdapterLab("vfio-mig-demo", payload, qemu, vfs_each_side=1)
        self._start = time.monotonic()

    def run(self):
        """Migrate once; anything that is wrong is raised as a Failure."""
        with self._lab as lab:
            self._say(f"A simulated ConnectX adapter is at {lab.adapter.address}, driven by the "
                      f"kernel's own {sim.PF_DRIVER}; two of its virtual functions (VFs) are bound "
                      f"to {sim.VF_DRIVER}.")
            source, destination = lab.pair(bulk=BULK_BYTES)
            self._introduce(source, destination)
            before = lab.guest.last_report()
            migration = lab.migration(source, destination)
            self._migrate(migration)
            lab.check_arrived(migration)
            table = self._result(migration, before)
        print_table(table)

    def _say(self, sentence):
        print(f"[{time.monotonic() - self._start:5.1f} s] {sentence}", flush=True)

    def _introduce(self, source, destination):
        version = source.execute("query-version")["qemu"]
        self._say("Two virtual machines are there, the source with VF "
                  f"{source.devices[0].address}, the destination with VF "
                  f"{destination.devices[0].address} "
                  f"(QEMU {version['major']}.{version['minor']}.{version['micro']}).")
        last = self._lab.guest.last_report()
        self._say(f"The source's guest writes its memory (pass {last.memory_pass}) while its VF "
                  f"writes numbers there by DMA ({last.sequence} so far); the VF also holds "
                  f"{BULK_BYTES:,} random bytes as device state.")

    def _migrate(self, migration):
        migration.observer = self._show
        self._say("The migration starts: memory is copied while the guest runs.")
        migration.start()
        migration.wait_for_passes()
        self._say(f"All memory was copied {PRECOPY_PASSES} times, the guest may be stopped now.")
        migration.finish()

    def _show(self, machine, event):
        if event["event"] == "VFIO_MIGRATION":
            if sentence := DEVICE_STEPS.get((machine.name, event["data"]["device-state"])):
                self._say(sentence)

    def _result(self, migration, before):
        """The rows of the table."""
        after = self._lab.guest.last_report()
        self._say(f"The destination's guest goes on (pass {after.memory_pass}), so does its VF "
                  f"({after.sequence} numbers, each one checked).")
        info = migration.source.execute("query-migrate")
        return {
            "total time": f"{info['total-time']:,} ms",
            "downtime": f"{info['downtime']:,} ms",
            "device state": f"{migration.bytes_moved():,} bytes, bulk part of {BULK_BYTES:,} bytes "
                            "compared",
            "sequence before": f"{before.sequence:,} on the source",
            "sequence after": f"{after.sequence:,} on the destination, no gap, no repeat",
        }


def print_table(rows):
    """Print names and values in two columns."""
    width = max(map(len, rows))
    print()
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")
