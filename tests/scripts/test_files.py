"""Files are replaced whole and as they were but for their text; nothing that somebody planted is written through.

And one run at a time, with flock and without.
"""

from __future__ import annotations

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .conftest import Make
from .nodes import shells_and_targets, trash
from .support import PLACE, Run

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
ALONE = {target: support.ONE.format(target=target) for target in support.TEXTS}
HOSTS = "127.0.0.1 localhost.localdomain localhost\n"
TEMPORARY = "/etc/.hosts.pvegen"


def names(box: Sandbox, **more: str) -> Run:
    return support.apply(box, "--only", "names", **more)


def refused(box: Sandbox, reason: str, *, failures: bool = True) -> Run:
    """Applies the names; refused for this reason, with nothing touched."""
    before = support.picture(box)
    run = names(box)
    assert run.status == 78 and reason in run.stdout, str(run)
    assert bool(run.failures) == failures, str(run)
    assert all(point.yaml.get("help") for point in run.tap.failures())
    assert support.untouched(before, support.picture(box)) == []
    return run


# What a replaced file keeps -------------------------------------------------------------------------------------


@pytest.mark.trap("B18")
@pytest.mark.parametrize("cp", ["coreutils", "busybox"])
@pytest.mark.parametrize("target", support.TEXTS)
def test_owner_mode_access_list_and_attributes_are_kept(make: Make, target: str, cp: str) -> None:
    """busybox's cp copies neither of the last two."""
    box = make(ALONE[target], held=HELD)
    box.put("/etc/hosts", HOSTS)
    box.run("chown 12:34 /etc/hosts; chmod 640 /etc/hosts; setfacl -m u:13:r /etc/hosts").check()
    box.run("setfattr -n trusted.theirs -v 'a b' /etc/hosts").check()
    if cp == "busybox":
        box.put("/usr/sbin/cp", '#!/bin/sh\nexec busybox cp "$@"\n', 0o755)
    look = "stat -c '%u %g %a' /etc/hosts; getfacl -n /etc/hosts; getfattr -d -m - -e hex /etc/hosts"
    before = box.run(look).check().stdout
    assert "12 34 640" in before and "user:13:r--" in before and "trusted.theirs" in before
    names(box).expect(0)
    assert "pve1" in box.read("/etc/hosts")
    assert box.run(look).stdout == before
    # The first copy has them too, so that rollback can put them back.
    box.run("setfacl -b /etc/hosts; setfattr -x trusted.theirs /etc/hosts").check()
    support.run(box, "rollback", "--only", "names").expect(0)
    assert box.read("/etc/hosts") == HOSTS
    assert box.run(look).stdout == before
    assert trash(box) == []


