#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Live migration of a virtual machine with a simulated ConnectX VF, start to end.

Runs as root where the modules of this project are loaded. Prints what it does while
it does it, a table, and "migrated: yes" or "migrated: no"; the exit status tells too.
"""

import argparse
import signal
import sys
from pathlib import Path

# what the demo shares with the tests
sys.path.append(str(Path(__file__).resolve().parent.parent / "qemu"))

# pylint: disable=wrong-import-position
from demo import Demo
from util import Failure

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--payload", type=Path, required=True,
                        help="the guest, built by qemu/payload/Makefile")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="QEMU for both machines")
    return parser.parse_args()


def end_on_signal(number, _frame):
    """Leave through the clean-up, which a second signal does not disturb."""
    for each in END_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Failure(f"ended by {signal.Signals(number).name}")


def main():
    """Run the demo once."""
    arguments = parse_arguments()
    for number in END_SIGNALS:
        signal.signal(number, end_on_signal)
    try:
        Demo(arguments.payload, arguments.qemu).run()
    except Failure as failure:
        print(f"\nmigrated: no, {failure}", flush=True)
        return 1
    print("\nmigrated: yes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
