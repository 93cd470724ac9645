"""What people change by hand between runs, what stood there first, and runs of a part of the steps."""

from __future__ import annotations

import pytest
from sandbox import Sandbox

from . import support
from .conftest import Make

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
ALONE = {system: support.ONE.format(target=system) for system in support.TEXTS}
FIRST = f"{support.STATE}/alone/first"
WHOLE = {  # files of ours as a whole: {path: step}
    "/etc/timezone": "time",
    "/etc/net/ifaces/vmbr0/options": "bridge",
    "/etc/net/ifaces/vmbr0/ipv4address": "bridge",
    "/etc/sysconfig/rrdcached": "rrdcached",
}


@pytest.mark.parametrize("path", WHOLE)
def test_a_file_of_ours_that_was_changed_since(make: Make, path: str) -> None:
    """It is shown and not written over, until somebody says so."""
    box = make(ALONE["alt-p8"], held=HELD)
    words = ["--only", WHOLE[path]]
    support.apply(box, *words).expect(0)
    ours = box.read(path)
    box.put(path, f"{ours}# by hand\n")

    before = support.picture(box, skip=[support.LOG])
    for call in ("check", "apply"):
        run = support.run(box, call, *words).expect(78)
        (failure,) = run.tap.failures()
        assert f"{path} was changed by hand" in failure.description
        assert "+# by hand\n" in failure.yaml["diff"]
        assert "apply --overwrite" in failure.yaml["help"]
    assert support.run(box, "verify", *words).status == 1
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []

    run = support.apply(box, "--overwrite", *words).expect(0)
    assert "-# by hand\n" in run.stdout and box.read(path) == ours
    assert support.apply(box, *words).expect(0).changes == 0