@pytest.mark.trap("B18")
def test_an_attribute_that_cannot_be_kept_ends_the_run(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", HOSTS)
    # More than a pipe holds: what ends without having read it is not told as a fault of ours.
    box.run(f"setfattr -n trusted.theirs -v {'x' * 40_000} /etc/hosts").check()
    box.put("/usr/sbin/cp", '#!/bin/sh\nexec busybox cp "$@"\n', 0o755)
    box.put("/usr/sbin/setfattr", "#!/bin/sh\nexit 1\n", 0o755)
    run = names(box).expect(1)
    assert "a copy of /etc/hosts has not all of its extended attributes" in run.stdout
    assert "Is there room below /var/lib/pvegen/alone/first/etc," in " ".join(run.stdout.split())
    assert box.read("/etc/hosts") == HOSTS and trash(box) == []
    # A first copy that has them does not help the file itself.
    box.put("/usr/sbin/setfattr", '#!/bin/sh\ncase $PWD in /etc) exit 1 ;; esac\nexec /usr/bin/setfattr "$@"\n', 0o755)
    run = names(box).expect(1)
    assert "Is there room below /etc," in " ".join(run.stdout.split())
    assert box.read("/etc/hosts") == HOSTS and trash(box) == []


def test_a_long_file_that_differs_at_its_first_byte_is_replaced(make: Make) -> None:
    """What compares it is done before it has read all; nothing is said of that."""
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", "".join(f"10.9.{line // 256}.{line % 256} old{line}\n" for line in range(5000)))
    names(box).expect(0)
    assert box.read("/etc/hosts").startswith("# BEGIN pvegen") and box.read("/etc/hosts").endswith(" old4999\n")


# What is refused before anything is changed ---------------------------------------------------------------------

PLACES = {
    "a hard link": ("ln /etc/hosts /root/other", "/etc/hosts has a second name, a hard link"),
    "a directory that a group can write to": ("chmod 775 /etc", "lies below /etc, where others than root can write"),
    "a directory that all can write to": ("chmod 1777 /etc", "lies below /etc, where others than root can write"),
    "a directory of a user's": ("chown 12 /etc", "lies below /etc, where others than root can write"),
    "an access list": ("setfacl -m u:13:rwx /etc", "lies below /etc, where others than root can write"),
    "something in the way": (f"mkdir {TEMPORARY}; touch {TEMPORARY}/x", f"{TEMPORARY} is in the way"),
}


@pytest.mark.trap("B17")
@pytest.mark.parametrize("place", PLACES)
def test_a_place_where_a_file_cannot_be_replaced_safely(make: Make, place: str) -> None:
    command, reason = PLACES[place]
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", HOSTS)
    box.run(command).check()
    refused(box, reason)


@pytest.mark.parametrize(("path", "letter"), [("/etc/hosts", "i"), ("/etc/hosts", "a"), ("/etc", "i")])
def test_a_file_that_is_protected_by_an_attribute(make: Make, path: str, letter: str) -> None:
    """Told by a lsattr of ours, since the file system of these tests has no such attributes."""
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", HOSTS)
    flags = f'[ "$one" = {path} ] && flags=----{letter}----e----'
    loop = f'shift\nfor one; do flags=---------e----; {flags}; printf "%s %s\\n" "$flags" "$one"; done\n'
    box.put("/usr/sbin/lsattr", f"#!/bin/sh\n{loop}", 0o755)
    refused(box, f"{path} has the attribute i or a")


@pytest.mark.trap("B18")
def test_hard_links_part_where_that_is_asked_for(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/etc/hosts", HOSTS)
    box.run("ln /etc/hosts /root/other").check()
    support.apply(box, "--only", "names", "--overwrite").expect(0)
    assert box.read("/root/other") == HOSTS and "pve1" in box.read("/etc/hosts")


def test_where_nothing_differs_the_place_does_not_matter(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    names(box).expect(0)
    box.run("ln /etc/hosts /root/other").check()
    assert names(box).expect(0).changes == 0


# What stands under our temporary names --------------------------------------------------------------------------

PLANTED = {
    "a file": f"echo half >{TEMPORARY}",
    "a link": f"ln -s /root/victim {TEMPORARY}",
    "a link to nowhere": f"ln -s /root/nowhere {TEMPORARY}",
    "a hard link": f"ln /root/victim {TEMPORARY}",
    "a pipe": f"mkfifo {TEMPORARY}",
}


@pytest.mark.trap("B17")
@pytest.mark.parametrize("shell", ["dash", "busybox"])
@pytest.mark.parametrize("planted", PLANTED)
def test_what_stands_under_our_temporary_name_is_not_written_through(make: Make, planted: str, shell: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/root/victim", "mine\n")
    box.run(PLANTED[planted]).check()
    names(box, shell=shell).expect(0)
    assert box.read("/root/victim") == "mine\n" and not box.exists("/root/nowhere")
    assert "pve1" in box.read("/etc/hosts") and trash(box) == []


@pytest.mark.parametrize("planted", ["a file", "a link"])
@pytest.mark.parametrize("target", support.TEXTS)
def test_what_a_killed_run_left_beside_a_file_that_is_right_by_now_is_removed(
    make: Make, target: str, planted: str
) -> None:
    box = make(ALONE[target], held=HELD)
    box.put("/root/victim", "mine\n")
    support.apply(box, "--only", "names").expect(0)
    support.apply(box, "--only", "time").expect(0)
    box.run(f"{PLANTED[planted]}; ln -s x /etc/.localtime.pvegen").check()
    if target == "alt-p8":
        box.put("/etc/.timezone.pvegen", "x")
    support.check(box, tap=False)
    assert len(trash(box)) > 1, "check touches nothing"
    for step in ("names", "time"):
        assert support.apply(box, "--only", step).expect(0).changes == 0
    assert trash(box) == [] and box.read("/root/victim") == "mine\n"


OWN = {
    "log": ("ln -s /srv/bait /var/log/pvegen", "/var/log/pvegen"),
    "state": ("ln -s /srv/bait /var/lib/pvegen", "/var/lib/pvegen"),
    "lock": ("rm -rf /run/pvegen; ln -s /srv/bait /run/pvegen", "/run/pvegen"),
    "a user's log": ("mkdir /var/log/pvegen; chown 12 /var/log/pvegen", "/var/log/pvegen"),
    "a user's lock": ("mkdir -p /run/pvegen; chown 12 /run/pvegen", "/run/pvegen"),
    "a lock for all": ("mkdir -p /run/pvegen; chmod 777 /run/pvegen", "/run/pvegen"),
    "a log that is a link": ("mkdir /var/log/pvegen; ln -s /srv/bait/x /var/log/pvegen/alone.log", "alone.log"),
    "a log that is a pipe": ("mkdir /var/log/pvegen; mkfifo /var/log/pvegen/alone.log", "alone.log"),
    "a lock that is a pipe": ("mkdir -p /run/pvegen; mkfifo /run/pvegen/lock", "/run/pvegen/lock"),
}


@pytest.mark.trap("B17")
@pytest.mark.parametrize("case", OWN)
def test_directories_of_ours_that_somebody_planted(make: Make, case: str) -> None:
    command, named = OWN[case]
    box = make(ALONE["alt-p8"], held=HELD)
    box.run(f"mkdir -m 755 /srv/bait; {command}").check()
    before = box.read("/etc/hosts"), box.tree("/srv/bait")
    run = names(box)
    assert run.status == 78 and named in run.stdout, str(run)
    assert (box.read("/etc/hosts"), box.tree("/srv/bait")) == before


# One run at a time ----------------------------------------------------------------------------------------------

WAYS = ["flock", "numbers"]


def locker(make: Make, way: str) -> Sandbox:
    """A node whose script does nothing but take the lock, say so in /root/got, and hold it until /root/hold ends."""
    box = make(ALONE["alt-p8"], held=HELD)
    hold = '\n        printf "%s\\n" "$$" >>/root/got\n        sh /root/hold\n        exit 0\n'
    support.edit(box, ("        take_lock\n        catch_signals\n", f"        take_lock{hold}"))
    box.put("/root/hold", "")
    if way == "numbers":
        box.run("mv /usr/bin/flock /root/").check()
    return box


@pytest.mark.trap("B2")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("way", WAYS)
def test_of_runs_at_the_same_moment_one_gets_the_lock(make: Make, way: str, shell: str) -> None:
    """Also where all of them find the lock of a run that is dead: they come to ln together."""
    box = locker(make, way)
    # Until the other five have ended.
    others = '[ "$(cat /root/ended | wc -l)" -ge 5 ]'
    box.put("/root/hold", f"i=0; until {others} || [ $i -ge 600 ]; do i=$((i+1)); /usr/bin/sleep 0.05; done\n")
    box.put("/usr/sbin/ln", '#!/bin/sh\n/usr/bin/sleep 0.5\nexec /usr/bin/ln "$@"\n', 0o755)
    words = " ".join([*SHELLS[shell], PLACE, "apply"])
    for turn in range(2):
        box.remove("/root/got")
        box.put("/root/ended", "")
        each = f"{{ {words} >/dev/null 2>&1; echo >>/root/ended; }}"
        box.run(f"for n in 1 2 3 4 5 6; do {each} & done; wait", timeout=60).check()
        assert box.read("/root/got").count("\n") == 1, turn
    left = {path for path in box.tree("/run/pvegen") if "/run." in path or "/new." in path}
    assert len(left) == (way == "numbers")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_was_killed_does_not_hold_the_lock(make: Make, way: str, shell: str) -> None:
    box = locker(make, way)
    box.put("/root/hold", "exec sleep 60\n")
    words = " ".join([*SHELLS[shell], PLACE, "apply"])
    box.run(f"{words} >/dev/null 2>&1 & until [ -s /root/got ]; do /usr/bin/sleep 0.05; done").check()
    held = support.run(box, "apply", shell=shell, tap=False)
    assert held.status == 78 and "another run of a pvegen script is under way" in held.stdout
    box.put("/root/hold", "")
    ended = "while [ -d /proc/$pid ] || pgrep -f '^sleep 60' >/dev/null; do /usr/bin/sleep 0.05; done"
    box.run(f"read -r pid </root/got; kill -KILL $pid; pkill -KILL -f '^sleep 60'; {ended}").check()
    if way == "flock":
        support.until_free(box)
    support.run(box, "apply", shell=shell, tap=False).expect(0)


@pytest.mark.trap("B2")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_process_that_got_the_number_of_a_dead_run_does_not_hold_the_lock(make: Make, shell: str) -> None:
    box = locker(make, "numbers")
    start = "$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)"
    boot = "$(cat /proc/sys/kernel/random/boot_id)"
    lines = {f"1 {start} {boot}": 78, f"1 7 {boot}": 0, f"1 {start} other": 0, f"999999 {start} {boot}": 0, "": 0}
    for line, status in lines.items():
        box.run(f'mkdir -m 700 -p /run/pvegen; rm -f /run/pvegen/run.*; echo "{line}" >/run/pvegen/run.41').check()
        assert support.run(box, "apply", shell=shell, tap=False).status == status, line
        assert box.exists("/run/pvegen/run.42") == (status == 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_run_that_looked_long_ago_does_not_get_the_lock_of_a_later_one(make: Make, shell: str) -> None:
    """Between its look and its ln another run has come and gone, and the next one is at work."""
    box = locker(make, "numbers")
    owner = "1 $(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20) $(cat /proc/sys/kernel/random/boot_id)"
    later = f'rm -f /run/pvegen/run.41; echo "{owner}" >/run/pvegen/run.43'
    box.put("/usr/sbin/ln", f'#!/bin/sh\n{later}\nexec /usr/bin/ln "$@"\n', 0o755)
    box.run("mkdir -m 700 -p /run/pvegen; echo 999999 1 x >/run/pvegen/run.41").check()
    held = support.run(box, "apply", shell=shell, tap=False)
    assert held.status == 78 and "another run of a pvegen script" in held.stdout, str(held)
    assert {path for path in box.tree("/run/pvegen") if "/run." in path} == {"/run/pvegen/run.43"}


@pytest.mark.trap("B2")
@pytest.mark.parametrize(("target", "shell"), shells_and_targets())
def test_what_it_starts_inherits_neither_the_lock_nor_the_log(make: Make, target: str, shell: str) -> None:
    box = make(ALONE[target], held=HELD)
    daemon = "case $1 in start | restart) /usr/bin/sleep 60 >/dev/null 2>&1 & ;; esac\n"
    box.put("/usr/sbin/systemctl", f'#!/usr/bin/dash\n{daemon}exec /usr/bin/systemctl "$@"\n', 0o755)
    support.apply(box, shell=shell).expect(0)
    left = box.run("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e /run/pvegen -e /var/log/pvegen").stdout
    assert left == ""
    box.run("pgrep -f 'sleep 60'").check()
