# SPDX-License-Identifier: GPL-2.0-only
"""A client of QEMU's monitor protocol (QMP): commands, replies, events."""

import json
import socket
import time

from util import Failure

REPLY_TIMEOUT = 60


class QmpError(Failure):
    """A command was refused, or the connection is gone."""


class Qmp:
    """One connection to the monitor of one QEMU."""

    def __init__(self, connection):
        self._socket = connection
        self._received = b""
        self._events = []
        self._next_message(REPLY_TIMEOUT)
        self.execute("qmp_capabilities")

    def execute(self, command, arguments=None):
        """Run a command and return its result; events that arrive meanwhile are kept."""
        request = {"execute": command, "arguments": arguments or {}}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"{command}: the monitor is gone") from error
        while True:
            message = self._next_message(REPLY_TIMEOUT)
            if message is None:
                raise QmpError(f"{command}: no answer within {REPLY_TIMEOUT} s")
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            else:
                return message["return"]

    def take_events(self):
        """Return the events that have arrived, without waiting."""
        while message := self._next_message(0):
            self._events.append(message)
        events, self._events = self._events, []
        return events

    def fileno(self):
        """For select(): readable when something has arrived."""
        return self._socket.fileno()

    def close(self):
        """Close the connection; QEMU goes on."""
        self._socket.close()

    def _next_message(self, timeout):
        """The next message, or None if none is complete in time."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            try:
                self._socket.settimeout(max(deadline - time.monotonic(), 0))
                data = self._socket.recv(65536)
            except (BlockingIOError, TimeoutError):
                return None
            except OSError as error:
                raise QmpError("the monitor is gone") from error
            if not data:
                raise QmpError("the monitor closed the connection")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)


def connect(path):
    """Connect to a monitor's UNIX socket; None if it is not there yet."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return Qmp(connection)
