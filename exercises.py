"""`python -m exercises` in a clone: the same as `python -m jaxkit exercise`."""

import sys

from jaxkit.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["exercise", *sys.argv[1:]]))
