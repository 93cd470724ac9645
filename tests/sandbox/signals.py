"""Signals that this run of the tests was told to ignore, as after nohup or in the background of a script."""

import signal

_OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def ignore_for_ourselves_alone() -> None:
    """Goes on without heeding them, but has what tests start begin with none ignored, as it would on a terminal.

    What is ignored stays ignored in every program that is started, and a shell cannot catch it there; what is caught
    is not.
    """
    for number in _OF_TERMINALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
