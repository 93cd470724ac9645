"""The lab itself: what it refuses, what it leaves behind, and that its nodes are what a node is."""

import ast
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.patience import LONGEST

from . import groups, leftovers, place, record, requirements, rootfs, service
from .conftest import MakeLab
from .descriptions import description
from .waiting import until

HERE = Path(__file__).parent
WORDS = [sys.executable, "-m", "lab"]
FOLDERS = os.pathsep.join([str(place.PROJECT / "tests"), str(place.PROJECT)])

# What a killed lab leaves behind is looked for on the whole machine: not while another test kills one.
looks_for_leftovers = pytest.mark.xdist_group("leftovers of a lab")


def call(*words: str, lab: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Calls the lab's own command, in the folder LAB."""
    full = {**os.environ, "PYTHONPATH": FOLDERS, "HOME": "/root", **env}
    full |= {"PVEGEN_LAB": str(lab)} if lab else {}
    return subprocess.run([*WORDS, *words], capture_output=True, text=True, env=full, check=False)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A folder of a lab's own, with the root file system that there is already."""
    (tmp_path / rootfs.root().name).symlink_to(rootfs.root())
    yield tmp_path
    call("down", lab=tmp_path)


# What it refuses --------------------------------------------------------------------------------------------------


def test_it_says_that_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert requirements.missing_programs() == "the lab needs root"


def test_it_names_the_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    said = requirements.missing_programs()
    assert (
        said is not None and "the Debian packages: " in said and "mmdebstrap, " in said and "systemd-container" in said
    )


def test_it_says_that_the_disk_is_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PVEGEN_LAB", str(tmp_path))
    monkeypatch.setattr(rootfs, "NEEDED_MB", 10**9)
    with pytest.raises(
        rootfs.NoRoot, match=r"has room for \d+ MB, the lab needs 1000000000: make room, or set PVEGEN_LAB"
    ):
        rootfs.root()
    assert not list(tmp_path.glob("root-*"))


def test_what_mmdebstrap_says_is_passed_on_and_nothing_half_made_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mmdebstrap").write_text(
        "#!/bin/sh\nfor last; do case $last in */root-*) mkdir \"$last\" ;; esac; done\necho 'E: no such mirror' >&2\nexit 25\n"
    )
    (tmp_path / "mmdebstrap").chmod(0o755)
    monkeypatch.setattr(rootfs, "ALONE", ())  # which needs root
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PVEGEN_LAB", str(tmp_path / "lab"))
    with pytest.raises(rootfs.NoRoot, match="E: no such mirror"):
        rootfs.root()
    assert not list((tmp_path / "lab").glob("root-*"))


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    done = call("list", lab=Path("/proc/nowhere"))
    if os.geteuid() == 0 and requirements.missing_programs() is None:
        assert done.returncode == 1
        assert done.stderr == (
            "Error: No such file or directory: /proc/nowhere (PVEGEN_LAB names another folder for the lab)\n"
        )
        done = call("cut", "pve1", lab=tmp_path)
        assert (done.returncode, done.stderr) == (1, "Error: no lab is up: start one with `up`\n")
    else:
        assert done.returncode == 1 and "the lab needs" in done.stderr


# By hand ----------------------------------------------------------------------------------------------------------


@looks_for_leftovers
@pytest.mark.lab
@pytest.mark.target("alt-p11")
def test_by_hand(own: Path) -> None:
    """By hand: up, enter, cable, power, list, down."""
    up = call("up", lab=own)
    assert up.returncode == 0, up.stderr
    assert "make lab-enter NODE=pve1" in up.stdout
    assert call("enter", "pve1", "sh", "-c", "hostname; ls /root", lab=own).stdout == "pve1\npve1.sh\n"
    ping = ("enter", "pve1", "ping", "-c", "1", "10.0.0.12", "-w")
    assert call(*ping, "15", lab=own).returncode == 0
    assert call("unplug", "pve2", lab=own).returncode == 0
    assert call(*ping, "1", lab=own).returncode == 1
    assert call("plug", "pve2", lab=own).returncode == 0
    assert call(*ping, "15", lab=own).returncode == 0
    assert call("cut", "pve3", lab=own).returncode == 0
    assert "pve3         off" in call("list", lab=own).stdout
    assert call("enter", "pve3", "true", lab=own).stderr == "Error: pve3 is off: start it first\n"
    assert call("start", "pve3", lab=own).returncode == 0
    before = call("enter", "pve3", "cat", "/proc/sys/kernel/random/boot_id", lab=own).stdout
    assert call("reboot", "pve3", lab=own).returncode == 0
    assert "pve3         on" in call("list", lab=own).stdout and before
    assert call("up", lab=own).stderr == "Error: a lab is up already; `down` ends it\n"
    assert call("down", lab=own).returncode == 0
    assert call("list", lab=own).stdout == "no lab is up\n"
    until(lambda: list((own / "nodes").iterdir()) == [], "the nodes' disks are gone")