@pytest.mark.parametrize("path", WHOLE)
def test_a_file_of_ours_that_is_gone_is_written_anew(make: Make, path: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    words = ["--only", WHOLE[path]]
    support.apply(box, *words).expect(0)
    ours = box.read(path)
    box.remove(path)
    assert support.apply(box, *words).expect(0).changes >= 1
    assert box.read(path) == ours


def test_another_description_is_no_change_by_hand(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    support.apply(box, "--only", "time").expect(0)
    text = support.changed(ALONE["alt-p8"], ("Europe/Moscow", "Asia/Omsk"))
    box.put(support.PLACE, support.build(text)["pve1"])
    assert support.apply(box, "--only", "time").expect(0).changes == 3
    assert box.read("/etc/timezone") == "Asia/Omsk\n"
    assert box.run(["readlink", "/etc/localtime"]).stdout == "/usr/share/zoneinfo/Asia/Omsk\n"


def test_what_stands_beside_our_block_is_theirs(make: Make) -> None:
    box = make(held=HELD)
    support.apply(box, "--only", "ssh").expect(0)
    for path, line in (("/etc/openssh/sshd_config", "X11Forwarding no\n"), ("/etc/openssh/ssh_config", "Host x\n")):
        box.put(path, box.read(path) + line)
    support.run(box, "check", "--only", "ssh").expect(0)
    assert support.apply(box, "--only", "ssh").expect(0).changes == 0


def test_lines_before_our_block_leave_it_first(make: Make) -> None:
    """A Match block above ours would swallow it."""
    box = make(held=HELD)
    path = "/etc/openssh/sshd_config"
    box.put(path, "Port 22\n")
    support.apply(box, "--only", "ssh").expect(0)
    box.put(path, "X11Forwarding no\nMatch User nobody\n" + box.read(path).replace("Port 22\n", ""))
    run = support.apply(box, "--only", "ssh").expect(0)
    assert run.changes >= 1 and box.read(path).startswith("# BEGIN pvegen mypve: environment\n")
    assert support.apply(box, "--only", "ssh").expect(0).changes == 0


# What stood there first -----------------------------------------------------------------------------------------


_ABOUT = """
import os, sys
path = sys.argv[1]
found = os.lstat(path)
print(oct(found.st_mode), found.st_uid, found.st_gid, {name: os.getxattr(path, name) for name in os.listxattr(path)})
"""


def about(box: Sandbox, path: str) -> str:
    """Mode, owner and attributes of a file."""
    return box.run(["python3", "-c", _ABOUT, path]).check().stdout


@pytest.mark.parametrize("path", ["/etc/hosts", "/etc/sysconfig/clock", "/etc/sysconfig/rrdcached"])
def test_mode_owner_and_attributes_stay(make: Make, path: str) -> None:
    step = {"/etc/hosts": "names", "/etc/sysconfig/clock": "time"}.get(path, "rrdcached")
    box = make(ALONE["alt-p8"], held=HELD)
    box.put(path, "127.0.0.1 localhost\n" if step == "names" else "ZONE=UTC\n")
    script = f"chmod 640 {path}; chown 34:35 {path}; ln {path} /root/hard; "
    script += f"""python3 -c 'import os; os.setxattr("{path}", "trusted.mine", b"1")'"""
    box.run(script).check()
    old, was = box.read(path), about(box, path)
    assert "trusted.mine" in was
    support.apply(box, "--only", step, "--overwrite").expect(0)
    assert about(box, path) == about(box, f"{FIRST}{path}") == was
    assert box.read(path) != old == box.read(f"{FIRST}{path}")
    assert box.read("/root/hard") == old, "written through a hard link, not replaced"


def test_the_first_originals_are_kept_for_good(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    paths = [
        "/etc/hosts",
        "/etc/net/ifaces/eth0/options",
        "/etc/net/ifaces/eth0/ipv4address",
        "/etc/sysconfig/rrdcached",
    ]
    before = {path: box.read(path) for path in paths}
    link = box.run(["readlink", "/etc/localtime"]).stdout
    text = support.changed(ALONE["alt-p8"], ("10.0.0.251", "10.0.0.250"))
    for description in (ALONE["alt-p8"], text, ALONE["alt-p8"]):
        box.put(support.PLACE, support.build(description)["pve1"])
        for step in ("time", "bridge", "names", "rrdcached"):
            support.apply(box, "--only", step).expect(0)
    assert {path: box.read(f"{FIRST}{path}") for path in paths} == before
    assert box.run(["readlink", f"{FIRST}/etc/localtime"]).stdout == link
    made = [
        line.split()[-1] for line in box.read(f"{support.STATE}/alone/index").splitlines() if " absent - - " in line
    ]
    assert "/etc/timezone" in made and "/etc/net/ifaces/vmbr0/options" in made and len(made) == len(set(made))
    for path in (support.STATE, f"{support.STATE}/alone"):
        assert box.tree(path)[path].mode & 0o077 == 0 or path == support.STATE, "others can look into the originals"


def test_nothing_of_ours_lies_about_afterwards(make: Make) -> None:
    box = make()
    support.apply(box).expect(0)
    tree = support.picture(box)
    assert [path for path in tree if path.endswith((".pvegen", ".new", ".next"))] == []
    assert [path for path in tree if path.startswith(f"{support.STATE}/mypve/pending/")] == []
    loose = [
        path for path, e in tree.items() if path.startswith(("/root", support.STATE, support.LOG)) and e.mode & 0o022
    ]
    assert [path for path in loose if tree[path].kind != "link"] == []


# Root's key -----------------------------------------------------------------------------------------------------


def test_root_gets_a_key_once(make: Make) -> None:
    box = make(held=HELD, key=False)
    support.apply(box, "--only", "trust").expect(0)
    tree = box.tree("/root/.ssh")
    modes = {path: entry.mode for path, entry in tree.items()}
    assert modes == {"/root/.ssh": 0o700, "/root/.ssh/id_rsa": 0o600, "/root/.ssh/id_rsa.pub": 0o644}
    assert support.apply(box, "--only", "trust").expect(0).changes == 0
    assert box.tree("/root/.ssh") == tree
    printed = support.run(box, "keys", tap=False).expect(0).stdout
    assert box.read("/root/.ssh/id_rsa.pub").split()[1] in printed


def test_a_private_key_without_its_public_half(make: Make) -> None:
    box = make(held=HELD)
    box.remove("/root/.ssh/id_rsa.pub")
    before = box.tree("/root/.ssh")
    run = support.apply(box, "--only", "trust").expect(78)
    assert "ssh-keygen -y" in run.tap.failures()[0].yaml["help"]
    assert box.tree("/root/.ssh") == before


# Some of the steps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["host", "time", "names", "root-login"])
def test_only_one_step(make: Make, step: str) -> None:
    box = make(held=HELD)
    run = support.run(box, "check", "--only", step)
    assert [point.description.partition(":")[0] for point in run.tap.points] == ["requirements", step]


def test_from_a_step(make: Make) -> None:
    box = make(held=HELD)
    run = support.run(box, "check", "--from", "services").expect(2)
    names = [point.description.partition(":")[0] for point in run.tap.points]
    assert names == ["requirements", "services", "root-login", "create", "manager"]


def test_the_host_is_looked_at_whatever_the_step(make: Make) -> None:
    box = make(hostname="pve9", held=HELD)
    for words in (["--only", "time"], ["--from", "manager"]):
        assert support.run(box, "check", *words).status == 78


def test_quiet(make: Make) -> None:
    """Only what is not as described; the same exit status, and still TAP."""
    box = make()
    loud, quiet = (support.run(box, "check", *words).expect(2) for words in ([], ["--quiet"]))
    assert quiet.changes == loud.changes
    assert [str(point) for point in quiet.tap.points] == [str(point) for point in loud.tap.points]
    for point in loud.tap.todo():
        assert quiet.tap.said(f"not ok - {point.description} (TODO {point.reason})"), point
    assert not any(line.startswith(("# ok", "    ")) for line in quiet.stdout.splitlines())

    support.apply(box).expect(0)
    run = support.run(box, "check", "--quiet").expect(0)
    assert run.tap.leaves() == run.tap.points
    assert len(run.stdout.splitlines()) == len(run.tap.points) + 4, run
    box.put("/etc/timezone", "UTC\n")
    run = support.run(box, "verify", "--quiet")
    assert run.status == 1 and "# not ok - " in run.stdout and "/etc/timezone" in run.stdout
