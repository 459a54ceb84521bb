"""Measuring the points that a record lacks, with a progress bar."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from experiments.bench import ExperimentError
from experiments.bench.environment import load
from experiments.bench.record import Record


def complete(
    record: Record,
    points: list[dict],
    measure: Callable[[dict, dict], dict],
) -> int:
    """Add `measure(point, settings)` to the record for each point that isn't there.

    Returns how many failed. Those aren't recorded: a later run tries them again.
    Raises KeyboardInterrupt after the current point if Ctrl-C is pressed, and
    ExperimentError if `measure` does: then no point can be measured.
    """
    missing = [point for point in points if point not in record]
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
                result = measure(point, record.settings)
                record.add(point, {"load": load()} | result)
            except ExperimentError:  # no point can be measured
                raise
            except Exception:
                failed += 1
                bar.write(f"failed: {label}: {traceback.format_exc()}")
                continue
            for name, program in result.get("programs", {}).items():
                if "skipped" in program:
                    bar.write(f"skipped: {label}: {name} {program['skipped']}")
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
