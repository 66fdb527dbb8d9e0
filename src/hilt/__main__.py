"""`python -m hilt` is `hilt`."""

from hilt.cli import main

main()
