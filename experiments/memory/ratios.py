"""Numbers out of a record: times in units of plain's, exponents beside theory's."""

from experiments.bench.costs import cost, curve, paired, slope
from experiments.bench.record import Record
from experiments.bench.style import present

REVERSE = ("plain", "every other", "square root", "binomial", "budgeted")
SCHEMES = (*REVERSE, "forward")
SLOPE_FROM = 64  # steps: what one step needs outweighs the states of a short loop


def longest(record: Record) -> dict:
    """The result at the largest length, and that length in it."""
    key, result = max(record.results(), key=lambda found: found[0]["length"])
    return key | result


def relative(result: dict, program: str) -> float:
    """A program's time in units of that of jaxkit's plain reverse mode."""
    programs = result["programs"]
    return paired(programs[program], programs["jaxkit plain"])


def by_steps(result: dict, scheme: str) -> float:
    """What `relative` would be of jaxkit's scheme if to keep states took no time.

    That is, the time of all steps and their pullbacks where nothing is kept, and that
    of the steps that are evaluated again.
    """
    programs = result["programs"]
    loop = "jax while" if scheme in ("binomial", "budgeted") else "jax f"
    plain, pull, step = (
        cost(programs[name], "time") for name in ("jaxkit plain", "jaxkit pull", loop)
    )
    again = result["steps"][scheme] / result["length"] - 1
    return (pull + again * step) / plain


def exponents(record: Record, library: str) -> dict[str, float]:
    """By scheme, p in temporaries ~ length^p."""
    curves = {
        s: curve(record, "length", f"{library} {s}", "temporaries") for s in SCHEMES
    }
    return {
        scheme: slope(lengths, costs, SLOPE_FROM)
        for scheme, (lengths, costs) in curves.items()
    }


def theory(record: Record) -> dict[str, float]:
    """The same for the states that are kept."""
    lengths = [key["length"] for key, _ in record.results()]
    return {
        scheme: slope(
            lengths, [r["states"][scheme] for _, r in record.results()], SLOPE_FROM
        )
        for scheme in SCHEMES
    }


def exponents_beside(record: Record) -> list[dict[str, float]]:
    """Those of theory, and of each library."""
    return [theory(record), *(exponents(record, name) for name in present(record))]
