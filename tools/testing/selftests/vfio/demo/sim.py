# SPDX-License-Identifier: GPL-2.0-only
"""The simulated ConnectX adapter of the demo: made in configfs, driven through sysfs."""

import subprocess
from pathlib import Path

from util import DemoError, read_attribute, wait_until, write_attribute

PF_DRIVER = "mlx5_core"
VF_DRIVER = "mlx5_vfio_mig"
BIND_TIMEOUT = 30

PCI = Path("/sys/bus/pci")
CONFIGFS = Path("/sys/kernel/config")
DEBUGFS = Path("/sys/kernel/debug")
HOST = CONFIGFS / "pcisim" / "vfio-mig-demo"
ADAPTER = HOST / "hca.0"


def run_tool(*command):
    """Run a tool that is silent when all is well."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DemoError(f"{' '.join(command)}: {result.stderr.strip()}")


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


class VirtualFunction:
    """One VF of the adapter, with the counters that the modules keep for it."""

    def __init__(self, address):
        self.address = address
        self._model = DEBUGFS / "pcisim" / address
        self._migration = DEBUGFS / "vfio-mig" / address

    @property
    def sysfs(self):
        """The VF's folder in sysfs, as QEMU wants it."""
        return pci_function(self.address)

    def bind(self):
        """Bind the VF to the migration driver, which takes it by driver_override only."""
        write_attribute(self.sysfs / "driver_override", VF_DRIVER)
        write_attribute(PCI / "drivers_probe", self.address)
        if bound_driver(self.address) != VF_DRIVER:
            raise DemoError(f"{VF_DRIVER} did not bind to {self.address}, see the kernel log")

    def write_bulk_state(self, data):
        """Replace the bulk part of the device's state."""
        write_attribute(self._model / "bulk_size", len(data))
        try:
            (self._model / "bulk").write_bytes(data)
        except OSError as error:
            raise DemoError(f"cannot write the bulk state: {error.strerror}") from error

    def read_bulk_state(self):
        """The bulk part of the device's state as it is now."""
        try:
            return (self._model / "bulk").read_bytes()
        except OSError as error:
            raise DemoError(f"cannot read the bulk state: {error.strerror}") from error

    def bytes_saved(self):
        """Bytes of device state that the driver handed out for this VF."""
        return int(read_attribute(self._migration / "bytes_saved"))

    def bytes_loaded(self):
        """Bytes of device state that the driver took for this VF."""
        return int(read_attribute(self._migration / "bytes_loaded"))


def create_adapter():
    """Create a PCI host with one adapter and return the address of its PF."""
    if not HOST.parent.is_dir():
        raise DemoError("the simulator is not there: load the module pcisim")
    run_tool("modprobe", PF_DRIVER)
    try:
        HOST.mkdir()
        ADAPTER.mkdir()
    except OSError as error:
        raise DemoError(f"cannot create {ADAPTER}: {error.strerror}") from error
    write_attribute(HOST / "live", 1)
    address = read_attribute(ADAPTER / "address")
    wait_until(lambda: bound_driver(address) == PF_DRIVER, BIND_TIMEOUT,
               f"the binding of {PF_DRIVER} to {address}")
    return address


def enable_vfs(pf_address, count):
    """Enable VFs without a driver and return them."""
    pf = pci_function(pf_address)
    write_attribute(pf / "sriov_drivers_autoprobe", 0)
    write_attribute(pf / "sriov_numvfs", count)
    return [VirtualFunction((pf / f"virtfn{i}").readlink().name) for i in range(count)]


def remove_adapter():
    """Remove the adapter and its host, in whatever state it was left."""
    if not HOST.is_dir():
        return
    if ADAPTER.is_dir():
        if read_attribute(HOST / "live") == "1":
            pf = pci_function(read_attribute(ADAPTER / "address"))
            # while the PF has its driver: that one has to disable the VFs
            if read_attribute(pf / "sriov_numvfs") != "0":
                write_attribute(pf / "sriov_numvfs", 0)
            write_attribute(HOST / "live", 0)
        ADAPTER.rmdir()
    HOST.rmdir()
