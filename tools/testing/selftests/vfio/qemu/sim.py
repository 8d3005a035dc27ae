# SPDX-License-Identifier: GPL-2.0-only
"""Simulated PCI hosts, made in configfs, and a ConnectX adapter: driven through sysfs, upset
by debugfs.
"""

import subprocess
from pathlib import Path

from util import Failure, read_attribute, wait_until, write_attribute

PF_DRIVER = "mlx5_core"
VF_DRIVER = "mlx5_vfio_mig"
BIND_TIMEOUT = 30

PCI = Path("/sys/bus/pci")
CONFIGFS = Path("/sys/kernel/config")
DEBUGFS = Path("/sys/kernel/debug")
HOSTS = CONFIGFS / "pcisim"

# firmware commands that can be made to fail
SUSPEND, RESUME, QUERY, SAVE, LOAD = 0x115, 0x116, 0x117, 0x118, 0x119
# with a status that means nothing in particular, and one that says: not in this state
INTERNAL_ERROR, BAD_RESOURCE_STATE = 0x1, 0x9


def run_tool(*command):
    """Run a tool that is silent when all is well."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failure(f"{' '.join(command)}: {result.stderr.strip()}")


def load_modules(*modules):
    """Load what hosts need and these, with the options of modprobe.d."""
    run_tool("modprobe", "-a", "vfio_iommu_type1", "vfio-pci", "pcisim", *modules)


def mount_kernel_file_systems():
    """Mount configfs and debugfs where nothing has done so yet."""
    for kind, folder in (("configfs", CONFIGFS), ("debugfs", DEBUGFS)):
        if not folder.is_mount():
            run_tool("mount", "-t", kind, "none", str(folder))


def pci_function(address):
    """The function's folder in sysfs."""
    return PCI / "devices" / address


def bound_driver(address):
    """Name of the driver that the function is bound to, or None."""
    link = pci_function(address) / "driver"
    return link.readlink().name if link.is_symlink() else None


class Device:
    """A function that migrates, with the counters that the modules keep for it."""

    # the driver, and what it needs of QEMU's options
    DRIVER = None
    OPTIONS = ()

    def __init__(self, address):
        self.address = address
        self._model = DEBUGFS / "pcisim" / address
        self._migration = DEBUGFS / "vfio-mig" / address

    @property
    def sysfs(self):
        """The function's folder in sysfs, as QEMU wants it."""
        return pci_function(self.address)

    def bind(self):
        """Bind it to the migration driver, which takes it by driver_override only."""
        write_attribute(self.sysfs / "driver_override", self.DRIVER)
        write_attribute(PCI / "drivers_probe", self.address)
        if bound_driver(self.address) != self.DRIVER:
            raise Failure(f"{self.DRIVER} did not bind to {self.address}, see the kernel log")

    def compare(self, other):
        """Another one must hold what this one holds; the least number of bytes that takes."""
        raise NotImplementedError

    def migration_state(self):
        """Name of the state that the driver has the device in."""
        return read_attribute(self._migration / "state")

    def last_error(self):
        """What the driver says about the last arc that failed, "none" if there is none."""
        return read_attribute(self._migration / "last_error")

    def bytes_saved(self):
        """Bytes of device state that the driver handed out for this device."""
        return int(read_attribute(self._migration / "bytes_saved"))

    def bytes_loaded(self):
        """Bytes of device state that the driver took for this device."""
        return int(read_attribute(self._migration / "bytes_loaded"))


class VirtualFunction(Device):
    """One VF of the adapter."""

    DRIVER = VF_DRIVER
    # QEMU 11.1 asks type 1 also for the pages of mapped BARs, and with an unaligned size (which
    # is refused) next to an MSI-X table that is smaller than a page: do not map the BAR
    OPTIONS = ("x-no-mmap=on",)

    def __init__(self, address, vhca):
        super().__init__(address)
        # its number in the firmware
        self.vhca = vhca

    def write_bulk_state(self, data):
        """Replace the bulk part of the device's state."""
        write_attribute(self._model / "bulk_size", len(data))
        try:
            (self._model / "bulk").write_bytes(data)
        except OSError as error:
            raise Failure(f"cannot write the bulk state: {error.strerror}") from error

    def read_bulk_state(self):
        """The bulk part of the device's state as it is now."""
        try:
            return (self._model / "bulk").read_bytes()
        except OSError as error:
            raise Failure(f"cannot read the bulk state: {error.strerror}") from error

    def reconfigure(self):
        """Change the device's configuration, as its user could while it migrates."""
        write_attribute(self._model / "reconfigure", 1)

    def compare(self, other):
        bulk = self.read_bulk_state()
        if other.read_bulk_state() != bulk:
            raise Failure("the destination's VF holds other bytes than the source's VF")
        return len(bulk)


