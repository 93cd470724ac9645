"""Tests that are run by nohup, or in the background of a script, send signals as on a terminal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import signal, subprocess
from sandbox.signals import ignore_for_ourselves_alone
ignore_for_ourselves_alone()
signal.raise_signal({number})
print(subprocess.run(["dash", "-c", "kill -{number} $$"]).returncode, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_what_is_ignored_here_is_not_ignored_in_what_is_started(number: int) -> None:
    words = ["env", f"--ignore-signal={number:d}", sys.executable, "-c", CHILD.format(number=int(number))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert (done.returncode, done.stdout) == (0, f"-{number:d}\n"), done.stderr
