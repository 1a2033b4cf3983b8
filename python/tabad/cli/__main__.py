"""`python -m tabad.cli`."""

from tabad.cli import main

main()
