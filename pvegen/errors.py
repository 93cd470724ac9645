"""Exceptions to what the user reads and the exit status: the one place.

0 done; 1 mistakes in a description, or a file that cannot be written; 2 a wrong
call; 3 a fault of pvegen's, with a report to paste; 130 after ^C; 141 when the
reader of the output has gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from pvegen import __version__

MISTAKES = 1
WRONG_CALL = 2
FAULT = 3
STALE = 4
INTERRUPTED = 130
BROKEN_PIPE = 141


class Refused(Exception):
    """What was asked for cannot be done, for a reason outside of pvegen: one clear message, exit status 1.

    message: what is wrong and what to do, one line or several.
    """


class InternalError(Exception):
    """A fault of pvegen's that it noticed itself; message: what, for the report that the user pastes."""


def complain(message: str) -> None:
    """One message about a call, on standard error."""
    print(f"pvegen: {message}", file=sys.stderr)


def guarded(call: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command line; its exit status, whatever happens."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # A name that this terminal's encoding lacks must not end in a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        code = call(arguments)
        sys.stdout.flush()
        return code
    except Refused as refused:
        complain(str(refused))
        return MISTAKES
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _silence(BROKEN_PIPE)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        complain(f"{name}{error.strerror or error}")
        return _silence(MISTAKES)
    except Exception as error:
        print(_fault(error), file=sys.stderr)
        return FAULT


def _open_what_is_closed() -> None:
    """Whoever closed an output (>&-) does not want to read it: it goes nowhere, and is no fault."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open until the end


def _silence(code: int) -> int:
    """Keep Python from trying to write the rest of the output once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _fault(error: Exception) -> str:
    """A report of a fault of pvegen's, ready to paste."""
    import platform
    import traceback

    trace = "".join(traceback.format_exception(error)).rstrip()
    return "\n".join([
        "pvegen: this is a fault of pvegen's, not of your description.",
        "Please report it with everything below and, if you may, the description.",
        "",
        f"pvegen {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {sys.argv[1:]!r}",
        "",
        trace,
    ])
