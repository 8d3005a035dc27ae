#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Where the time of a blackout goes: a table, and a picture of traces beside each other.

timeline.py --title TITLE --svg FILE NAME=TRACE...

A trace is what tracefs prints, by a clock that all events share: marks of the benchmark,
and events of vfio-mig if that is the driver. The table, in Markdown, is for the standard
output. All pictures have the same scale.
"""

import argparse
import re
import sys
from collections import defaultdict
from html import escape

EVENT = re.compile(r"\s(\d+\.\d+): (\w+): (.*)")
MARK = re.compile(r"speed: (begin|end) (\w+) (\d+)$")
DEVICE = re.compile(r"speed: device (\d+) (\S+) (\S+)$")
ARC = re.compile(r"(\S+): (\w+) -> (\w+) result=(-?\d+) ns=(\d+)$")
OPERATION = re.compile(r"(\S+): (\w+) result=(-?\d+) ns=(\d+)$")
RECORD = re.compile(r"(\S+): (?:saving|loading) tag=(\S+) length=(\d+) (\w+)$")

# What the client does, in the order in which it does it, and on which side.
PHASES = {
    "stop": ("source", "states until the source is stopped"),
    "save": ("source", "the source's data is read"),
    "load": ("target", "the target's data is written"),
    "start": ("target", "states until the target runs"),
}


class Bar:
    """Something that took time."""

    def __init__(self, row, what, begin, end):
        self.row, self.what, self.begin, self.end = row, what, begin, end

    @property
    def ms(self):
        return (self.end - self.begin) * 1e3


class Trace:
    """What happened in one blackout.

    bars and records are by device and side; times are in seconds of the trace's clock.
    """

    def __init__(self, name, lines):
        self.name = name
        self.bars = defaultdict(list)
        self.records = defaultdict(list)
        self.sides = {}
        self.open = {}
        for line in lines:
            found = EVENT.search(line)
            if found:
                self.take(float(found[1]), found[2], found[3].rstrip())
        if self.open:
            raise ValueError(f"{name}: {sorted(self.open)} never ended")
        # with pre-copy, data is written before as well
        self.begin = min(self.marks("stop"), key=lambda bar: bar.begin).begin
        self.end = max(self.marks("start"), key=lambda bar: bar.end).end

    def marks(self, phase):
        marks = [bar for bars in self.bars.values() for bar in bars
                 if bar.row == "client" and bar.what == phase]
        if not marks:
            raise ValueError(f"{self.name}: the trace does not say when devices {phase}")
        return marks

    @property
    def ms(self):
        return (self.end - self.begin) * 1e3

    @property
    def devices(self):
        return sorted({device for device, _ in self.sides.values()})

    def take(self, time, event, text):
        if event == "tracing_mark_write":
            self.take_mark(time, text)
        elif event == "vfio_mig_arc_end":
            self.take_bar("arc", ARC, time, text, lambda found: f"{found[2]} → {found[3]}")
        elif event == "vfio_mig_op":
            self.take_bar("operation", OPERATION, time, text, lambda found: found[2])
        elif event == "vfio_mig_record":
            found = RECORD.match(text)
            if found and found[1] in self.sides:
                self.records[self.sides[found[1]]].append((time, found[2], int(found[3])))

    def take_mark(self, time, text):
        found = DEVICE.match(text)
        if found:
            self.sides[found[2]] = (int(found[1]), "source")
            self.sides[found[3]] = (int(found[1]), "target")
            return
        found = MARK.match(text)
        if not found:
            return
        key = found[2], int(found[3])
        if found[1] == "begin":
            self.open[key] = time
        else:
            place = key[1], PHASES[key[0]][0]
            self.bars[place].append(Bar("client", key[0], self.open.pop(key), time))

    def take_bar(self, row, pattern, time, text, name):
        """An event at the end of what it is about says how long that took."""
        found = pattern.match(text)
        if found and found[1] in self.sides:
            begin = time - int(found[found.re.groups]) / 1e9
            self.bars[self.sides[found[1]]].append(Bar(row, name(found), begin, time))

    def in_blackout(self, side, row):
        """The bars of each device on that side, cut to the blackout."""
        for device in self.devices:
            yield [Bar(bar.row, bar.what, max(bar.begin, self.begin), bar.end)
                   for bar in self.bars[device, side]
                   if bar.row == row and bar.end > self.begin and bar.begin < self.end]


def milliseconds(values):
    """Of all devices: the middle of them, and the lowest and highest if they differ."""
    values = sorted(values)
    if not values or not values[-1]:
        return ""
    middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    return f"{middle:.1f} ({values[0]:.1f} to {values[-1]:.1f})"


def sum_of(traces, side, row, what):
    return [[sum(bar.ms for bar in bars if bar.what == what)
             for bars in trace.in_blackout(side, row)] for trace in traces]


def names_of(traces, side, row):
    seen = {bar.what: bar.begin - trace.begin for trace in reversed(traces)
            for bars in trace.in_blackout(side, row) for bar in reversed(bars)}
    return sorted(seen, key=seen.get)


def records_of(trace, side):
    """Number and bytes of the images of each device in the blackout."""
    for device in trace.devices:
        lengths = [length for time, tag, length in trace.records[device, side]
                   if tag == "image" and trace.begin <= time <= trace.end]
        yield len(lengths), sum(lengths)


def print_row(what, cells):
    if any(cells):
        print(f"| {what} | {' | '.join(cells)} |")


def print_table(title, traces):
    print(f"Where the time goes, {title.replace('-', ' ')}, in ms of one run: "
          "the middle of all VFs (lowest to highest).\n")
    print(f"| | {' | '.join(trace.name for trace in traces)} |")
    print("|---" * (len(traces) + 1) + "|")
    print_row("the whole blackout, of all VFs", [f"{trace.ms:.1f}" for trace in traces])
    for phase, (side, what) in PHASES.items():
        print_row(f"{what} ({phase})",
                  [milliseconds(values) for values in sum_of(traces, side, "client", phase)])
    for side in "source", "target":
        for name in names_of(traces, side, "arc"):
            print_row(f"{side}, arc {name}",
                      [milliseconds(values) for values in sum_of(traces, side, "arc", name)])
        for name in names_of(traces, side, "operation"):
            print_row(f"{side}, driver's `{name}`",
                      [milliseconds(values)
                       for values in sum_of(traces, side, "operation", name)])
        print_row(f"{side}, images of a VF",
                  [", ".join(sorted({f"{count} with {size / (1 << 20):.1f} MiB"
                                     for count, size in records_of(trace, side) if count}))
                   for trace in traces])


# The picture, in pixels
WIDTH = 1200
LEFT = 150
RIGHT = 20
ROW = 12
GAP = 5
HEADING = 26
LETTER = 5.6
ROWS = ("client", "arc", "operation")
COLOURS = {
    "stop": "#c0392b", "save": "#2e86c1", "load": "#239b56", "start": "#d68910",
    "arc": "#8e8e93",
    "buf_init": "#7d3c98", "buf_fini": "#bb8fce", "load_record": "#52be80",
    "save_begin": "#5dade2", "save_next": "#85c1e9", "expect": "#a569bd",
}
OTHER = "#b3b6b7"


def rectangle(x, y, width, height, colour, tip):
    return (f'<rect x="{x:.2f}" y="{y}" width="{max(width, 0.5):.2f}" height="{height}" '
            f'fill="{colour}"><title>{escape(tip)}</title></rect>')


def words(x, y, content, **attributes):
    extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y}"{extra}>{escape(content)}</text>'


class Picture:
    """Traces below each other: for each device a lane for either side."""

    def __init__(self, title, traces):
        self.traces = traces
        self.span = max(trace.ms for trace in traces)
        self.parts = []
        self.y = 34
        self.parts.append(words(LEFT, 20, title, font_size=14, font_weight="bold"))
        for trace in traces:
            self.draw_trace(trace)
        self.draw_legend()

    def x(self, ms):
        return LEFT + ms / self.span * (WIDTH - LEFT - RIGHT)

    def draw_trace(self, trace):
        self.y += HEADING
        self.parts.append(words(4, self.y - 8, f"{trace.name}: {trace.ms:.0f} ms",
                                font_size=12, font_weight="bold"))
        top = self.y
        lanes = []
        for device in trace.devices:
            for side in "source", "target":
                lanes.append(self.draw_lane(trace, device, side))
        self.draw_scale(top, trace)
        self.parts += [part for lane in lanes for part in lane]
        self.y += ROW + GAP

    def draw_lane(self, trace, device, side):
        bars = [bar for bar in trace.bars[device, side]
                if bar.end > trace.begin and bar.begin < trace.end]
        records = [record for record in trace.records[device, side]
                   if trace.begin <= record[0] <= trace.end]
        rows = [row for row in ROWS if any(bar.row == row for bar in bars)]
        lane = [words(4, self.y + ROW - 2, f"VF {device}, {side}")]
        for row in rows:
            for bar in bars:
                if bar.row == row:
                    lane += self.draw_bar(trace, bar)
            self.y += ROW
        if records:
            lane += [self.draw_record(trace, record) for record in records]
            self.y += ROW
        self.y += GAP if rows or records else ROW
        return lane

    def draw_bar(self, trace, bar):
        begin = max(bar.begin, trace.begin)
        x = self.x((begin - trace.begin) * 1e3)
        width = (bar.end - begin) * 1e3 / self.span * (WIDTH - LEFT - RIGHT)
        colour = COLOURS.get(bar.what, COLOURS.get(bar.row, OTHER))
        yield rectangle(x, self.y, width, ROW - 2, colour, f"{bar.what}: {bar.ms:.2f} ms")
        if len(bar.what) * LETTER + 4 < width:
            yield words(x + 2, self.y + ROW - 4, bar.what, fill="white", font_size=9)

    def draw_record(self, trace, record):
        time, tag, length = record
        x = self.x((time - trace.begin) * 1e3)
        colour = "black" if tag == "image" else OTHER
        return rectangle(x, self.y, 1.5, ROW - 2, colour, f"record {tag}: {length} bytes")

    def draw_scale(self, top, trace):
        step = 1
        while self.span / step > 12:
            step *= 2 if str(step)[0] in "15" else 2.5
            step = int(step)
        for ms in range(0, int(self.span) + 1, step):
            x = self.x(ms)
            self.parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{self.y}" '
                              'stroke="#e5e7e9"/>')
            self.parts.append(words(x + 2, self.y + 8, f"{ms} ms", fill="#7f8c8d", font_size=8))
        x = self.x(trace.ms)
        self.parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{self.y}" '
                          'stroke="#c0392b" stroke-dasharray="3,2"/>')

    def draw_legend(self):
        seen = []
        for trace in self.traces:
            for bars in trace.bars.values():
                for bar in bars:
                    key = bar.what if bar.what in COLOURS else bar.row
                    if key in COLOURS and key not in seen:
                        seen.append(key)
        self.y += HEADING - ROW
        x = 4
        for key in (key for key in COLOURS if key in seen):
            name = "arc of the library" if key == "arc" else key
            self.parts.append(rectangle(x, self.y, ROW, ROW - 2, COLOURS[key], name))
            self.parts.append(words(x + ROW + 4, self.y + ROW - 3, name))
            x += ROW + 20 + len(name) * LETTER
        self.parts.append(words(x, self.y + ROW - 3, "black: a record; dashed: the end"))
        self.y += 2 * ROW

    def write(self, name):
        with open(name, "w", encoding="utf-8") as out:
            out.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                      f'height="{self.y}" font-family="sans-serif" font-size="10">\n'
                      f'<rect width="{WIDTH}" height="{self.y}" fill="white"/>\n')
            out.write("\n".join(self.parts))
            out.write("\n</svg>\n")


def read_trace(argument):
    name, _, file = argument.partition("=")
    with open(file, encoding="utf-8") as lines:
        return Trace(name, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--title", required=True)
    parser.add_argument("--svg", required=True)
    parser.add_argument("traces", nargs="+", metavar="NAME=TRACE")
    arguments = parser.parse_args()
    try:
        traces = [read_trace(trace) for trace in arguments.traces]
    except (OSError, ValueError) as error:
        sys.exit(f"timeline.py: {error}")
    Picture(arguments.title.replace("-", " "), traces).write(arguments.svg)
    print_table(arguments.title, traces)


if __name__ == "__main__":
    main()
