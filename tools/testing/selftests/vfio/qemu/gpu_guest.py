# SPDX-License-Identifier: GPL-2.0-only
"""A guest with a GPU, which it puts to sleep and wakes as it is told."""

import re

from guest import WORK_TIMEOUT, Guest
from util import wait_until

BAR = re.compile(r"^BAR (\d): (\d+) bytes, (?:64|32) bits(?:, prefetchable)?$")
BAR_END = re.compile(r"^BAR (\d) ends with (\d+)$")
ASLEEP, AWAKE = "GPU asleep", "GPU awake"


class GpuGuest(Guest):
    """What it has found out about its GPU, and what it does with it."""

    def _numbers(self, pattern):
        matches = filter(None, map(pattern.match, self._lines()))
        return {int(match[1]): int(match[2]) for match in matches}

    def bars(self):
        """Sizes of the BARs."""
        return self._numbers(BAR)

    def bar_ends(self):
        """The last word of each BAR that is memory."""
        return self._numbers(BAR_END)

    def sleep(self):
        """Let it put the GPU into D3hot."""
        self._press("s", ASLEEP)

    def wake(self):
        """Let it put the GPU into D0, restore what it needs and go on with the memory."""
        self._press("w", AWAKE)

    def _press(self, key, answer):
        wanted = self._lines().count(answer) + 1

        def answered():
            self.machine.check_alive()
            # raises what the guest finds wrong
            self.reports()
            return self._lines().count(answer) >= wanted

        self.machine.execute("send-key", {"keys": [{"type": "qcode", "data": key}]})
        wait_until(answered, WORK_TIMEOUT, f'the answer "{answer}" of the guest')
