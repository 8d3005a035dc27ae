# SPDX-License-Identifier: GPL-2.0-only
"""One migration of a virtual machine, step by step, as QEMU's monitors tell it."""

import select
import time

from util import Failure, OutOfTime, wait_until

EVENT_TIMEOUT = 120
# until the destination has acknowledged that a VF was reconfigured, if it is to hear of it
ACK_TIMEOUT = 15
# how often all memory is copied under the running guest before it may stop
PRECOPY_PASSES = 2

# QEMU stops the guest when what is left to send fits into limit x bandwidth: first into so
# little that the guest goes on, then into much more than there is.
BANDWIDTH = 1 << 30
STAY_MS = 1
SWITCH_OVER_MS = 5000

# All that tests turn on; what a migration does not name is turned off again.
CAPABILITIES = ("multifd", "pause-before-switchover", "return-path", "switchover-ack")
MULTIFD_CHANNELS = 2


class Migration:
    """From the source to the destination, or to a file when there is no destination yet."""

    def __init__(self, source, destination, uri, *capabilities):
        self.source = source
        self.destination = destination
        self._uri = uri
        self._capabilities = capabilities
        # called with each event when it has arrived, and its machine
        self.observer = lambda machine, event: None
        self._first_event = len(source.events)
        self._saved = [device.bytes_saved() for device in source.devices]
        self._loaded = [device.bytes_loaded() for device in destination.devices]

    @property
    def _machines(self):
        return [machine for machine in (self.source, self.destination) if machine.monitor]

    def _prepare(self, machine):
        states = {"events": True} | {name: name in self._capabilities for name in CAPABILITIES}
        machine.execute("migrate-set-capabilities", {"capabilities": [
            {"capability": name, "state": state} for name, state in states.items()]})
        machine.execute("migrate-set-parameters", {
            "max-bandwidth": BANDWIDTH, "avail-switchover-bandwidth": BANDWIDTH,
            "downtime-limit": STAY_MS, "multifd-channels": MULTIFD_CHANNELS})

    def listen(self):
        """Let the destination wait for the source, or read the file."""
        self._prepare(self.destination)
        self.destination.execute("migrate-incoming", {"uri": self._uri})

    def send(self):
        """Let the source begin; it stays in the phase in which the guest runs."""
        self._first_event = len(self.source.events)
        self._prepare(self.source)
        self.source.execute("migrate", {"uri": self._uri})

    def start(self):
        """Begin on both sides."""
        self.listen()
        self.send()

    def wait_for_passes(self):
        """Wait until all memory was copied a few times."""
        self.wait_for_event("MIGRATION_PASS", lambda data: data["pass"] > PRECOPY_PASSES)

    def allow_switchover(self):
        """The source may stop the guest as soon as it likes."""
        self.source.execute("migrate-set-parameters", {"downtime-limit": SWITCH_OVER_MS})

    def resume(self):
        """Go on after a pause before the switchover."""
        self.source.execute("migrate-continue", {"state": "pre-switchover"})

    def cancel(self):
        """Cancel it; QEMU takes the command when it gets to it."""
        self.source.execute("migrate_cancel")

    def wait_for_status(self, status):
        """Wait until the source reports the status."""
        self.wait_for_event("MIGRATION", lambda data: data["status"] == status)

    def wait_for_device_state(self, state):
        """Wait until the source's device is in the state."""
        self.wait_for_event("VFIO_MIGRATION", lambda data: data["device-state"] == state)

    def wait_until_loading(self):
        """Wait until all of the destination's devices expect their state."""
        wait_until(lambda: self.destination.device_states().count("resuming") >=
                   len(self.destination.devices), EVENT_TIMEOUT, "the destination's device waiting")

    def _acks(self):
        """How often the destination has acknowledged that it may be switched over."""
        return self.source.traced("source_return_path_thread_switchover_acked")

    def reconfigure(self, vf):
        """Change the configuration of a VF of the source, until the destination has to
        acknowledge anew. Between the question for the amount of data and the SAVE that
        follows, the SAVE takes the change along, and nobody hears of it."""
        count = self._acks() + 1

        def try_once():
            vf.reconfigure()
            try:
                return wait_until(lambda: self._acks() >= count, ACK_TIMEOUT, "")
            except OutOfTime:
                return False

        wait_until(try_once, EVENT_TIMEOUT, "an acknowledgement by the destination")

    def finish(self, running=True):
        """Let it come to its end; running: the guest runs afterwards."""
        self.allow_switchover()
        self.wait_for_status("completed")
        if running:
            self.wait_until_running()

    def wait_until_running(self):
        """Wait until the destination runs the guest."""
        wait_until(lambda: self.destination.execute("query-status")["running"], EVENT_TIMEOUT,
                   "the start of the destination's guest")

    def run(self):
        """All of it, with the guest running."""
        self.start()
        self.wait_for_passes()
        self.finish()

    def wait_for_event(self, name, reached):
        """Wait for an event of the source, since the beginning, with data that reached() likes.

        Events only: while QEMU stops the guest, it does not answer commands.
        """
        deadline = time.monotonic() + EVENT_TIMEOUT
        while True:
            for machine in self._machines:
                for event in machine.take_events():
                    self.observer(machine, event)
            if any(event["event"] == name and reached(event["data"])
                   for event in self.source.events[self._first_event:]):
                return
            self._check_status()
            if time.monotonic() > deadline:
                raise OutOfTime(f"the migration made no progress within {EVENT_TIMEOUT} s")
            select.select([machine.monitor for machine in self._machines], [], [], 1)

    def _statuses(self):
        return [event["data"]["status"] for event in self.source.events[self._first_event:]
                if event["event"] == "MIGRATION"]

    def _check_status(self):
        if ended := {"failed", "cancelled"}.intersection(self._statuses()):
            failure = Failure(f"the migration {ended.pop()}: {self.reason()}")
            if self.destination.monitor:
                self.destination.fail(failure)
            raise failure

    def reason(self):
        """Why it failed, in the words of the source's QEMU."""
        return self.source.execute("query-migrate").get("error-desc", "")

    def wait_for_end(self, *statuses):
        """Wait until it has ended with one of the statuses, for the source; return that.

        Only the source is looked at: the destination's QEMU may end.
        """
        def ended():
            self.source.take_events()
            return self._statuses() and self._statuses()[-1] in ("failed", "cancelled", "completed")

        wait_until(ended, EVENT_TIMEOUT, "the end of the migration")
        status = self._statuses()[-1]
        if status not in statuses:
            wanted = " or ".join(statuses)
            raise Failure(f"the migration {status} and not {wanted}: {self.reason()}")
        return status

    def check(self):
        """The destination's devices must have got what the source's devices had."""
        pairs = zip(self.source.devices, self.destination.devices)
        for number, (source, destination) in enumerate(pairs):
            least = source.compare(destination)
            saved = source.bytes_saved() - self._saved[number]
            loaded = destination.bytes_loaded() - self._loaded[number]
            if saved != loaded or saved < least:
                raise Failure(f"{saved} bytes of device state were read, {loaded} were written")
        status = self.source.execute("query-status")["status"]
        if status != "postmigrate":
            raise Failure(f"the source is in state {status} after the migration")

    def bytes_moved(self):
        """Bytes of device state that the source handed out."""
        return sum(device.bytes_saved() - saved
                   for device, saved in zip(self.source.devices, self._saved))
