"""Root's password of the member, of a join through the API: read once, told to nobody, and the terminal left whole."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

import pytest
from sandbox import SHELLS, Saved
from sandbox.shells import shell_command

from . import support
from .nodes import Nodes, bail, description, members
from .support import Run
from .test_join_api import BY_API, adds, fingerprint, join

pytestmark = pytest.mark.sandbox

TEXT = description("alt-p11", 2, cluster=BY_API)
PROMPT = "Root's password on pve1: "
SECRET = "Tell nobody, 41%"
ENCODED = "".join(f"%{byte:02x}" for byte in SECRET.encode())
NAMES = ("password", "api_body", "api_line", "api_ticket", "api_token", "ticket_time")
"""The variables that hold a secret."""


@pytest.fixture(scope="module")
def before() -> Mapping[str, Saved]:
    """pve1 with its cluster; pve2 with all that comes before the join."""
    with Nodes(TEXT, root_password=SECRET) as nodes:
        nodes.apply("pve1").expect(0)
        stopped = join(nodes, "pve2", password="wrong")
        assert stopped.status == 1 and "does not let root in by this password" in bail(stopped), str(stopped)
        return nodes.save()


@pytest.fixture
def nodes(before: Mapping[str, Saved]) -> Iterator[Nodes]:
    """A pair that the test may join."""
    with Nodes(TEXT, root_password=SECRET, saved=before) as pair:
        pair["pve2"].forget_calls()
        yield pair


@pytest.fixture(scope="module")
def kept(before: Mapping[str, Saved]) -> Iterator[Nodes]:
    """A pair that no test joins."""
    with Nodes(TEXT, root_password=SECRET, saved=before) as pair:
        yield pair


@pytest.fixture
def unjoined(kept: Nodes) -> Iterator[Nodes]:
    """The pair, seen to be unjoined after the test too."""
    kept["pve2"].forget_calls()
    yield kept
    assert adds(kept["pve2"]) == []
    assert members(kept["pve1"]) == {"pve1": True}


# Where it goes --------------------------------------------------------------------------------------------------------


def traced(*words: str) -> list[str]:
    """WORDS under strace: all that is executed, with words and environment, and all that is written, with where to.

    strace lives as long as the services that the run starts, and must not be waited for (-D).
    """
    calls = "trace=execve,execveat,write,pwrite64,writev,sendto,sendmsg"
    return ["strace", "-f", "-D", "-qq", "-y", "-v", "-s", "100000", "-e", calls, "-o", "/dev/shm/trace", *words]


def tells(text: str) -> bool:
    """Whether TEXT has the password in it, as it is or encoded, or a ticket."""
    return SECRET in text or ENCODED in text or "PVEAuthCookie=PVE" in text


def holds_nothing(nodes: Nodes) -> None:
    """Nothing holds the password on either node's disk, in /run, /dev/shm and the log; the trace is taken away first."""
    for name in ("pve1", "pve2"):
        found = nodes[name].changes() | nodes[name].tree("/run", "/dev/shm", "/tmp", "/var/log", "/var/lib/pvegen")
        for path, entry in found.items():
            if entry.kind == "file" and isinstance(entry.content, bytes):
                assert not tells(entry.content.decode(errors="replace")), f"{name}: {path}"


def passed_by_pipes(nodes: Nodes) -> None:
    """Of all that was executed and written, only what went into a pipe, named or not, told the password."""
    lines = nodes["pve2"].read("/dev/shm/trace").splitlines()
    nodes["pve2"].remove("/dev/shm/trace")
    assert any("execve" in line and '"pvecm"' in line for line in lines)
    telling = [line for line in lines if tells(line)]
    # From the reader, to od, to openssl, and to pvecm, at least: the trace has seen it.
    assert len(telling) >= 4
    allowed = r"^\d+ +write\(1<(pipe:|socket:|/run/pvegen/line>)"
    assert [line[:200] for line in telling if not re.search(allowed, line)] == []


@pytest.mark.trap("B22")
@pytest.mark.parametrize("shell", SHELLS)
def test_no_word_of_a_command_no_variable_and_no_file_holds_it(nodes: Nodes, shell: str) -> None:
    """Where the caller exports our names, and starts the shell so that it traces, and exports all that is set."""
    words = traced(*shell_command(shell), "-a", "-x", "/root/pve2.sh", "apply", "--fingerprint", fingerprint(nodes))
    words += ["--receipt", "/root/pve2.receipt"]
    given = f"exec 3<<END\n{SECRET}\nEND\n{shlex.join([*words, '--password-fd', '3'])}"
    done = nodes["pve2"].run(given, env=dict.fromkeys(NAMES, "mine"), timeout=180)
    assert done.status == 0, done
    nodes.agree()
    passed_by_pipes(nodes)
    holds_nothing(nodes)
    assert not tells(done.stdout + done.stderr)
    receipt = nodes["pve2"].read("/root/pve2.receipt")
    assert "\nstatus 0\n" in receipt and not tells(receipt)


