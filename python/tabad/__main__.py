"""`python -m tabad`: the command line where the script is not on the path."""

from tabad.cli import main

main()