class Host:
    """A PCI host; of each name there is one."""

    def __init__(self, name):
        self._host = HOSTS / name

    def exists(self):
        """Whether it is there, in whatever state."""
        return self._host.exists()

    def _bring_to_life(self, functions):
        """Create it with these functions, names and settings; return the PCI addresses."""
        if not HOSTS.is_dir():
            raise Failure("the simulator is not there: load the module pcisim")
        try:
            self._host.mkdir()
            for name, settings in functions.items():
                (self._host / name).mkdir()
                for setting, value in settings.items():
                    write_attribute(self._host / name / setting, value)
        except OSError as error:
            raise Failure(f"cannot create {error.filename}: {error.strerror}") from error
        write_attribute(self._host / "live", 1)
        return [read_attribute(self._host / name / "address") for name in functions]

    def _release(self, function):
        """A live host is about to be removed, with this folder of a function."""

    def remove(self):
        """Remove the host and its functions, in whatever state it was left."""
        if not self._host.is_dir():
            return
        functions = [entry for entry in self._host.iterdir() if entry.is_dir()]
        if read_attribute(self._host / "live") == "1":
            for function in functions:
                self._release(function)
            write_attribute(self._host / "live", 0)
        for function in functions:
            function.rmdir()
        self._host.rmdir()


class Adapter(Host):
    """A PCI host with one adapter."""

    def __init__(self, name):
        super().__init__(name)
        self._model = None
        self.address = None

    def create(self, **settings):
        """Create host and adapter, and let the kernel's own driver start it."""
        self.address, = self._bring_to_life({"hca.0": settings})
        self._model = DEBUGFS / "pcisim" / self.address
        wait_until(lambda: bound_driver(self.address) == PF_DRIVER, BIND_TIMEOUT,
                   f"the binding of {PF_DRIVER} to {self.address}")

    def enable_vfs(self, count):
        """Enable VFs without a driver and return them."""
        pf = pci_function(self.address)
        write_attribute(pf / "sriov_drivers_autoprobe", 0)
        write_attribute(pf / "sriov_numvfs", count)
        return [VirtualFunction((pf / f"virtfn{i}").readlink().name, i + 1) for i in range(count)]

    def fail(self, opcode, vf, times=1, status=INTERNAL_ERROR):
        """Let the next commands with this opcode for this VF fail."""
        self._set_fault(opcode, vf, times, "fail_status", status)

    def delay(self, opcode, vf, milliseconds):
        """Let the answer to the next command with this opcode for this VF be late."""
        self._set_fault(opcode, vf, 1, "fail_delay", milliseconds)

    def fail_no_more(self):
        """All commands are as usual again."""
        # the opcode clears all else
        write_attribute(self._model / "fail_opcode", 0)

    def _set_fault(self, opcode, vf, times, name, value):
        write_attribute(self._model / "fail_opcode", opcode)
        write_attribute(self._model / "fail_vhca", vf.vhca)
        write_attribute(self._model / name, value)
        write_attribute(self._model / "fail_times", times)

    def failures_left(self):
        """How many of the faults asked for have not come."""
        return int(read_attribute(self._model / "fail_times"))

    def check_no_failures_left(self):
        """All of the faults asked for have come."""
        if left := self.failures_left():
            raise Failure(f"{left} commands that should have failed did not come")

    def check_commands(self):
        """The driver gave no command that the firmware does not know."""
        if count := int(read_attribute(self._model / "unknown_commands")):
            raise Failure(f"the firmware got {count} commands that it does not know")

    def _release(self, function):
        pf = pci_function(read_attribute(function / "address"))
        # while the PF has its driver: that one has to disable the VFs
        if read_attribute(pf / "sriov_numvfs") != "0":
            write_attribute(pf / "sriov_numvfs", 0)