@pytest.mark.trap("B22")
def test_nor_where_it_was_typed(nodes: Nodes) -> None:
    words = traced("sh", "/root/pve2.sh", "apply", "--fingerprint", fingerprint(nodes))
    done = nodes["pve2"].run(f"stty echo; {shlex.join(words)}", answers={PROMPT: SECRET}, timeout=180)
    assert done.status == 0, done
    nodes.agree()
    passed_by_pipes(nodes)
    holds_nothing(nodes)
    assert not tells(done.stdout)


@pytest.mark.trap("B22")
def test_a_shell_that_knows_it_leaves_no_core_file(unjoined: Nodes) -> None:
    """od is started with the password in the memory of the shell."""
    box = unjoined["pve2"]
    box.put("/usr/sbin/od", '#!/bin/sh\nulimit -c >/tmp/core-limit\nexec /usr/bin/od "$@"\n', 0o755)
    words = shlex.join(["sh", "/root/pve2.sh", "apply", "--fingerprint", fingerprint(unjoined), "--password-fd", "0"])
    try:
        assert box.run(f"ulimit -c 1024 && {words}", stdin="wrong\n", timeout=90).status == 1
    finally:
        box.remove("/usr/sbin/od")
    assert box.read("/tmp/core-limit") == "0\n"


# How it comes ---------------------------------------------------------------------------------------------------------


def refused(nodes: Nodes, *words: str, **more: object) -> Run:
    """A refusal with nothing changed but the log."""
    before = support.picture(nodes["pve2"], skip=[support.LOG])
    done = nodes.apply("pve2", *words, tap=False, **more)
    assert done.status == 78, str(done)
    assert support.untouched(before, support.picture(nodes["pve2"], skip=[support.LOG])) == []
    return done


@pytest.mark.parametrize("number", [0, 3, 7])
def test_a_descriptor_that_gives_nothing(unjoined: Nodes, number: int) -> None:
    done = refused(unjoined, "--fingerprint", fingerprint(unjoined), "--password-fd", str(number))
    assert f"descriptor {number} gives no line" in done.stdout


def test_an_empty_line_is_no_password(unjoined: Nodes) -> None:
    done = refused(unjoined, "--fingerprint", fingerprint(unjoined), "--password-fd", "0", stdin="\nsecond\n")
    assert "descriptor 0 gives no line" in done.stdout


@pytest.mark.trap("B22")
def test_a_descriptor_that_is_a_terminal_would_show_it(unjoined: Nodes) -> None:
    words = ("--fingerprint", fingerprint(unjoined), "--password-fd", "0")
    done = refused(unjoined, *words, answers={"": SECRET})
    assert "descriptor 0 is a terminal" in done.stdout
    assert SECRET not in done.stdout


@pytest.mark.trap("K4")
def test_without_a_terminal_and_without_a_descriptor(unjoined: Nodes) -> None:
    done = refused(unjoined, "--fingerprint", fingerprint(unjoined))
    assert "there is no terminal to ask for the password on" in done.stdout


# The terminal ---------------------------------------------------------------------------------------------------------

# Killed once it has asked and waits: for head, which reads the line and has its end of the pipe by then.
KILLED = """
rm -f /tmp/asking
stty echo
{ until stty -a </dev/tty | grep -q -w -e -echo && pgrep -x head >/dev/null &&
    grep -q 'State:.S' "/proc/$(cat /tmp/asking)/status"; do sleep 0.05; done
kill -%s "$(cat /tmp/asking)"; } 2>/dev/null &
sh -c 'echo $$ >/tmp/asking; exec "$@"' sh %s
echo "status $?"
stty -a | grep -o -w -e '-*echo'
"""
# A read of yash's is not broken off by a signal that goes to the shell alone: the trap waits for its end.
BROKEN_OFF = [shell for shell in SHELLS if shell != "yash"]
STATUS = {"HUP": 129, "INT": 130, "QUIT": 131, "TERM": 143}


@pytest.mark.trap("B24")
@pytest.mark.parametrize(
    ("shell", "signal"), [(shell, "TERM") for shell in BROKEN_OFF] + [("dash", name) for name in ("HUP", "INT", "QUIT")]
)
def test_killed_while_it_is_asked_for_the_terminal_shows_again(unjoined: Nodes, shell: str, signal: str) -> None:
    box = unjoined["pve2"]
    words = [*shell_command(shell), "/root/pve2.sh", "apply", "--fingerprint", fingerprint(unjoined)]
    done = box.run(KILLED % (signal, shlex.join(words)), answers={PROMPT: None}, timeout=60)
    assert PROMPT in done.stdout
    assert f"status {STATUS[signal]}\necho\n" in done.stdout, done.stdout
    support.until_free(box)


