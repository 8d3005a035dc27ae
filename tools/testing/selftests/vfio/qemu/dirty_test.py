#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's ways to learn which memory a VF has written, and VFs by iommufd. Prints TAP."""

import sys

from tap import main, needs_iommufd
from util import Failure


def migrate(lab, seen, vfs=1, **setup):
    """A migration in which QEMU has to come by a trace point."""
    needs_iommufd()
    migration = lab.migration(*lab.pair(vfs, **setup))
    migration.run()
    if not migration.source.traced(seen):
        raise Failure(f"QEMU did not come by {seen}")
    lab.check_arrived(migration)


def iommu(lab):
    """The IOMMU tells which pages a VF has written."""
    migrate(lab, "iommufd_backend_get_dirty_bitmap", iommufd=True)


def device(lab):
    """The VF itself tells which pages it has written; a container of type 1."""
    migrate(lab, "vfio_device_dirty_tracking_start", device_dirty_tracking=True)


def device_iommufd(lab):
    """The same of two VFs, by iommufd."""
    migrate(lab, "vfio_device_dirty_tracking_start", vfs=2, device_dirty_tracking=True,
            iommufd=True)


CASES = {function.__name__: function for function in (iommu, device, device_iommufd)}

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], CASES))
