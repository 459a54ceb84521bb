"""Jacobians by elimination on the graph of a linear program.

graph         vertices are numbers, edges are local partials
orders        in which order the vertices are eliminated, and what that takes
accumulation  what elimination does, as a program to print, count and run
eliminated    what users call
"""

from jaxkit.elimination.accumulation import Elimination
from jaxkit.elimination.eliminated import eliminated
from jaxkit.elimination.graph import Graph

__all__ = ["Elimination", "Graph", "eliminated"]
