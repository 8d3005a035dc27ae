# SPDX-License-Identifier: GPL-2.0-only
"""The host of the tests: devices for all of them, and the machines of one of them."""

import os
from contextlib import ExitStack
from pathlib import Path

import sim
from guest import Guest
from leftovers import ProcessRecord
from migration import Migration
from util import Failure
from vm import Setup, VirtualMachine

WARM_UP_REPORTS = 2
REPORTS_AFTER = 3
# of a VF; no whole number of pages
BULK_BYTES = (1 << 20) + 321
VFS_EACH_SIDE = 2


class Lab:
    """A simulated host with devices for both sides, and what runs on them."""

    # what the host has needs these
    MODULES = ()
    # how guests are read
    GUEST = Guest

    def __init__(self, name, payload, qemu, host):
        self.folder = Path("/run") / name
        self.payload = payload
        self.qemu = qemu
        self.guest = None
        self._host = host
        self._processes = ProcessRecord(self.folder / "processes")
        self._machines = []

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        sim.load_modules(*self.MODULES)
        sim.mount_kernel_file_systems()
        self._processes.end_all()
        self._host.remove()
        with ExitStack() as undo:
            undo.callback(self._host.remove)
            self._make_devices()
            undo.pop_all()
        return self

    def _make_devices(self):
        """Create the host, and bind its devices to their driver."""
        raise NotImplementedError

    def __exit__(self, *_):
        try:
            self.clear()
        finally:
            self._host.remove()

    def clear(self):
        """End all machines, for the next test."""
        with ExitStack() as ends:
            for machine in self._machines:
                ends.callback(machine.stop)
        self._machines = []
        self._processes.clear()

    def launch(self, name, devices, *, incoming=False, paused=False, kind=VirtualMachine, **setup):
        """Start a machine on devices that no other machine has."""
        machine = kind(name, self.folder, devices)
        self._machines.append(machine)
        machine.start(Setup(self.payload, self.qemu, **setup), incoming, paused)
        self._processes.add(machine.process.pid)
        return machine

    def launch_pair(self, source_devices, destination_devices, paused=False, **setup):
        """A source, and a destination that waits for a migration."""
        source = self.launch("source", source_devices, paused=paused, **setup)
        destination = self.launch("destination", destination_devices, incoming=True, **setup)
        source.connect()
        destination.connect()
        self.guest = self.GUEST(source)
        return source, destination

    def successor(self, machine, name):
        """A machine that waits for a migration, on the devices of one that is not needed."""
        machine.stop()
        successor = self.launch(name, machine.devices, incoming=True)
        successor.connect()
        return successor

    def migration(self, source, destination, *capabilities, return_path=True):
        """A migration between two machines, through a socket, with a way back for errors."""
        if return_path:
            capabilities += ("return-path",)
        return Migration(source, destination, f"unix:{self.folder / 'socket'}", *capabilities)

    def migration_by_file(self, source, destination):
        """A migration through a file."""
        return Migration(source, destination, f"file:{self.folder / 'file'}")

    def check_arrived(self, migration):
        """The guest goes on at the destination, with all that was written before."""
        self.guest.move(migration.destination)
        self.guest.wait_for_work(REPORTS_AFTER)
        migration.check()

    def check_stayed(self):
        """The guest goes on at the source."""
        self.guest.wait_for_work(REPORTS_AFTER)
        status = self.guest.machine.execute("query-status")["status"]
        if status != "running":
            raise Failure(f"the source is in state {status}")
        for device in self.guest.machine.devices:
            if device.migration_state() != "RUNNING":
                raise Failure(f"the source's device is in state {device.migration_state()}")

    def migrate_again(self, destination):
        """Migrate to the devices of a destination that has failed, from where the guest is."""
        source = self.guest.machine
        migration = self.migration(source, self.successor(destination, "destination-2"))
        migration.run()
        self.check_arrived(migration)

    def complaints(self):
        """What QEMU and the driver had to say, for somebody who looks for a fault."""
        for machine in self._machines:
            for line in machine.errors():
                if ": warning: " not in line:
                    yield f"{machine.name}: {line}"
            for device in machine.devices:
                yield (f"{machine.name}: {device.address} is in {device.migration_state()}, "
                       f"its last error: {device.last_error()}")


class AdapterLab(Lab):
    """An adapter with VFs for two sides."""

    MODULES = (sim.PF_DRIVER, "pcisim-hca", sim.VF_DRIVER)

    def __init__(self, name, payload, qemu, vfs_each_side=VFS_EACH_SIDE):
        self.adapter = sim.Adapter(name)
        self._vfs_each_side = vfs_each_side
        self._sides = ()
        super().__init__(name, payload, qemu, self.adapter)

    def _make_devices(self):
        self.adapter.create()
        vfs = self.adapter.enable_vfs(2 * self._vfs_each_side)
        for vf in vfs:
            vf.bind()
        self._sides = vfs[:self._vfs_each_side], vfs[self._vfs_each_side:]

    def clear(self):
        super().clear()
        self.adapter.fail_no_more()

    def vfs_of_sides(self, vfs=1):
        """So many VFs for a source, and for a destination."""
        return [side[:vfs] for side in self._sides]

    def pair(self, vfs=1, bulk=BULK_BYTES, paused=False, **setup):
        """A source whose guest works, and a destination."""
        source, destination = self.launch_pair(*self.vfs_of_sides(vfs), paused=paused, **setup)
        for vf in source.devices:
            vf.write_bulk_state(os.urandom(bulk))
        if not paused:
            self.guest.wait_for_work(WARM_UP_REPORTS)
        return source, destination

    def check_arrived(self, migration):
        super().check_arrived(migration)
        self.adapter.check_commands()

    def check_reset(self, migration):
        """The guest goes on at the destination, with VFs that had to be reset there."""
        self.guest.move(migration.destination)
        self.guest.wait_for_work(REPORTS_AFTER)
        self.adapter.check_commands()
