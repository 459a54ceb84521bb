"""The command: `python -m tests.generated --programs 1000 --seed 0`."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import os
import sys
import time
from collections import Counter
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run programs, and print counts and what differs; returns 0 if nothing does."""
    args = parser().parse_args(argv)
    faulthandler.enable()  # where XLA ends the process, at least say where
    from tqdm import tqdm

    from zoo.nestings import FAST, xla_flags

    # XLA reads these when it is first used. One thread: LAPACK calls at once may wait
    # for each other forever (tests/harnesses).
    options = {"xla_force_host_platform_device_count": 8} | FAST
    os.environ["XLA_FLAGS"] = xla_flags(options)
    os.environ.setdefault("NPROC", "1")
    from tests.generated.hunt import RUN, Hunt
    from tests.sharing import share_contexts

    share_contexts()
    gc.set_threshold(50_000, 20, 50)  # what JAX keeps is walked through less often
    hunt, start = Hunt(), time.monotonic()
    with tqdm(total=args.programs, unit="program", dynamic_ncols=True) as bar:
        for run in range(10**9):
            left = args.programs - hunt.programs
            late = time.monotonic() - start > 60 * args.minutes
            if left <= 0 or late:
                break
            before = len(hunt.known)
            try:
                hunt.run(args.seed * 10**6 + run, bar.update, min(left, RUN))
            except KeyboardInterrupt:
                break
            for found in hunt.known[before:]:
                tqdm.write(f"\n{found}")
                if args.out:
                    with args.out.open("a") as file:
                        file.write(f"{found}\n")
    minutes = (time.monotonic() - start) / 60
    report(hunt, args.seed, minutes)
    return int(bool(hunt.known))


def report(hunt, seed: int, minutes: float) -> None:
    for title, counts in {
        "Programs by family": hunt.families,
        "Programs by primitive": hunt.primitives,
        "Transforms": hunt.transforms,
        "Differences of a known kind": hunt.repeated,
    }.items():
        print(f"\n{title}\n    {lines(counts)}")
    depths = ", ".join(f"{n} of {k}" for k, n in sorted(hunt.sizes.items()))
    print(f"\nTransforms over a program: {depths}")
    print(f"Seed {seed}: {hunt.programs} programs, {len(hunt.known)} differences; "
          f"{hunt.programs / minutes:.0f} programs a minute")  # fmt: skip


def lines(counts: Counter) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.most_common()) or "none"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tests.generated",
        description="Random programs under random transforms, jaxkit's beside JAX's.",
    )
    add = top.add_argument
    add("--programs", type=int, default=1000, metavar="N", help="how many programs")
    add("--minutes", type=float, default=1e9, metavar="N", help="stop after so long")
    add("--seed", type=int, default=0, metavar="N", help="other ones, by another seed")
    add("--out", type=Path, metavar="FILE", help="add what differs to a file, as code")
    return top


if __name__ == "__main__":
    sys.exit(main())
