"""The command `pvegen`, also as `python -m pvegen`.

What it is made of is loaded inside, so that ^C meets no traceback even before anything runs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process."""
    try:
        from pvegen import main as command

        command.main()
    except KeyboardInterrupt:
        print("pvegen: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
