"""Copies of a script that are not what was built: nothing is done, and the message says what is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from faults.sample import EVERY
from sandbox import SHELLS, Sandbox

from . import support
from .conftest import Make
from .support import PLACE

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
SEED = 20261124
ALONE = support.ONE.format(target="alt-p8")

# Runs "apply" on damaged copies of a script, each made of the whole one by a list
# [offset, bytes to take away there, bytes to put in]; prints [exit status, stdout, stderr] of each.
RUNNER = """
import json, subprocess, sys
shell, damages = json.load(sys.stdin)
whole = open("/root/pve1.sh", "rb").read()
results = []
for offset, taken, put in damages:
    with open("/root/bad.sh", "wb") as copy:
        copy.write(whole[:offset] + bytes(put) + whole[offset + taken:])
    null = subprocess.DEVNULL
    done = subprocess.run([*shell, "bad.sh", "apply"], stdin=null, capture_output=True, cwd="/root", timeout=20)
    results.append([done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")])
print(json.dumps(results))
"""
Damage = tuple[int, int, list[int]]


def refused(box: Sandbox, shell: str, damages: Sequence[Damage]) -> list[tuple[Damage, int, str]]:
    """Runs the damaged copies; (damage, exit status, output) of each, the node as it was."""
    before = support.picture(box)
    box.forget_calls()
    given = json.dumps([SHELLS[shell], damages])
    done = box.run(["/usr/bin/python3", "-c", RUNNER], stdin=given, timeout=600).check()
    box.remove("/root/bad.sh")
    found = []
    for damage, (status, out, err) in zip(damages, json.loads(done.stdout), strict=True):
        assert "TAP version" not in out and "Bail out!" not in out, (damage, status, out, err)
        found.append((damage, status, out + err))
    assert support.untouched(before, support.picture(box)) == []
    assert box.calls() == []
    return found


def flips(text: bytes, places: Sequence[int], dice: random.Random) -> list[Damage]:
    """One bit of the byte at each place."""
    return [(at, 1, [text[at] ^ 1 << dice.randrange(8)]) for at in places]


@pytest.mark.trap("B13")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_copy_with_one_bit_wrong(make: Make, shell: str) -> None:
    """In the lines down to the check each byte once, below them a sample; also zero bytes."""
    box = make(ALONE, held=HELD)
    text = box.read(PLACE).encode()
    head = text.index(b"\nfi\n")
    dice = random.Random(f"{SEED} {shell}")
    every = 1 if EVERY or shell == "dash" else 9
    places = range(dice.randrange(every), head, every)
    damages = flips(text, places, dice)
    damages += flips(text, sorted(dice.sample(range(head, len(text)), 60)), dice)
    damages += [(at, 1, [0]) for at in places]
    damages += [(at, 0, [0]) for at in dice.sample(range(len(text)), 20)]
    for (at, *damage), status, err in refused(box, shell, damages):
        line = text.count(b"\n", 0, at) + 1
        where = f"seed {SEED}: byte {at} in line {line}, {damage}: {status} {err}"
        if shell == "yash" and damage[1] == [0] and at <= head:
            continue  # to yash a zero byte is the end of the script
        assert status != 0, where
        # A message may be lost with the bits of the line that says it.
        said_here = text.splitlines()[line - 1].rpartition(b"\n")[2]
        assert err or (status == 78 and at < head and (b">&2" in said_here or b"/fd/2" in said_here)), where
        if at > head:
            assert status == 78 and "This copy is damaged: its digest is " in err, where


@pytest.mark.trap("B13")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_copy_that_was_cut_short(make: Make, shell: str) -> None:
    box = make(ALONE, held=HELD)
    text = box.read(PLACE).encode()
    head = text.index(b"\nfi\n")
    lengths = [*(len(text) * part // 50 for part in range(1, 50)), len(text) - 1, len(text) - 2]
    assert lengths[0] > head - 600
    for (length, _, _), status, err in refused(box, shell, [(length, len(text), []) for length in lengths]):
        assert status != 0 and err, (length, status, err)
        if length > head:
            assert status == 78 and "Copy it again." in err, (length, status, err)


CALLS = {"a file": "{shell} pve1.sh check", "a pipe": "cat pve1.sh | {shell} -s check", "input": "{shell} <pve1.sh"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("way", CALLS)
def test_a_whole_copy_is_read_from_a_file_a_pipe_and_standard_input(make: Make, shell: str, way: str) -> None:
    """Files that bear the name of the shell have no part in it."""
    box = make(ALONE, held=HELD)
    words = " ".join(SHELLS[shell])
    for name in ("sh", "-s", "check", *(word.rpartition("/")[2] for word in SHELLS[shell])):
        box.put(f"/root/{name}", "touch /root/canary\n", 0o755)
    done = box.run(CALLS[way].format(shell=words), cwd="/root")
    assert (done.status, done.stderr) == (2, ""), done
    assert "# Changes that wait: " in done.stdout
    assert not box.exists("/root/canary")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_damaged_copy_on_standard_input_is_seen_where_it_is_a_file(make: Make, shell: str) -> None:
    box = make(ALONE, held=HELD)
    box.put(PLACE, support.changed(box.read(PLACE), ("Europe/Moscow", "Europe/Moskow")))
    done = box.run(f"{' '.join(SHELLS[shell])} -s apply </root/pve1.sh")
    assert (done.status, done.stdout) == (78, "") and "This copy is damaged" in done.stderr, done


def test_a_script_that_was_edited_is_told_from_what_was_built(make: Make) -> None:
    """And a script that is found through the PATH cannot be looked at."""
    box = make(ALONE, held=HELD)
    built = box.read(PLACE).split("\n")[1].removeprefix("digest=").strip("'")
    assert box.run("sed 2d /root/pve1.sh | sha256sum").stdout.split()[0] == built
    box.run("sed -i s/Europe/Asia/ /root/pve1.sh; cp /root/pve1.sh /usr/bin/edited.sh").check()
    now = box.run("sed 2d /root/pve1.sh | sha256sum").stdout.split()[0]
    done = support.apply(box, tap=False)
    assert (done.status, done.stdout) == (78, "")
    assert f"its digest is {now}, and the one that was built has {built}. Copy it again." in done.stderr
    assert "edit the description or the snippets instead" in done.stderr
    done = box.run_file("edited.sh", "check", shell="bash")
    assert done.status == 78 and "run the script by its path" in done.stderr, done


def test_without_sha256sum_nothing_is_done(make: Make) -> None:
    box = make(ALONE, held=HELD)
    box.run("mv /usr/bin/sha256sum /usr/bin/sha256sum.away").check()
    done = support.apply(box, tap=False)
    assert (done.status, done.stdout) == (78, "") and "its digest is ?" in done.stderr, done


def test_admit_keeps_no_damaged_copy(make: Make) -> None:
    """The file may have become another since the shell has read its head."""
    box = make(held=["pveproxy"])
    support.apply(box).expect(0)
    support.edit(box, ('\nmain "$@"\n', "\nprintf '\\n# more\\n' >>/root/pve1.sh\nmain \"$@\"\n"))
    done = support.run(box, "admit", tap=False)
    assert done.status == 78 and "run the script as a file" in done.stderr, done
    assert not box.exists(f"{support.STATE}/mypve/close.sh")
