"""Receipts: what a run leaves behind, in every shell; and that they never change what a run does or how it ends."""

from __future__ import annotations

import hashlib
import re

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .conftest import Make
from .nodes import shells_and_targets

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
ALONE = {target: support.ONE.format(target=target) for target in support.TEXTS}
APPLIED = "/var/log/pvegen/alone.apply.receipt"
VERIFIED = "/var/log/pvegen/alone.verify.receipt"


def lines(box: Sandbox, path: str = APPLIED) -> list[str]:
    """A receipt's lines, whose digest was seen to be theirs."""
    text = box.read(path)
    assert text.endswith("\n")
    rest, _, last = text[:-1].rpartition("\n")
    letters = dict(zip("2345679ACFHJKPRX", "0123456789abcdef", strict=True))
    found = "".join(letters[c] for c in last.removeprefix("digest ").replace("-", "")[:20])
    assert hashlib.sha256(f"{rest}\n".encode()).hexdigest()[:20] == found
    return rest.split("\n")


def value(found: list[str], key: str) -> str:
    return next(line.removeprefix(f"{key} ") for line in found if line.startswith(f"{key} "))


@pytest.mark.parametrize(("target", "shell"), shells_and_targets())
def test_apply_leaves_a_receipt_of_what_it_found(make: Make, target: str, shell: str) -> None:
    box = make(ALONE[target], held=HELD)
    run = support.apply(box, "--only", "names", shell=shell).expect(0)
    found = lines(box)
    assert found[0] == "pvegen-receipt 1"
    wanted = {
        "cluster": "alone",
        "node": "pve1",
        "call": "apply",
        "status": "0",
        "part": "only names",
        "target": target,
    }
    assert {key: value(found, key) for key in wanted} == wanted
    assert value(found, "script") == box.read(support.PLACE).splitlines()[1].removeprefix("digest=").strip("'")
    assert [line for line in found if line.startswith("step ")] == ["step requirements ok", "step names ok"]
    assert any(re.match(r"point ok - /etc/hosts", line) for line in found)
    assert value(found, "name").startswith("10.0.0.251 pve1")
    assert abs(int(value(found, "ended").split()[0]) - int(box.run("date +%s").stdout)) < 300
    assert f"# Receipt: {APPLIED}, digest " in run.stdout
    assert run.stdout.rpartition("digest ")[2].split()[0] == box.read(APPLIED).split()[-1]
    assert box.run(["stat", "-c", "%a %u", APPLIED]).stdout == "600 0\n"


@pytest.mark.parametrize("shell", ["dash", "busybox", "bash-posix"])
def test_verify_and_failures_leave_one_too(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    run = support.verify(box, shell=shell)
    assert run.status == 1
    found = lines(box, "/var/log/pvegen/alone.verify.receipt")
    assert value(found, "status") == "1" and "step names failed" in found
    box.run("mv /etc/hosts /etc/hosts.real; ln -s hosts.real /etc/hosts").check()
    before = support.picture(box)
    assert support.apply(box, "--only", "names", shell=shell).status == 78
    assert support.untouched(before, support.picture(box)) == []
    assert support.apply(box, "--only", "names", "--receipt", "/root/r", shell=shell).status == 78
    found = lines(box, "/root/r")
    assert value(found, "status") == "78" and "step requirements failed" in found and value(found, "bail")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("call", "place"), [("verify", VERIFIED), ("check", "/root/r")])
