"""A running node as tests reach into it: commands and files; whatever keeps it running is made elsewhere."""

import dataclasses
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence

from .inroot import Root
from .patience import LONGEST
from .shells import shell_command
from .terminal import run_on_terminal
from .trees import Tree, read_tree

# Without these a node waits 10 s for a name server that does not answer.
_ENVIRONMENT = {"RES_OPTIONS": "timeout:1 attempts:1"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command left: its exit status (128 + N after signal N) and what it wrote."""

    status: int
    stdout: str
    stderr: str

    def check(self) -> "Result":
        """Itself where the status is 0, else an AssertionError with all that was written."""
        assert self.status == 0, f"exit status {self.status}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"
        return self


class Machine:
    """What a node of any kind is to a test. pid: its first process, as numbered here; root: its root directory."""

    pid = 0
    root: Root

    def _enter(self) -> list[str]:
        """The words before those of a command that runs it inside the node."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p"]

    # Commands ---------------------------------------------------------------------------------------------------

    def run(
        self,
        command: str | Sequence[str],
        *,
        shell: str = "dash",
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        cwd: str = "/",
        user: str | None = None,
        tty: bool = False,
        answers: Mapping[str, str | None] | None = None,
    ) -> Result:
        """Runs an argv, or a script text in SHELL, inside the node, as root in a bare environment.

        Returns when that process ends; what it left in the background lives on. stdin None is /dev/null; with tty
        the command has a terminal, to which stdin is typed line by line as somebody reads, or, with answers
        {part of a prompt: line}, each line when it is asked for. A user is a name of the node's /etc/passwd.
        Raises subprocess.TimeoutExpired after TIMEOUT seconds, everything in the command's session killed.
        """
        words = [*shell_command(shell), "-c", command] if isinstance(command, str) else list(command)
        full = {"PATH": PATH, "HOME": "/root", "LANG": "C", "LOGNAME": "root", "USER": "root", **_ENVIRONMENT}
        full |= env or {}
        prefix = self._enter()
        if cwd != "/":
            prefix += ["env", "-C", cwd]
        if user is not None:
            entry = next(line for line in self.read("/etc/passwd").splitlines() if line.startswith(f"{user}:"))
            uid, gid = entry.split(":")[2:4]
            prefix += ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        if tty or answers is not None:
            return Result(*run_on_terminal([*prefix, *words], full, data or b"", timeout * LONGEST, self.pid, answers))
        return _run([*prefix, *words], full, data, timeout * LONGEST)

    def run_file(self, path: str, *arguments: str, shell: str = "dash", **options: object) -> Result:
        """Runs the script at PATH in the node by SHELL, as `sh PATH ARGUMENTS` does; OPTIONS are those of run."""
        return self.run([*shell_command(shell), path, *arguments], **options)  # type: ignore[arg-type]

    # Files ------------------------------------------------------------------------------------------------------

    def put(self, path: str, content: str | bytes, mode: int | None = None) -> None:
        """Writes a file in the node, through links; makes the directories above it."""
        self.root.write(path, content.encode() if isinstance(content, str) else content, mode)

    def read(self, path: str) -> str:
        """The text of a file in the node."""
        return self.root.read(path).decode(errors="backslashreplace")

    def exists(self, path: str) -> bool:
        """Whether anything stands at PATH, a dangling link included."""
        return self.root.lstat(path) is not None

    def remove(self, path: str) -> None:
        """Removes a file, a link, or a directory with all in it; nothing there is no error."""
        self.root.remove(path)

    def tree(self, *roots: str, skip: Sequence[str] = ()) -> Tree:
        """What stands below ROOTS in the running node."""
        return read_tree(self.root, roots, skip)


def _run(words: list[str], env: dict[str, str], data: bytes | None, timeout: float) -> Result:
    """Runs WORDS to the end of their first process; output goes to memory, so that nobody waits for a pipe."""
    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
    source = subprocess.DEVNULL
    try:
        if data is not None:
            source = os.memfd_create("stdin")
            os.write(source, data)
            os.lseek(source, 0, os.SEEK_SET)
        with subprocess.Popen(words, stdin=source, stdout=out, stderr=err, env=env, start_new_session=True) as process:
            if not _ended(process, timeout):
                os.killpg(process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, timeout, _content(out), _content(err))
            status = process.wait()
        return Result(status if status >= 0 else 128 - status, _content(out), _content(err))
    finally:
        for fd in (out, err, source):
            if fd >= 0:
                os.close(fd)


def _ended(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Whether PROCESS has ended within TIMEOUT seconds, seen at once: Popen.wait looks only every 50 ms."""
    watch = os.pidfd_open(process.pid)
    try:
        return bool(select.select([watch], [], [], timeout)[0])
    finally:
        os.close(watch)


def _content(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(os.dup(fd), "rb") as file:
        return file.read().decode(errors="backslashreplace")
