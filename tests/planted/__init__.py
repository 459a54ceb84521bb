"""Faults planted in a copy of jaxkit, of which each must make the tests fail.

`python -m tests.planted` copies the tree, plants one fault after the other, and runs
the tests until one fails.
"""
