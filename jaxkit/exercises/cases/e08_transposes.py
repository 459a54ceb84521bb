import numpy as np

from jaxkit.exercises.cases import Random, call

HINTS = (
    "Where does an entry of x go, and how often? From each of these places its "
    "cotangent comes back.",
    "What is copied in A is summed in its transpose: sum over the axes that were added "
    "in front, then, with keepdims=True, over those of length 1 in `shape`. A "
    "multiplication by a number is its own transpose; it doesn't divide.",
    "np.sum takes a tuple of axes. `ct.ndim - len(shape)` axes were added; after their "
    "sum, axis i of ct is axis i of x.",
)


def cases():
    random = Random()
    shapes = {
        (): (3,),
        (3,): (2, 3),
        (1, 3): (2, 3),
        (2, 1): (4, 2, 3),
        (2, 2): (2, 2),
        (1,): (1,),
    }
    return [
        call("transpose_scale", np.array([1.0, 2.0]), np.array([3.0, 4.0])),
        call("transpose_scale", np.float64(2.0), 0.0),
        call("transpose_scale", random.array(2, 2), random.array(2, 2)),
        *[
            call("transpose_broadcast", random.array(*shape), before)
            for before, shape in shapes.items()
        ],
    ]
