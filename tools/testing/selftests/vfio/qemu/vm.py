# SPDX-License-Identifier: GPL-2.0-only
"""One virtual machine: a QEMU process, its monitor, what it reports and what its guest prints."""

import signal
import subprocess
from dataclasses import dataclass

import qmp
from util import Failure, wait_until

START_TIMEOUT = 180
STOP_TIMEOUT = 10
# how long a QEMU whose connections broke may take to be gone
END_TIMEOUT = 3
MEMORY_MIB = 16

DEVICE_OPTIONS = ("enable-migration=on", "migration-events=on")
FIRST_SLOT = 5

# What QEMU is to write down, so that it can be told afterwards which way was gone.
TRACES = (
    "iommufd_backend_get_dirty_bitmap", "source_return_path_thread_switchover_acked",
    "vfio_container_query_dirty_bitmap", "vfio_device_dirty_tracking_start",
    "vfio_load_state_device_buffer_load_end", "vfio_pci_reset",
    "vfio_query_precopy_size_request_switchover_ack", "vfio_save_complete_precopy_thread_end",
    "vfio_send_init_data_flag",
)


@dataclass
class Setup:
    """What both machines of a migration have in common."""

    payload: object
    qemu: str = "qemu-system-x86_64"
    # by the device: only kernels with IOMMUFD can report what it wrote
    device_dirty_tracking: bool = False
    iommufd: bool = False

    def arguments(self, devices):
        """The arguments that are about the devices."""
        found = ["-object", "iommufd,id=iommufd0"] if self.iommufd else []
        for index, device in enumerate(devices):
            options = [f"id=device{index}", f"addr={FIRST_SLOT + index}.0",
                       f"sysfsdev={device.sysfs}", *DEVICE_OPTIONS, *device.OPTIONS]
            if not self.device_dirty_tracking:
                options.append("x-device-dirty-page-tracking=off")
            if self.iommufd:
                options.append("iommufd=iommufd0")
            found += ["-device", ",".join(("vfio-pci", *options))]
        return found


class VirtualMachine:
    """A QEMU with the payload as its firmware."""

    def __init__(self, name, folder, devices):
        self.name = name
        self.devices = devices
        self.monitor = None
        self.process = None
        # all events of QEMU since it started, in order
        self.events = []
        self._console = folder / f"{name}.console"
        self._errors = folder / f"{name}.errors"
        self._trace = folder / f"{name}.trace"
        self._socket = folder / f"{name}.qmp"

    def guest_arguments(self, setup):
        """The arguments that are about what runs in it."""
        return ["-accel", "tcg,tb-size=32", "-m", f"{MEMORY_MIB}M", "-bios", str(setup.payload)]

    def start(self, setup, incoming=False, paused=False):
        """Start QEMU; incoming: it waits for a migration."""
        self._console.write_text("")
        for file in (self._socket, self._trace):
            file.unlink(missing_ok=True)
        command = [
            setup.qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35", "-cpu", "qemu64", *self.guest_arguments(setup),
            "-serial", f"file:{self._console}",
            "-qmp", f"unix:{self._socket},server=on,wait=off",
            "-D", str(self._trace), *setup.arguments(self.devices),
        ]
        for trace in TRACES:
            command += ["-trace", trace]
        if incoming:
            command += ["-incoming", "defer"]
        if paused:
            command.append("-S")
        try:
            with self._errors.open("w") as errors:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                stdout=errors, stderr=errors)
        except OSError as error:
            raise Failure(f"cannot start {setup.qemu}: {error.strerror}") from error

    def connect(self):
        """Wait for the monitor."""
        self.monitor = wait_until(self._try_connect, START_TIMEOUT,
                                  f"the start of the {self.name}'s QEMU")

    def _try_connect(self):
        self.check_alive()
        try:
            return qmp.connect(self._socket)
        except qmp.QmpError as error:
            self.fail(error)

    def errors(self):
        """What QEMU has complained about."""
        return self._errors.read_text().strip().splitlines()

    def traced(self, name):
        """How often QEMU came by the trace point."""
        try:
            lines = self._trace.read_text().splitlines()
        except FileNotFoundError:
            return 0
        return sum(line.split(" ", 1)[0] == name for line in lines)

    def check_alive(self):
        """Raise the reason if QEMU has ended."""
        status = self.process.poll()
        if status is None:
            return
        if status < 0:
            how = f"was killed by {signal.Signals(-status).name}"
        else:
            how = f"ended with status {status}"
        said = f', its last words: "{self.errors()[-1]}"' if self.errors() else ""
        raise Failure(f"the {self.name}'s QEMU {how}{said}")

    def execute(self, command, arguments=None):
        """Run a monitor command; a QEMU that is gone is reported as such."""
        try:
            return self.monitor.execute(command, arguments)
        except qmp.QmpError as error:
            self.fail(error)

    def take_events(self):
        """Events that have arrived from the monitor since the last call."""
        try:
            events = self.monitor.take_events()
        except qmp.QmpError as error:
            self.fail(error)
        self.events += events
        return events

    def device_states(self):
        """The states that QEMU has put its devices in, in order."""
        self.take_events()
        return [event["data"]["device-state"] for event in self.events
                if event["event"] == "VFIO_MIGRATION"]

    def was_in_precopy(self):
        """Whether the devices have handed out state while the guest ran."""
        return "pre-copy" in self.device_states()

    def fail(self, error):
        """Raise why QEMU ended, which explains more than the error that was seen first."""
        self.wait_for_end(END_TIMEOUT, error)
        self.check_alive()

    def wait_for_end(self, timeout, reason="does not end"):
        """Wait until QEMU has ended by itself; if it does not, the reason is raised."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"the {self.name}'s QEMU: {reason}") from None

    def console(self):
        """What the guest has printed in this QEMU."""
        return self._console.read_text()

    def kill(self):
        """End QEMU without any warning."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)

    def stop(self):
        """End QEMU, whatever it is doing."""
        if self.process is None:
            return
        if self.monitor:
            self.monitor.close()
        for end in (self.process.terminate, self.process.kill):
            end()
            try:
                self.process.wait(STOP_TIMEOUT)
                return
            except subprocess.TimeoutExpired:
                continue
        raise Failure(f"the {self.name}'s QEMU (process {self.process.pid}) does not end")
