"""The program from outside: the console script `backscroll`, which is the same as `python -m bots`."""

from bots.program import garbage


def main() -> None:
    """Runs the command line. A quarter of the time in which its modules are loaded was the search for garbage."""
    with garbage.loading():
        from bots.program import cli
    cli.main()


if __name__ == "__main__":
    main()
