"""Measuring the points that a record lacks, with a progress bar."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from experiments.bench import ExperimentError
from experiments.bench.record import Record


def complete(record: Record, points: list, measure: Callable, settings: Any) -> int:
    """Add the rows of `measure(point, settings)` for each point that isn't there.

    Returns how many failed. Those aren't recorded: a later run tries them again.
    """
    missing = [point for point in points if point not in record.points]
    done, failed = len(points) - len(missing), 0
    if done:
        print(f"{done} of {len(points)} points were measured before: {record.path}")
    bar = tqdm(total=len(points), initial=done, unit="point", dynamic_ncols=True)
    with bar, ctrl_c() as pressed:
        for point in missing:
            if pressed:
                break
            label = " ".join(str(value) for value in point.values())
            bar.set_description(label)
            try:
                record.add(point, measure(point, settings))
            except ExperimentError:  # no point can be measured
                raise
            except Exception:
                failed += 1
                bar.write(f"failed: {label}: {traceback.format_exc()}")
                continue
            bar.update()
    if pressed:  # in the last point, too: what would come next is not wanted
        raise KeyboardInterrupt
    return failed


@contextmanager
def ctrl_c() -> Iterator[list]:
    """The list that fills when Ctrl-C is pressed; pressed again, it interrupts.

    An interrupt right away is lost if it falls into one of JAX's callbacks from the
    garbage collector, and costs the point that is being measured.
    """
    pressed = []

    def handler(signum, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(signum)
        # Not print, which isn't safe here: it may be what was interrupted.
        note = "\nStopping when this point is measured; Ctrl-C again stops at once.\n"
        os.write(2, note.encode())

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
