"""Functions whose Jacobians the literature counts the multiplications of.

Four of those in J. Lohoff and E. Neftci (2024), "Optimizing Automatic Differentiation
with Deep Reinforcement Learning", written down from the sources named at each.  They
are code on scalars, and what is computed twice is computed twice: counts depend on it.
Where the paper counts a simpler function than its source has, that is said.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.numpy import arctan2, cos, sin, sqrt

# --- Gas dynamics ---------------------------------------------------------------------

GAMMA = 1.4


def pressure(density, momentum, energy):
    return (GAMMA - 1) * (energy - 0.5 * momentum**2 / density)


def enthalpy(density, energy, p):
    return (energy + p) / density


def euler_flux(density, momentum, energy, p):
    """How much mass, momentum and energy flow, in a gas without friction."""
    speed = momentum / density
    return momentum, p + momentum * speed, speed * (p + energy)


def roe_flux(l0, l1, l2, r0, r1, r2):
    """The flux between two cells of a gas, of density, momentum and energy each.

    P. L. Roe, "Approximate Riemann solvers, parameter vectors, and difference schemes"
    (1981): the mean of both fluxes, less what three waves carry, whose speeds are
    u + a, u and u - a at an averaged state.  As in the paper the last is taken for as
    fast as the middle one.
    """
    jump = r0 - l0
    density = sqrt(l0 * r0)
    weight = sqrt(l0) + sqrt(r0)

    v_l, p_l = l1 / l0, pressure(l0, l1, l2)
    h_l = enthalpy(l0, l2, p_l)
    v_r, p_r = r1 / r0, pressure(r0, r1, r2)
    h_r = enthalpy(r0, r2, p_r)
    dp, dv = p_r - p_l, v_r - v_l

    u = (sqrt(l0) * v_l + sqrt(r0) * v_r) / weight
    h = (sqrt(l0) * h_l + sqrt(r0) * h_r) / weight
    u2 = u**2
    a2 = (GAMMA - 1) * (h - 0.5 * u2)
    a = sqrt(a2)  # the speed of sound
    fast, middle, slow = jnp.abs(u + a), jnp.abs(u), jnp.abs(u)

    impedance = a * density
    middle = (jump - dp / a2) * middle
    fast = (dv + dp / impedance) * fast
    slow = (dv - dp / impedance) * slow

    left, right = euler_flux(l0, l1, l2, p_l), euler_flux(r0, r1, r2, p_r)
    both = [x + y for x, y in zip(left, right, strict=True)]
    half = 0.5 * density / a
    waves = [
        middle + half * fast - half * slow,
        middle * u + half * fast * (u + a) - half * slow * (u - a),
        middle * 0.5 * u2 + half * fast * (h + u * a) - half * slow * (h - u * a),
    ]
    return [0.5 * (x - y) for x, y in zip(both, waves, strict=True)]


# --- Robots ---------------------------------------------------------------------------

SHOULDER, UPPER_ARM, ELBOW = 175.0, 890.0, 50.0  # lengths along the links
BASE, FOREARM, HAND = 575.0, 1035.0, 185.0  # offsets along the axes, all in millimetres


def sin_of_sum(a, b):
    return cos(a) * sin(b) + sin(a) * cos(b)


def cos_of_sum(a, b):
    return cos(a) * cos(b) - sin(a) * sin(b)


def robot_arm(t1, t2, t3, t4, t5, t6):
    """Where the hand of an arm with six joints is, and its Euler angles.

    The product of the six joints' Denavit-Hartenberg matrices, for an elbow arm with a
    spherical wrist: a is the last matrix' third column, the direction in which the hand
    points, and n and o are the other two.
    """
    c1, c2, c4, c5, c6 = map(cos, (t1, t2, t4, t5, t6))
    c23 = cos_of_sum(t2, t3)
    s1, s2, s4, s5, s6 = map(sin, (t1, t2, t4, t5, t6))
    s23 = sin_of_sum(t2, t3)

    def direction_x():
        return s5 * (c1 * c23 * c4 + s1 * s4) + c1 * s23 * c5

    def direction_y():
        return s5 * (s1 * c23 * c4 - c1 * s4) + s1 * s23 * c5

    def direction_z():
        return s23 * c4 * s5 - c23 * c5

    def reach():
        return SHOULDER + UPPER_ARM * c2 + ELBOW * c23 + FOREARM * s23

    def turned():
        return c23 * s5 + s23 * c4 * c5

    a = direction_x(), direction_y(), direction_z()
    n_z = c6 * turned() - s23 * s4 * s6
    o_z = -s6 * turned() - s23 * s4 * c6
    heading = arctan2(a[1], a[0])
    tilt = arctan2(sqrt(1 - a[2] ** 2), a[2])
    roll = arctan2(o_z, -n_z)
    x = HAND * direction_x() + c1 * reach()
    y = HAND * direction_y() + s1 * reach()
    z = UPPER_ARM * s2 + BASE + ELBOW * s23 - FOREARM * c23 + HAND * direction_z()
    return x, y, z, heading, tilt, roll


# --- Systems of equations -------------------------------------------------------------


def heart_dipole(a, b, c, d, t, u, v, w):
    """Two dipoles that have given moments: the residuals of eight equations.

    From the collections of J. J. Moré, B. S. Garbow, K. E. Hillstrom (1981) and of
    MINPACK-2 (1992).  The moments, which were measured, are 1, as in the paper.
    """
    first = a + b - 1.0
    second = c + d - 1.0
    third = t * a + u * b - v * c - w * d - 1.0
    fourth = v * a + w * b + t * c + u * d - 1.0
    tv, uw = t**2 - v**2, u**2 - w**2
    fifth = a * tv - 2 * c * t * v + b * uw - 2 * d * u * w - 1.0
    sixth = c * tv + 2 * a * t * v + d * uw + 2 * b * u * w - 1.0
    ttt, vvv = t * (t**2 - 3 * v**2), v * (v**2 - 3 * t**2)
    uuu, www = u * (u**2 - 3 * w**2), w * (w**2 - 3 * u**2)
    seventh = a * ttt + c * vvv + b * uuu + d * www - 1.0
    eighth = c * ttt - a * vvv + d * uuu - b * www - 1.0
    return first, second, third, fourth, fifth, sixth, seventh, eighth


def propane_combustion(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11):
    """Propane burns in air: the residuals of eleven equations, in moles.

    K. Meintjes, A. P. Morgan (1990), and the full formulation in the collection
    MINPACK-2 (1992), at 40 atmospheres, and with ten times as much air as fuel.  The
    constants of equilibrium are 1, as in the paper.
    """
    p, air = 40.0, 10.0
    root = sqrt(p / x11)
    return (
        x1 + x4 - 3.0,
        2 * x1 + x2 + x4 + x7 + x8 + x9 + 2 * x10 - air,
        2 * x2 + 2 * x5 + x6 + x7 - 8.0,
        2 * x3 + x9 - 4 * air,
        x2 * x4 - x1 * x5,
        sqrt(x2 * x4) - sqrt(x1) * root * x6,
        sqrt(x1 * x2) - sqrt(x4) * x7 * root,
        x1 - x4 * x8 * p / x11,
        x1 * sqrt(x3) - x4 * x9 * root,
        x1**2 - x4**2 * x10 * p / x11,
        x11 - x1 - x2 - x3 - x4 - x5 - x6 - x7 - x8 - x9 - x10,
    )


# --- What the paper counts ------------------------------------------------------------


class Counted(NamedTuple):
    """A function, a point, and products in the paper's table 1.

    `forward` and `reverse` are those of these orders, and `agent` those of the order
    that a learned agent found.
    """

    f: Callable
    point: tuple[float, ...]
    forward: int
    reverse: int
    agent: int


COUNTED = [
    Counted(roe_flux, (1.0, 0.3, 2.5, 0.7, 0.5, 2.0), 620, 364, 320),
    Counted(robot_arm, (0.3, 0.5, -0.4, 0.6, 0.9, -0.2), 397, 301, 231),
    Counted(heart_dipole, (0.3, 0.8, -0.2, 1.1, 0.9, 1.3, 0.6, -0.7), 240, 172, 148),
    Counted(
        propane_combustion,
        (1.2, 1.5, 18.0, 1.9, 0.6, 1.0, 0.8, 0.5, 0.9, 0.7, 30.0),
        *(151, 90, 88),
    ),
]
