"""The systems as data: what one takes over from its neighbour, and what each is when it has booted."""

import pytest

from . import described
from .fixtures import MakeSandbox
from .requirements import require_system
from .systems import SYSTEMS, load_system

NAMES = sorted(folder.name for folder in SYSTEMS.iterdir())


def test_what_a_system_takes_over() -> None:
    found = described.described("alt-p10")
    assert found.data["network"] == "etcnet" and found.data["settings"]["ssh-dir"] == "/etc/openssh"
    assert {"/usr/sbin/brctl", "/etc/debian_version"} <= set(found.data["absent"])
    assert found.files["/etc/altlinux-release"].read_text() == "ALT Server V 10.2 (p10)\n"
    assert "/etc/openssh/sshd_config" in found.files and "/etc/corosync/corosync.conf" not in found.files
    assert "/etc/corosync/corosync.conf" not in found.owned
    assert (found.packages["pve-manager"], found.packages["vixie-cron"]) == ("7.4.17-alt1", "4.1.20060426-alt2")
    assert "bridge-utils" not in found.packages
    assert next(iter(found.units)) == "network" and "networking" not in found.units


def test_neighbour_has_what_is_left_out() -> None:
    with pytest.raises(AssertionError, match="nosuch"):
        described._but({"a": 1}, ["nosuch"])


def test_variant_has_its_own_hosts() -> None:
    assert "127.0.1.1" in load_system("pve-9").hosts and "127.0.1.1" not in load_system("pve-9:iso").hosts


UNITS = "network networking ssh sshd chronyd ntpd systemd-timesyncd"
PROGRAMS = "rpm dpkg-query ifreload brctl"
TIME = {"alt-p8": "ntpd", "alt-p8-pve5": "ntpd", "pve-6": "systemd-timesyncd"}
SERIES = {"alt-p8": "4.", "alt-p8-pve5": "5.", "alt-p9": "6.", "alt-p10": "7.", "alt-p11": "8."}


@pytest.mark.sandbox
@pytest.mark.parametrize("name", NAMES)
def test_each_boots_as_what_it_is(make_sandbox: MakeSandbox, name: str) -> None:
    require_system(name)
    node = make_sandbox(name, held=("pve-cluster", "pveproxy"))
    debian = name.startswith("pve-")
    etcnet = not debian and name != "alt-p11"
    node.run("ping -q -c 1 -W 5 10.0.0.1").check()
    running = dict(zip(UNITS.split(), node.run(f"systemctl is-active {UNITS}").stdout.split(), strict=True))
    assert running["network" if etcnet else "networking"] == "active"
    assert running["ssh" if debian else "sshd"] == "active"
    clock = TIME.get(name, "chronyd")
    assert running[clock] == ("inactive" if clock == "ntpd" else "active")  # p8 starts none by itself
    found = {path.rpartition("/")[2] for path in node.run(f"command -v {PROGRAMS}", shell="bash").stdout.split()}
    wanted = {"dpkg-query" if debian else "rpm", "ifreload", "brctl"}
    wanted -= {"ifreload"} if etcnet or name == "pve-6" else set()
    assert found == wanted - ({"brctl"} if name == "alt-p10" else set())
    assert ("acceptenv LC_*\n" in node.run("sshd -T").stdout) == debian
    assert node.run("pveversion").stdout.startswith(f"pve-manager/{SERIES.get(name, name[-1])}")


@pytest.mark.sandbox
def test_dpkg_query(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("pve-9", start=True, held=("pve-cluster", "pveproxy"))
    asked = node.run("dpkg-query -W -f '${db:Status-Status} ${Package}\\n' pve-manager nosuch ifupdown2")
    assert asked.stdout == "installed pve-manager\ninstalled ifupdown2\n" and asked.status == 1
    assert "no packages found matching nosuch" in asked.stderr
    assert node.run("dpkg-query -W pve-manager").stdout == "pve-manager\t9.1.4\n"
    assert node.run("dpkg-query -S /etc/ssh/ssh_config /etc/hosts").status == 1
