"""A process that holds namespaces alive, and dies with whoever started it."""

import subprocess
from collections.abc import Sequence


class Holder:
    """A started command that printed a line "ready" and ends when its standard input does.

    The writing end of that pipe is ours alone: however this process ends, kill -9 included, the kernel closes it,
    the held process sees the end of its input and goes, and its namespaces, mounts and processes go with it.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        if self._process.stdout.readline() != b"ready\n":
            error = self._process.stderr.read().decode(errors="replace").strip()
            self.close()
            raise RuntimeError(f"could not make namespaces: {error}")

    @property
    def pid(self) -> int:
        """The process started: of `unshare --fork` the parent, which stays outside the new pid namespace."""
        return self._process.pid

    def child(self) -> int:
        """The one child of the process started: pid 1 of the new pid namespace, as numbered outside."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            return int(file.read().split()[0])

    def kill(self) -> None:
        """Ends it at once, and waits until it is gone."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Lets it end, and waits until it is gone."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
        self._process.wait()
