# SPDX-License-Identifier: GPL-2.0-only
"""What every part needs: an error, bounded waiting, kernel attributes."""

import os
import time

# seldom enough for a host on which every look takes milliseconds
POLL_INTERVAL = 0.1


class Failure(Exception):
    """It cannot go on; the text is a sentence for the user."""


class OutOfTime(Failure):
    """Something that should happen did not."""


def require(condition, what):
    """It must have gone this way."""
    if not condition:
        raise Failure(f"not seen: {what}")


def wait_until(condition, timeout, what):
    """Call condition() until it returns something true, and return that."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise OutOfTime(f"{what} did not happen within {timeout} s")
        time.sleep(POLL_INTERVAL)


def read_attribute(path):
    """Text of an attribute in sysfs, configfs or debugfs."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error


def write_attribute(path, value):
    """Write an attribute in sysfs, configfs or debugfs."""
    try:
        # not open(path, "w"), which would try to create an attribute that is missing
        with os.fdopen(os.open(path, os.O_WRONLY), "wb", buffering=0) as attribute:
            attribute.write(str(value).encode())
    except OSError as error:
        raise Failure(f"cannot write {value} to {path}: {error.strerror}") from error
