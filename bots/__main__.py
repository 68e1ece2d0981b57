"""`python -m bots`: the same as the console script `backscroll`."""

from bots.program.cli import main

if __name__ == "__main__":
    main()
