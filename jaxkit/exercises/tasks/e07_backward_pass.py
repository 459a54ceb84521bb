"""7. The backward pass over a tape.

A tape lists the nodes of one run, operands before what uses them; the last is the
output.  A node is a pair (operands, partials): the numbers of its operands, counted
from 0, and its derivative with respect to each of them.  Inputs have no operands.

The adjoint of a node is the derivative of the output with respect to it.  That of the
output is 1.  Walked backwards, each node n gives to each of its operands a:

    adjoint of a  +=  adjoint of n  *  dn/da

Example: the tape of x * x at x = 3 is [((), ()), ((0, 0), (3.0, 3.0))]; the operand is
used twice.  Its adjoints are [6.0, 1.0].
"""


def backward(tape):
    """The adjoints of all nodes, a list; 0 where the output doesn't depend on one."""
    raise NotImplementedError("your code here")
