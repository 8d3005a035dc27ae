#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Kill either virtual machine at every moment of the demo, then run the demo again.

Each killed run starts on what the one before it left, so that a host that a kill has
spoiled fails the next test; the last test is a whole demo. Prints TAP.
"""

import argparse
import contextlib
import io
import itertools
import subprocess
import sys
import traceback
from pathlib import Path

import sim
from migration import COMPLETED, DEVICE_STATE, FAILED, FOLDER, MOMENTS, SWITCHOVER, Demo, Settings
from util import DemoError

# large enough that a kill at the first sign of the transfer comes before its end
BULK_STATE = 32 << 20
RUN_TIMEOUT = 60
REPORTS_AFTER_FAILURE = 2


class TestFailure(Exception):
    """The host or a machine is not as it should be after a kill."""


class Killer:
    """An observer that kills one machine at one moment."""

    def __init__(self, victim, moment):
        self._victim = victim
        self._moment = moment
        self.killed = False

    def __call__(self, demo, moment):
        if moment == self._moment and not self.killed:
            self.killed = True
            getattr(demo, self._victim).process.kill()
        elif moment == FAILED and self._victim == "destination":
            try:
                demo.wait_for_reports(demo.source, REPORTS_AFTER_FAILURE)
            except DemoError as error:
                raise TestFailure("the source does not work any more") from error


def check_nothing_left():
    """What a run made must be gone when it returns."""
    if sim.HOST.exists() or (FOLDER / "processes").exists():
        raise TestFailure("the demo did not remove all that it made")


def kill_machine(payload, victim, moment):
    """One demo whose victim is killed; it must fail by that, and remove everything."""
    killer = Killer(victim, moment)
    settings = Settings(payload, pause=moment == SWITCHOVER, observer=killer)
    if moment == DEVICE_STATE:
        settings.bulk_state = BULK_STATE
    try:
        Demo(settings).run()
    except DemoError:
        if not killer.killed or moment == COMPLETED:
            raise
    else:
        if not killer.killed or moment != COMPLETED:
            raise TestFailure(f"the demo did not notice the end of the {victim}")
    check_nothing_left()


def kill_demo(payload):
    """A demo that is killed itself, in the migration; its machines and VFs stay."""
    command = [Path(__file__).with_name("run.py"), "--payload", payload]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        for line in demo.stdout:
            if "The migration starts" in line:
                demo.kill()
                break
        demo.wait(RUN_TIMEOUT)
    if not sim.HOST.exists():
        raise TestFailure("the killed demo had nothing to leave behind")


def run_demo(payload):
    """A whole demo."""
    Demo(Settings(payload)).run()
    check_nothing_left()


def tests(payload):
    """All tests, in order: names and functions."""
    for moment, victim in itertools.product(MOMENTS, ("source", "destination")):
        yield (f"{victim} killed, moment: {moment}",
               lambda victim=victim, moment=moment: kill_machine(payload, victim, moment))
    yield "demo killed", lambda: kill_demo(payload)
    yield "the demo runs again", lambda: run_demo(payload)


def run_test(number, name, function):
    """Run one test; its output is shown only if it fails."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            function()
    except Exception:  # pylint: disable=broad-except
        output.write(traceback.format_exc())
        for line in output.getvalue().splitlines():
            print(f"# {line}")
        print(f"not ok {number} {name}", flush=True)
        return False
    print(f"ok {number} {name}", flush=True)
    return True


def main():
    """Run all tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--payload", type=Path, required=True,
                        help="the guest, built by payload/Makefile")
    planned = list(tests(parser.parse_args().payload))
    print(f"TAP version 13\n1..{len(planned)}", flush=True)
    results = [run_test(number, *test) for number, test in enumerate(planned, 1)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
