# SPDX-License-Identifier: GPL-2.0-only
"""The demo itself: two virtual machines, a migration between them, and its checks."""

import os
import select
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import sim
from leftovers import ProcessRecord
from util import DemoError, DemoTimeout, wait_until
from vm import VirtualMachine, reports

FOLDER = Path("/run/vfio-mig-demo")

# The moments at which an observer is called, in this order, and the one after a failure.
RUNNING, PRECOPY, SWITCHOVER, DEVICE_STATE, COMPLETED = MOMENTS = (
    "running", "precopy", "switchover", "device state", "completed")
FAILED = "failed"

GUEST_TIMEOUT = 60
MIGRATION_TIMEOUT = 60
WARM_UP_REPORTS = 4
REPORTS_AFTER = 3
# how often all memory is copied under the running guest before it may stop
PRECOPY_ROUNDS = 2

# QEMU stops the guest when what is left to send fits into limit x bandwidth. The IOMMU keeps
# no dirty log for the kernel's type 1 interface, so all memory counts as written in each
# round: a first limit for the device's state and this little memory keeps the guest running.
BANDWIDTH = 1 << 30
PRECOPY_REST = 4 << 20
DOWNTIME_MS = 5000

DEVICE_OPTIONS = (
    "addr=5.0", "enable-migration=on", "migration-events=on",
    # only kernels with IOMMUFD can report what a device wrote, all memory counts as written
    "x-device-dirty-page-tracking=off",
    # QEMU 11.1 asks type 1 also for the pages of mapped BARs, and with an unaligned size (which
    # is refused) next to an MSI-X table that is smaller than a page: do not map the BAR
    "x-no-mmap=on",
)

# What the steps of the devices, as QEMU reports them, mean; the others say nothing new.
DEVICE_STEPS = {
    ("destination", "resuming"): "The destination's VF waits for the state.",
    ("source", "stop-copy"): "The guest and the source's VF are stopped, the VF's state is read.",
    ("destination", "running"): "The destination's VF runs.",
}


@dataclass
class Settings:
    """What a run can be told."""

    payload: Path
    qemu: str = "qemu-system-x86_64"
    bulk_state: int = (4 << 20) + 321
    # stop at the switchover long enough for the observer to see that moment
    pause: bool = False
    # called with the demo and the moment that it has reached
    observer: Callable = lambda demo, moment: None


class Steps:
    """Sentences on the terminal, with the seconds since the start."""

    def __init__(self):
        self._start = time.monotonic()

    def say(self, sentence):
        """Print one step."""
        print(f"[{time.monotonic() - self._start:5.1f} s] {sentence}", flush=True)


