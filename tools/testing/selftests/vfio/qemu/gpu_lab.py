# SPDX-License-Identifier: GPL-2.0-only
"""The host of the tests with GPUs."""

import gpu_sim
import sim
from gpu_guest import GpuGuest
from gpu_sim import MIB
from lab import WARM_UP_REPORTS, Lab

# No powers of two, so that the BARs are larger than the memory behind them.
GB200_BYTES = 12 * MIB
OTHER_BYTES = 14 * MIB
GH200_BYTES = 1544 * MIB
# of a GH200, at the end of each of its two memories
FILLED_BYTES = 3 * MIB


class GpuLab(Lab):
    """GPUs for two sides, of two kinds, and one GB200 with more memory."""

    MODULES = ("pcisim-gpu", gpu_sim.DRIVER)
    GUEST = GpuGuest

    def __init__(self, name, payload, qemu):
        super().__init__(name, payload, qemu, gpu_sim.GpuHost(f"{name}-gpu"))
        self.gb200 = self.gh200 = ()
        self.other = None

    def _make_devices(self):
        gpu_sim.enable_migration(True)
        gb200 = gpu_sim.GB200 | {"memory_size": GB200_BYTES}
        gh200 = gpu_sim.GH200 | {"memory_size": GH200_BYTES}
        gpus = self._host.create(gh200, gh200, gb200, gb200,
                                 gpu_sim.GB200 | {"memory_size": OTHER_BYTES})
        for gpu in gpus:
            gpu.bind()
        self.gh200, self.gb200, self.other = gpus[:2], gpus[2:4], gpus[4]

    def __exit__(self, *details):
        try:
            super().__exit__(*details)
        finally:
            gpu_sim.enable_migration(False)
            # other programs unload what these use
            sim.run_tool("rmmod", gpu_sim.DRIVER, "pcisim_gpu")

    def pair(self, gpus=None, **setup):
        """A source whose guest works, and a destination, each with a GPU."""
        source, destination = gpus or self.gb200
        self._fill(source)
        machines = self.launch_pair([source], [destination], **setup)
        self.guest.wait_for_work(WARM_UP_REPORTS)
        return machines

    def _fill(self, gpu):
        if gpu not in self.gh200:
            gpu.fill(0, gpu.memory_size())
            return
        for offset, length, _ in gpu.regions().values():
            gpu.fill(offset + length - FILLED_BYTES, FILLED_BYTES)
