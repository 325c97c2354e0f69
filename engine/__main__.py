"""The way in: ``engine …`` or ``python -m engine …``."""

import sys


def main() -> None:
    """Run the command line.

    Assertions guard money here, so a Python that drops them is refused.
    """
    if not __debug__:
        sys.exit("engine does not run under python -O: its assertions guard money")
    from engine.cli.app import run

    run()


if __name__ == "__main__":
    main()
