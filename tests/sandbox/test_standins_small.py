"""The small stand-ins: rpm, pveversion, control, timedatectl, resolvconf."""

import pytest

from .fixtures import MakeSandbox
from .harness import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def old(make_shared: MakeSandbox) -> Sandbox:
    return make_shared("alt-p8")


@pytest.fixture(scope="module")
def new(make_shared: MakeSandbox) -> Sandbox:
    return make_shared("alt-p11:9.1", held=("pve-cluster", "pveproxy"))


def test_rpm_names(old: Sandbox, new: Sandbox) -> None:
    result = old.run("rpm -q pve-manager nosuch corosync2")
    assert result.stdout == "pve-manager-4.4.1-alt1\npackage nosuch is not installed\ncorosync2-2.3.5-alt1\n"
    assert result.status == 1
    assert new.run("rpm -q pve-manager").stdout == "pve-manager-9.1.4-alt1.x86_64\n"


def test_rpm_formats(old: Sandbox) -> None:
    assert old.run("rpm -q --qf '%{VERSION}-%{RELEASE}\\n' pve-cluster").stdout == "4.0.49-alt1\n"
    assert old.run("rpm -q --queryformat '%{NAME}\\t%{VERSION}' pve-cluster").stdout == "pve-cluster\t4.0.49"
    assert "corosync2 2.3.5-alt1\n" in old.run("rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\\n'").stdout


def test_pveversion(old: Sandbox, new: Sandbox) -> None:
    assert old.run("pveversion").stdout == "pve-manager/4.4-1/eb2d6f1e (running kernel: 4.4.35-std-def-alt1)\n"
    assert new.run("pveversion").stdout.startswith("pve-manager/9.1.4/")
    assert "pve-cluster: 4.0.49\n" in old.run("pveversion -v").stdout


def test_control(old: Sandbox) -> None:
    assert old.run("control sshd-permit-root-login").stdout == "without_password\n"
    old.run("control sshd-permit-root-login yes").check()
    assert "permitrootlogin yes" in old.run("sshd -T").stdout
    assert old.run("control sshd-permit-root-login without_password; control nosuch").status == 1


def test_time_zone(new: Sandbox) -> None:
    assert new.run("timedatectl show -p Timezone --value").stdout == "Europe/Moscow\n"
    assert new.run("timedatectl set-timezone Asia/Omsk; date -d '2020-01-01 UTC' +%H").stdout == "06\n"
    assert new.run("timedatectl set-timezone Nowhere").status == 1


def test_resolvconf(new: Sandbox) -> None:
    new.run("echo nameserver 10.0.0.9 | resolvconf -a eth9").check()
    assert "nameserver 10.0.0.9\n" in new.read("/etc/resolv.conf")
    new.run("resolvconf -d eth9").check()
    assert "10.0.0.9" not in new.read("/etc/resolv.conf")


def test_configuration_of_ssh_is_read_where_alt_has_it(old: Sandbox) -> None:
    assert oct(old.tree("/etc/openssh/sshd_config")["/etc/openssh/sshd_config"].mode) == "0o600"
    assert old.run("sshd -T | grep -c '^acceptenv LC_PVE'").stdout == "0\n"
    assert "sendenv LC_TIME" in old.run("ssh -G pve2").stdout


def test_modules_of_stand_ins_are_compiled_beforehand(old: Sandbox) -> None:
    """Each start of pvecm would compile them anew."""
    words = "import sys; sys.path.insert(0, '/usr/lib/standin'); from pve import settings; print(settings.die.__code__)"
    done = old.run(["python3", "-ISBv", "-c", words]).check()
    assert "code object from '/usr/lib/standin/pve/__pycache__/settings" in done.stderr
    assert 'file "/usr/lib/standin/pve/settings.py"' in done.stdout