@pytest.mark.parametrize(("signal", "status"), [("HUP", 129), ("INT", 130), ("TERM", 143)])
def test_a_look_that_a_signal_ends_leaves_one(
    make: Make, shell: str, call: str, place: str, signal: str, status: int
) -> None:
    """In the place of an earlier one, which said that all is well: verify in a step, check while it writes its own."""
    box = make(ALONE["alt-p11"], held=HELD)
    support.apply(box, "--only", "names").expect(0)
    words = [call, "--only", "names", *(["--receipt", place] if call == "check" else [])]
    support.run(box, *words).expect(0)
    assert value(lines(box, place), "status") == "0"
    # The first of the run's processes is its shell.
    box.put(
        "/usr/sbin/getent",
        f"#!/bin/sh\nkill -{signal} $(pgrep -o -f 'pve1.sh {call}')\nexec /usr/bin/getent \"$@\"\n",
        0o755,
    )
    run = support.run(box, *words, shell=shell, tap=False)
    assert run.status == status and "Bail out! interrupted in names; nothing was changed" in run.stdout, str(run)
    found = lines(box, place)
    assert (value(found, "status"), value(found, "bail")) == (str(status), "interrupted in names; nothing was changed")
    assert ("step names ok" in found) == (call == "check")
    assert [name for name in box.run("ls /root /var/log/pvegen").stdout.split() if ".new" in name] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_whoever_reads_a_look_may_go_away_or_be_ended_with_it(make: Make, shell: str) -> None:
    """verify | head, and ^C on verify | tee: the receipt is there, and says how the run has ended."""
    box = make(ALONE["alt-p11"], held=HELD)
    support.apply(box, "--only", "names").expect(0)
    words = " ".join([*SHELLS[shell], support.PLACE, "verify", "--only", "names"])
    box.put(VERIFIED, "an earlier one\n")
    box.run(f"{words} | head -n 1").check()
    assert value(lines(box, VERIFIED), "status") == "0"
    run = "'^[^ (]+( [^ (]+)* /root/pve1.sh verify'"
    stop = f"kill -INT $(pgrep -o -f {run}) $(pgrep -x tee)"
    box.put(
        "/usr/sbin/getent",
        f'#!/bin/sh\n{stop}; while pgrep -x tee; do sleep 0.05; done\nexec /usr/bin/getent "$@"\n',
        0o755,
    )
    box.run(f"({words}) 2>/tmp/said | tee /tmp/seen; while pgrep -f {run}; do sleep 0.05; done")
    assert value(lines(box, VERIFIED), "status") == "130"
    assert box.read("/tmp/said") == ""