@pytest.mark.trap("B24")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({PROMPT: ""}, "no password was given"),
        ({"none of these": ""}, "no password was given"),
        ({PROMPT: "wrong"}, "pve1 does not let root in by this password"),
    ],
    ids=["empty", "end", "wrong"],
)
def test_after_a_slip_the_terminal_shows_again(unjoined: Nodes, shell: str, typed: dict[str, str], said: str) -> None:
    words = shlex.join([*shell_command(shell), "/root/pve2.sh", "apply", "--fingerprint", fingerprint(unjoined)])
    script = f"stty echo; {words}; echo status $?; stty -a | grep -o -w -e '-*echo'"
    done = unjoined["pve2"].run(script, answers=typed, timeout=60)
    assert said in done.stdout and "status 1\necho\n" in done.stdout, done.stdout
    assert "wrong" not in done.stdout


def with_limit(nodes: Nodes, seconds: int) -> str:
    """Another copy of pve2's script, which waits for a password for so long; its place."""
    place = "/root/other/pve2.sh"
    # Shorter than a description may state.
    support.edit(nodes["pve2"], ("limit_password=300", f"limit_password={seconds}"), path="/root/pve2.sh", to=place)
    return place


@pytest.mark.parametrize("shell", SHELLS)
def test_a_terminal_on_which_nobody_types(unjoined: Nodes, shell: str) -> None:
    words = [*shell_command(shell), with_limit(unjoined, 2), "apply", "--fingerprint", fingerprint(unjoined)]
    script = f"stty echo; {shlex.join(words)}; echo status $?; stty -a | grep -o -w -e '-*echo'"
    done = unjoined["pve2"].run(script, answers={PROMPT: None}, timeout=60)
    assert "no password was given in 2 s" in done.stdout and "status 1\necho\n" in done.stdout, done.stdout
    support.until_free(unjoined["pve2"])
    assert not unjoined["pve2"].exists("/run/pvegen/line")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_descriptor_that_stays_silent(unjoined: Nodes, shell: str) -> None:
    words = [*shell_command(shell), with_limit(unjoined, 2), "apply", "--fingerprint", fingerprint(unjoined)]
    script = f"mkfifo /tmp/silent; {shlex.join([*words, '--password-fd', '3'])} 3<>/tmp/silent"
    done = unjoined["pve2"].run(f"rm -f /tmp/silent; {script}", timeout=60)
    assert done.status == 78 and "descriptor 3 gives no line in 2 s" in done.stdout, done
    support.until_free(unjoined["pve2"])
    assert not unjoined["pve2"].exists("/run/pvegen/line")


@pytest.mark.parametrize("given", [False, True], ids=["silent", "a line"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_while_the_line_is_waited_for(unjoined: Nodes, shell: str, given: bool) -> None:
    """A child that ends just then breaks the opening of the pipe off in some shells: the other end would wait for ever."""
    words = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        "/run/pvegen/line",
        "-e",
        "inject=open,openat:error=EINTR:when=1",
    ]
    words += [*shell_command(shell), with_limit(unjoined, 2), "apply", "--fingerprint", fingerprint(unjoined)]
    line = "echo wrong >&3; " if given else ""
    script = f"exec 3<>/tmp/waited; {line}{shlex.join([*words, '--password-fd', '3'])}"
    done = unjoined["pve2"].run(f"rm -f /tmp/waited; mkfifo /tmp/waited; {script}", timeout=60)
    said = "does not let root in by this password" if given else "descriptor 3 gives no line in 2 s"
    assert done.status and said in done.stdout, done
    support.until_free(unjoined["pve2"])
    assert not unjoined["pve2"].exists("/run/pvegen/line")


@pytest.mark.trap("B24")
@pytest.mark.parametrize("shell", SHELLS)
def test_killed_by_kill_the_terminal_shows_again(unjoined: Nodes, shell: str) -> None:
    words = [*shell_command(shell), "/root/pve2.sh", "apply", "--fingerprint", fingerprint(unjoined)]
    script = KILLED % ("KILL", shlex.join(words))
    look = "stty -a | grep -o -w -e '-*echo'"
    assert look in script
    again = "i=0; while stty -a | grep -q -w -e -echo; do i=$((i+1)); [ $i -lt 400 ] || break; sleep 0.05; done"
    done = unjoined["pve2"].run(script.replace(look, f"{again}; {look}"), answers={PROMPT: None}, timeout=90)
    assert "status 137\necho\n" in done.stdout, done.stdout
    support.until_free(unjoined["pve2"])


def test_no_asking_where_the_terminal_cannot_be_kept_from_showing_it(unjoined: Nodes) -> None:
    box = unjoined["pve2"]
    box.put("/usr/sbin/stty", '#!/bin/sh\n[ "$1" != -echo ] || exit 1\nexec /usr/bin/stty "$@"\n', 0o755)
    try:
        done = unjoined.apply("pve2", "--fingerprint", fingerprint(unjoined), answers={PROMPT: SECRET})
    finally:
        box.remove("/usr/sbin/stty")
    assert done.status == 1 and "there is no terminal to ask for the password on" in done.stdout, str(done)
    assert PROMPT not in done.stdout