@looks_for_leftovers
@pytest.mark.lab
@pytest.mark.target("alt-p11")
def test_a_lab_that_was_killed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that was killed: its nodes are gone at once, what it has left behind goes with the next."""
    monkeypatch.setenv("PVEGEN_LAB", str(own))
    assert call("up", lab=own).returncode == 0
    pid = int(service.tell("list")["nodes"][0]["pid"])
    (folder,) = (own / "nodes").iterdir()
    os.kill(int(folder.name.partition("-")[0]), signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the nodes are gone")
    left = leftovers.find()
    assert folder in left and len(left) == 1 + 3 * len(groups.hierarchies())
    said = call("list", lab=own).stdout
    assert said.startswith("no lab is up\n") and said.count("left behind: ") == len(left)
    assert call("up", lab=own).returncode == 0  # the next one cleans
    assert folder not in leftovers.find() and not folder.exists()


@looks_for_leftovers
@pytest.mark.lab
@pytest.mark.target("alt-p11")
def test_an_interrupted_lab_leaves_nothing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while its nodes start, nothing is left behind."""
    monkeypatch.setenv("PVEGEN_LAB", str(own))
    env = {**os.environ, "PYTHONPATH": FOLDERS}
    with subprocess.Popen([*WORDS, "up"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(lambda: (own / "nodes").is_dir() and list((own / "nodes").iterdir()), "the nodes are being made")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60 * LONGEST)
    until(lambda: list((own / "nodes").iterdir()) == [], "the nodes are gone")
    assert leftovers.find() == [] and not service.runs()


# What a node is ---------------------------------------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.target("alt-p11")
def test_a_node_is_a_system_of_its_own(lab: MakeLab) -> None:
    """A node: systemd, its own names, clock of starting, network; what was written stays over a power cut."""
    nodes = lab(description("alt-p11", 2))
    one, two = nodes["pve1"], nodes["pve2"]
    assert one.run("cat /proc/1/comm").stdout == "systemd\n"
    assert one.run("systemctl is-system-running").stdout in ("running\n", "degraded\n")
    for path in (
        "/etc/machine-id",
        "/etc/openssh/ssh_host_rsa_key.pub",
        "/sys/class/net/eth0/address",
        "/etc/hostname",
    ):
        assert one.read(path) != two.read(path)
    assert sorted(os.listdir(f"/proc/{one.pid}/root/sys/class/net")) == sorted(["lo", "eth0", "vmbr0"])
    assert one.run("ls /sys/class/net").stdout.split() == ["eth0", "lo", "vmbr0"]
    one.put("/root/kept", "yes")
    one.run("ip link add gone type bridge; touch /run/gone").check()
    one.cut_power()
    assert not one.on
    one.start()
    assert one.read("/root/kept") == "yes" and not one.exists("/run/gone")
    assert one.run("ip link show gone").status == 1


@pytest.mark.lab
@pytest.mark.target("alt-p8")
def test_nothing_of_a_lab_is_left(lab: MakeLab) -> None:
    """After a lab: no folder, no control group, no process, no mount."""
    with contextlib.ExitStack() as stack:
        nodes = lab(description("alt-p8", 1))
        stack.callback(nodes.__exit__, None, None, None)
        folder, pid = nodes.folder, nodes["pve1"].pid
        assert folder.exists() and os.path.exists(f"/proc/{pid}")
        assert [path for path in groups.leftovers() if folder.name in path.name]
    assert not folder.exists()
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the node's first process is gone")
    assert [path for path in groups.leftovers() if folder.name in path.name] == []
    assert str(folder) not in Path("/proc/mounts").read_text()


# The record -------------------------------------------------------------------------------------------------------

ROW = {
    "scenario": "A",
    "case": "nic eth0",
    "target": "alt-p8",
    "result": "passed",
    "seconds": 1.26,
    "real": "r",
    "standins": "x|y",
}


def test_the_record_as_a_table() -> None:
    table = record.drawn([ROW])
    assert table.splitlines()[2:] == ["| A (nic eth0) | alt-p8 | passed | 1 | r | x\\|y |"]
    page = record.put_into(f"before\n{record.BEGIN}\nold\n{record.END}\nafter\n", table)
    assert page == f"before\n{record.BEGIN}\n{table}{record.END}\nafter\n"


def scenarios() -> set[str]:
    """What the tests of clusters from built scripts, and of those that go wrong, are called in the record."""
    found = set()
    for path in [*HERE.glob("test_clusters.py"), *HERE.glob("test_wrong_*.py")]:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(record.name_of(ast.get_docstring(node) or node.name))
    return found


def test_the_page_shows_a_run_of_all_scenarios_and_each_passed() -> None:
    page = record.PAGE.read_text("utf-8").partition(record.BEGIN)[2].partition(record.END)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    assert {row[2] for row in rows[1:]} == {"passed"}
    shown = {row[0] for row in rows}
    lacking = {name for name in scenarios() if not any(row == name or row.startswith(f"{name} (") for row in shown)}
    assert lacking == set(), "make lab-table"
