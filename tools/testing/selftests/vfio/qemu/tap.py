# SPDX-License-Identifier: GPL-2.0-only
"""Runs test cases one after the other in one lab, and prints TAP."""

import argparse
import fnmatch
import signal
import sys
import time
import traceback
from pathlib import Path

from lab import AdapterLab
from util import Failure

FOLDER = "vfio-mig-qemu"
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Skip(Exception):
    """The case cannot run here; the text says what it needs."""


def needs_iommufd():
    """For cases that stock kernels without IOMMUFD cannot run."""
    if not Path("/dev/iommu").exists():
        raise Skip("needs IOMMUFD")


def parse_arguments(description):
    """The command line; filters as those of the kernel's test harness."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--payload", type=Path, help="the guest, built by payload/Makefile",
                        default=Path(sys.argv[0]).absolute().parent / "qemu" / "payload.rom")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="QEMU for all machines")
    parser.add_argument("-l", dest="list", action="store_true", help="list the cases")
    parser.add_argument("-t", dest="only", action="append", default=[], help="only these cases")
    parser.add_argument("-T", dest="without", action="append", default=[], help="not these cases")
    return parser.parse_args()


def matches(name, patterns):
    """Whether the name matches any of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def say(*lines):
    """Print comments."""
    for line in lines:
        print(f"# {line}", flush=True)


def run_case(lab, function):
    """Run one case and end its machines; return its line's beginning and end."""
    start = time.monotonic()
    result, remark = "not ok", ""
    try:
        function(lab)
        result = "ok"
    except Skip as reason:
        result, remark = "ok", f" # SKIP {reason}"
    except Failure as failure:
        say(failure, *traceback.format_exc().splitlines()[-3:-1])
    except Exception:  # pylint: disable=broad-except
        say(*traceback.format_exc().splitlines())
    if result != "ok":
        say(*lab.complaints())
    try:
        lab.clear()
    except Failure as failure:
        say(failure)
        result = "not ok"
    return result, remark or f" # {time.monotonic() - start:.1f} s"


def end_on_signal(number, _frame):
    """Leave through the clean-up, which a second signal does not disturb."""
    for each in END_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(f"# ended by {signal.Signals(number).name}")


def main(description, cases, kind=AdapterLab):
    """Run the cases, names and functions, in a lab of this kind; return the exit status."""
    arguments = parse_arguments(description)
    wanted = {name: function for name, function in cases.items()
              if matches(name, arguments.only or ["*"]) and not matches(name, arguments.without)}
    if arguments.list:
        print("\n".join(wanted))
        return 0
    for number in END_SIGNALS:
        signal.signal(number, end_on_signal)
    print(f"TAP version 13\n1..{len(wanted)}", flush=True)
    results = []
    with kind(FOLDER, arguments.payload, arguments.qemu) as lab:
        for number, (name, function) in enumerate(wanted.items(), 1):
            result, remark = run_case(lab, function)
            print(f"{result} {number} {name}{remark}", flush=True)
            results.append(result == "ok")
    return 0 if results and all(results) else 1