class Demo:
    """One run. Whatever happens, what it made is gone when run() returns."""

    def __init__(self, settings):
        self.settings = settings
        self.source = VirtualMachine("source", FOLDER)
        self.destination = VirtualMachine("destination", FOLDER)
        self._machines = (self.source, self.destination)
        self._processes = ProcessRecord(FOLDER / "processes")
        self._steps = Steps()
        self._source_vf = self._destination_vf = None

    def run(self):
        """Migrate once; anything that is wrong is raised as DemoError."""
        FOLDER.mkdir(exist_ok=True)
        sim.mount_kernel_file_systems()
        self._processes.end_all()
        sim.remove_adapter()
        with ExitStack() as clean_up:
            clean_up.callback(sim.remove_adapter)
            self._create_devices()
            clean_up.callback(self._processes.clear)
            for machine in self._machines:
                clean_up.callback(machine.stop)
            try:
                table = self._migrate_and_check()
            except DemoError:
                self._reach(FAILED)
                raise
            self._reach(COMPLETED)
        print_table(table)

    def _migrate_and_check(self):
        self._start_machines()
        bulk = self._prepare_source()
        return self._check(bulk, self._migrate())

    def _say(self, sentence):
        self._steps.say(sentence)

    def _reach(self, moment):
        self.settings.observer(self, moment)

    def _create_devices(self):
        pf = sim.create_adapter()
        self._say(f"A simulated ConnectX adapter is at {pf}, driven by the kernel's own "
                  f"{sim.PF_DRIVER}.")
        self._source_vf, self._destination_vf = vfs = sim.enable_vfs(pf, 2)
        for vf in vfs:
            vf.bind()
        self._say(f"Two of its virtual functions (VFs), {vfs[0].address} and {vfs[1].address}, "
                  f"are bound to {sim.VF_DRIVER}.")

    def _start_machines(self):
        for machine, vf in zip(self._machines, (self._source_vf, self._destination_vf)):
            device = ",".join(("vfio-pci", "id=vf", f"sysfsdev={vf.sysfs}", *DEVICE_OPTIONS))
            machine.start(self.settings.qemu, self.settings.payload, device,
                          incoming=machine is self.destination)
            self._processes.add(machine.process.pid)
        for machine in self._machines:
            machine.connect()
        version = self.source.execute("query-version")["qemu"]
        self._say("Two virtual machines are there, source and destination, each with one VF "
                  f"(QEMU {version['major']}.{version['minor']}.{version['micro']}).")

    def _prepare_source(self):
        """Let the source's guest and its VF work; return the VF's bulk state."""
        self.wait_for_reports(self.source, WARM_UP_REPORTS)
        last = reports(self.source.console())[-1]
        self._say(f"The source's guest writes its memory (pass {last.memory_pass}) while its VF "
                  f"writes numbers there by DMA ({last.sequence} so far).")
        bulk = os.urandom(self.settings.bulk_state)
        self._source_vf.write_bulk_state(bulk)
        self._say(f"The source's VF holds {len(bulk):,} random bytes as device state.")
        self._reach(RUNNING)
        return bulk

    def wait_for_reports(self, machine, count):
        """Wait until the guest in the machine has printed so many more reports."""
        wanted = len(reports(self._guest_text(machine))) + count

        def enough():
            machine.check_alive()
            return len(reports(self._guest_text(machine))) >= wanted

        try:
            wait_until(enough, GUEST_TIMEOUT, f"the work of the {machine.name}'s guest")
        except DemoTimeout as error:
            lines = machine.console().strip().splitlines() or ["nothing"]
            raise DemoError(f'{error}; the guest said last: "{lines[-1]}"') from error

    def _guest_text(self, machine):
        """What the guest has printed up to now, which goes on across the migration."""
        if machine is self.source:
            return self.source.console()
        return self.source.console() + self.destination.console()

    def _migrate(self):
        """Migrate; return what QEMU says about it in the end."""
        capabilities = {"events": True, "pause-before-switchover": self.settings.pause}
        for machine in self._machines:
            machine.execute("migrate-set-capabilities", {"capabilities": [
                {"capability": name, "state": state} for name, state in capabilities.items()]})
        self.source.execute("migrate-set-parameters", {
            "max-bandwidth": BANDWIDTH, "avail-switchover-bandwidth": BANDWIDTH,
            "downtime-limit": (self.settings.bulk_state + PRECOPY_REST) * 1000 // BANDWIDTH})
        uri = f"unix:{FOLDER / 'migration'}"
        self.destination.execute("migrate-incoming", {"uri": uri})
        self._say("The migration starts: memory is copied while the guest runs.")
        self.source.execute("migrate", {"uri": uri})
        self._follow("MIGRATION_PASS", lambda data: data["pass"] > PRECOPY_ROUNDS)
        self._reach(PRECOPY)
        self._say(f"All memory was copied {PRECOPY_ROUNDS} times, the guest may be stopped now.")
        self.source.execute("migrate-set-parameters", {"downtime-limit": DOWNTIME_MS})
        if self.settings.pause:
            self._follow("MIGRATION", lambda data: data["status"] == "pre-switchover")
            self._reach(SWITCHOVER)
            self.source.execute("migrate-continue", {"state": "pre-switchover"})
        self._follow("MIGRATION", lambda data: data["status"] == "completed")
        wait_until(lambda: self.destination.execute("query-status")["running"], GUEST_TIMEOUT,
                   "the start of the destination's guest")
        self._show_events()
        return self.source.execute("query-migrate")

    def _follow(self, name, reached):
        """Show what happens until the source reports the event, with data that reached() likes.

        Events only: while QEMU stops the guest, it does not answer commands.
        """
        deadline = time.monotonic() + MIGRATION_TIMEOUT
        while time.monotonic() < deadline:
            events = self._show_events()
            if any(event["event"] == name and reached(event["data"]) for event in events):
                return
            select.select([machine.monitor for machine in self._machines], [], [], 1)
        raise DemoTimeout(f"the migration made no progress within {MIGRATION_TIMEOUT} s")

    def _show_events(self):
        """Print what the events that have arrived mean; return the source's events."""
        events = self.source.take_events()
        for event in events:
            self._show(self.source, event)
        for event in self.destination.take_events():
            self._show(self.destination, event)
        return events

    def _show(self, machine, event):
        if event["event"] == "VFIO_MIGRATION":
            self._show_device_state(machine, event["data"]["device-state"])
        elif event["event"] == "MIGRATION" and machine is self.source:
            self._check_status(event["data"]["status"])

    def _show_device_state(self, machine, state):
        if sentence := DEVICE_STEPS.get((machine.name, state)):
            self._say(sentence)
        if machine is self.source and state == "stop-copy":
            self._reach(DEVICE_STATE)

    def _check_status(self, status):
        if status in ("failed", "cancelled"):
            info = self.source.execute("query-migrate")
            reason = info.get("error-desc", "no reason given")
            self.destination.fail(DemoError(f"the migration {status}: {reason}"))

    def _check(self, bulk, info):
        """Check what arrived; return the rows of the table."""
        before = reports(self.source.console())[-1]
        self.wait_for_reports(self.destination, REPORTS_AFTER)
        after = reports(self._guest_text(self.destination))[-1]
        self._say(f"The destination's guest goes on (pass {after.memory_pass}), so does its VF "
                  f"({after.sequence} numbers, each one checked).")
        if self._destination_vf.read_bulk_state() != bulk:
            raise DemoError("the destination's VF holds other bytes than the source's VF did")
        saved, loaded = self._source_vf.bytes_saved(), self._destination_vf.bytes_loaded()
        if saved != loaded or saved < len(bulk):
            raise DemoError(f"{saved} bytes of device state were read, {loaded} were written")
        status = self.source.execute("query-status")["status"]
        if status != "postmigrate":
            raise DemoError(f"the source is in state {status} after the migration")
        return {
            "total time": f"{info['total-time']:,} ms",
            "downtime": f"{info['downtime']:,} ms",
            "device state": f"{saved:,} bytes, bulk part of {len(bulk):,} bytes compared",
            "sequence before": f"{before.sequence:,} on the source",
            "sequence after": f"{after.sequence:,} on the destination, no gap, no repeat",
        }


def print_table(rows):
    """Print names and values in two columns."""
    width = max(map(len, rows))
    print()
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")