def test_a_look_that_is_killed_leaves_none(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    support.apply(box, "--only", "names").expect(0)
    support.verify(box)
    assert box.exists(VERIFIED)
    box.put("/usr/sbin/getent", "#!/bin/sh\nkill -KILL $(pgrep -o -f 'pve1.sh verify')\n", 0o755)
    assert support.run(box, "verify", "--only", "names", tap=False).status == 137
    assert not box.exists(VERIFIED)


def test_the_last_run_has_the_only_receipt(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    for _ in range(3):
        support.apply(box, "--only", "names").expect(0)
    assert box.run("ls /var/log/pvegen").stdout.split() == ["alone.apply.receipt", "alone.last", "alone.log"]
    support.run(box, "rollback").expect(0)
    assert "receipt" not in box.run("ls /var/log/pvegen").stdout


def test_a_run_that_is_killed_leaves_no_receipt_of_an_earlier_one(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    support.apply(box, "--only", "names").expect(0)
    support.run(box, "verify", "--only", "names").expect(0)
    # What a run that was killed while it wrote one has left.
    box.run(f"cp {APPLIED} {APPLIED}.new.1").check()
    box.put("/usr/sbin/mv", "#!/bin/sh\nkill -KILL $PPID\n", 0o755)
    box.put("/etc/hosts", "127.0.0.1 localhost\n")
    assert support.apply(box, "--only", "names", "--overwrite", tap=False).status not in (0, 1, 78)
    assert [name for name in box.run("ls /var/log/pvegen").stdout.split() if "receipt" in name] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_check_leaves_one_where_it_is_told_to(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    before = support.picture(box)
    plain = support.check(box, shell=shell).expect(2)
    assert support.untouched(before, support.picture(box)) == []
    run = support.run(box, "check", "--receipt", "/root/of pve1", shell=shell).expect(2)
    assert run.stdout.startswith(plain.stdout) and "/root/of pve1" in run.stdout
    found = lines(box, "/root/of pve1")
    assert value(found, "call") == "check" and "step names waits" in found
    # Beside the one that was asked for there is nothing.
    assert [str(change.path) for change in support.untouched(before, support.picture(box))] == ["/root/of pve1"]
    box.run(f"cd /root && {' '.join(SHELLS[shell])} pve1.sh check --quiet --receipt here")
    assert value(lines(box, "/root/here"), "call") == "check"


@pytest.mark.parametrize("call", ["check", "apply", "verify"])
@pytest.mark.parametrize(
    "plant",
    [
        "ln -s /etc/passwd /root/r",
        "ln -s /nowhere /root/r",
        "mkfifo /root/r",
        "mkdir /root/r",
        "chmod 777 /root",
        "chown 12 /root",
    ],
)
def test_a_planted_path_is_refused_before_anything_is_done(make: Make, call: str, plant: str) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    box.run(plant).check()
    before = support.picture(box)
    run = support.run(box, call, "--receipt", "/root/r")
    assert run.status == 78 and "no receipt can be put at /root/r" in run.stdout, str(run)
    assert support.untouched(before, support.picture(box)) == []


@pytest.mark.parametrize("plant", ["ln -s /root/bait {0}", "mkdir {0}", "mkfifo {0}"])
def test_what_stands_in_the_usual_place_changes_no_run(make: Make, plant: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.run(f"mkdir -p -m 700 /var/log/pvegen; {plant.format(APPLIED)}; {plant.format(VERIFIED)}").check()
    for call, status in (("verify", 1), ("apply", 0)):
        run = support.run(box, call, "--only", "names").expect(status)
        # A link or a pipe there goes with what earlier runs have left.
        assert ("No receipt" in run.stdout) == plant.startswith("mkdir"), str(run)
    assert "pve1" in box.read("/etc/hosts")
    assert not box.exists("/root/bait")


@pytest.mark.parametrize("broken", ["mv", "awk"])
def test_a_receipt_that_cannot_be_made_changes_no_run(make: Make, broken: str) -> None:
    """Each of its commands fails once the changes are made, as where the disk has filled up."""
    box = make(ALONE["alt-p8"], held=HELD)
    support.apply(box, "--only", "names").expect(0)
    real = box.run(f"command -v {broken}").stdout.strip()
    box.run(f"cp $(readlink -f {real}) /root/real.{broken}").check()
    # Each is known by what only the receipt's own call has.
    text = f'#!/bin/sh\ncase "$*" in *receipt*|*2345679ACF*) exit 1;; esac\nexec /root/real.{broken} "$@"\n'
    box.put(f"/usr/sbin/{broken}", text, 0o755)
    run = support.apply(box, "--only", "names").expect(0)
    assert "No receipt" in run.stdout, str(run)
    assert "receipt" not in box.run("ls /var/log/pvegen").stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("call", ["check", "apply", "verify"])
def test_a_full_disk_keeps_what_stood_there(make: Make, call: str, shell: str) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    box.run("mkdir /root/stick && mount -t tmpfs -o size=8k,mode=755 none /root/stick").check()
    box.run("echo kept >/root/stick/r; head -c 64k /dev/zero >/root/stick/fill; true").check()
    run = support.run(box, call, "--only", "names", "--receipt", "/root/stick/r", shell=shell)
    plain = {"check": 2, "apply": 0, "verify": 1}[call]
    assert run.status == plain and run.stderr == "" and "# No receipt: /root/stick/r" in run.stdout, str(run)
    assert box.read("/root/stick/r") == "kept\n"
    assert sorted(box.run("ls /root/stick").stdout.split()) == ["fill", "r"]


def test_an_earlier_file_is_replaced_at_once(make: Make) -> None:
    """By another: who has the old one open, or a second name for it, keeps what it was."""
    box = make(ALONE["alt-p11"], held=HELD)
    box.run("echo old >/root/r; ln /root/r /root/kept").check()
    support.run(box, "check", "--receipt", "/root/r").expect(2)
    assert value(lines(box, "/root/r"), "call") == "check" and box.read("/root/kept") == "old\n"


@pytest.mark.parametrize("words", [["--receipt"], ["--receipt", ""], ["--receipt", "x/"], ["--receipt", "--quiet"]])
def test_wrong_calls(make: Make, words: list[str]) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    assert support.run(box, "apply", *words, tap=False).status == 64
    assert support.run(box, "rollback", "--receipt", "/root/r", tap=False).status == 64


def test_no_secret_and_no_content_of_a_file_is_in_it(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", "127.0.0.1 localhost\n10.9.9.9 private-thing\n")
    support.run(box, "check", "--receipt", "/root/r").expect(2)
    assert "private-thing" not in box.read("/root/r")
