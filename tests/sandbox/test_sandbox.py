"""The scratch root itself: what is run in it, what is seen of it, and that nothing is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from . import requirements
from .fixtures import MakeSandbox
from .harness import Sandbox
from .patience import LONGEST
from .shells import SHELLS
from .switch import Switch
from .trees import diff_trees

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def node(make_shared: MakeSandbox) -> Sandbox:
    return make_shared()


def test_gives_status_and_both_outputs(node: Sandbox) -> None:
    result = node.run("echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_a_signal_is_128_and_its_number(node: Sandbox) -> None:
    assert node.run("kill -TERM $$").status == 143


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_runs(node: Sandbox, shell: str) -> None:
    assert node.run("x=$(printf '%s' ok); echo \"$x\"", shell=shell).stdout == "ok\n"


def test_bash_posix_is_posix(node: Sandbox) -> None:
    assert node.run("set -o | grep posix", shell="bash --posix").stdout.split() == ["posix", "on"]


def test_standard_input_environment_and_directory(node: Sandbox) -> None:
    result = node.run("cat; pwd; echo $X", stdin="in\n", env={"X": "y"}, cwd="/etc")
    assert result.stdout == "in\n/etc\ny\n"


def test_another_user(node: Sandbox) -> None:
    assert node.run("id -un", user="nobody").stdout == "nobody\n"


def test_host_name_and_root(node: Sandbox) -> None:
    assert node.run("uname -n; id -u; cat /etc/hostname").stdout == "pve1\n0\npve1\n"


def test_time_out_kills_all(node: Sandbox) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        node.run("sleep 77 & sleep 77", timeout=0.2)
    # The killed ones take a moment to be gone.
    gone = "for i in $(seq 100); do pgrep -fx 'sleep 77' || exit 7; sleep 0.1; done"
    assert node.run(gone, timeout=60).status == 7


def test_background_lives_on_and_is_waited_for_by_nobody(node: Sandbox) -> None:
    start = time.monotonic()
    node.run("sleep 66 &").check()
    assert time.monotonic() - start < 5 * LONGEST
    # It may have been made and not yet have become a sleep.
    found = "for i in $(seq 100); do ! pkill -fx 'sleep 66' || exit 7; sleep 0.1; done"
    assert node.run(found, timeout=60).status == 7


def test_orphans_are_reaped(node: Sandbox) -> None:
    node.run("(true &)").check()
    node.run("i=0; while ps -e -o stat= | grep Z; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done").check()


def test_terminal(node: Sandbox) -> None:
    shown = node.run('printf "name? "; read x; tty; echo "hello $x"', tty=True, stdin="you\n").stdout
    assert shown == "name? /dev/pts/0\nhello you\n"


def test_terminal_answers_by_prompt(node: Sandbox) -> None:
    script = 'printf "first? "; read a; printf "second? "; read b; echo "$a $b"'
    shown = node.run(script, answers={"second?": "2", "first?": "1"}).stdout
    assert shown.endswith("1 2\n")


def test_end_of_input_on_a_terminal(node: Sandbox) -> None:
    assert node.run("cat; echo over", tty=True).stdout == "over\n"


def test_machine_s_own_data_is_not_seen(node: Sandbox) -> None:
    assert node.run("ls -A /root /home /tmp /opt /srv /mnt").stdout.count("\n\n") == 5
    assert not node.exists("/etc/timezone")
    assert not node.exists("/etc/debian_version")


def test_what_is_done_stays_inside(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("echo 'mine' > /etc/hosts; rm -r /etc/net; echo x > /dev/shm/pvegen-test; hostname other").check()
    assert "mine" not in Path("/etc/hosts").read_text()
    assert not os.path.exists("/dev/shm/pvegen-test")
    assert os.uname().nodename != "other"


def test_files_through_absolute_links_stay_inside(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("ln -s /etc/pvegen-real /etc/link; ln -s /srv /etc/folder").check()
    node.put("/etc/link", "text")
    node.put("/etc/folder/new/file", "text", 0o600)
    assert node.read("/etc/pvegen-real") == node.read("/srv/new/file") == "text"
    assert not os.path.exists("/etc/pvegen-real")
    node.remove("/etc/folder")
    assert node.exists("/srv/new/file")


def test_changes_are_what_differs_from_a_fresh_installation(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    assert node.changes() == {}
    node.run("echo new > /etc/new; rm /etc/hosts; chmod 600 /etc/resolv.conf; ln -s x /root/link; mkdir /srv/d").check()
    kinds = {path: entry.kind for path, entry in node.changes().items()}
    assert kinds == {
        "/etc/new": "file", "/etc/hosts": "gone", "/etc/resolv.conf": "file", "/root/link": "link",
        "/srv/d": "directory",
    }  # fmt: skip


def test_difference_of_trees(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    before = node.tree("/etc/openssh", "/etc/hosts")
    node.run(
        "chmod 644 /etc/openssh/sshd_config; echo >> /etc/hosts; rm /etc/openssh/ssh_config; ln -s a /etc/openssh/b"
    )
    found = [str(change) for change in diff_trees(before, node.tree("/etc/openssh", "/etc/hosts"))]
    assert found == [
        "changed /etc/hosts", "added /etc/openssh/b", "removed /etc/openssh/ssh_config",
        "changed /etc/openssh/sshd_config",
    ]  # fmt: skip


def test_full_disk_and_room_again(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.fill_disk(free=8192)
    assert "No space left on device" in node.run("head -c 100000 /dev/zero > /etc/big").stderr
    node.empty_disk()
    assert node.run("head -c 100000 /dev/zero > /etc/big").status == 0


def test_reboot_forgets_what_is_in_memory_only(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("echo x > /run/x; echo y > /etc/y; sleep 55 & ip link add br9 type bridge").check()
    node.reboot()
    assert not node.exists("/run/x")
    assert node.read("/etc/y") == "y\n"
    assert node.run("pgrep -fx 'sleep 55' || ip link show br9").status == 1
    assert node.run("systemctl is-active network sshd").stdout == "active\nactive\n"


def test_power_cut_stops_nothing_in_order(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.set_unit("noted", ExecStop="touch /etc/stopped", WantedBy="multi-user.target")
    node.run("systemctl start noted").check()
    node.power_cut()
    assert not node.exists("/etc/stopped")
    assert "10.0.0.251/24" in node.run("ip -br address show eth0").stdout


def test_nodes_reach_one_another_until_the_cable_is_cut(make_nodes: Callable[..., list[Sandbox]]) -> None:
    one, two = make_nodes("alt-p8", 2)
    assert one.run("ping -c 1 -W 5 pve2 && ping -c 1 -W 5 10.0.0.1").status == 0
    assert one.run("ssh-keyscan -t ed25519 pve2 2>/dev/null | wc -l").stdout.strip() == "1"
    two.switch.cable("pve2", "eth0", plugged=False)
    assert one.run("ping -c 1 -W 1 pve2").status == 1


def test_host_keys_differ_between_nodes(make_nodes: Callable[..., list[Sandbox]]) -> None:
    one, two = make_nodes("alt-p8", 2)
    path = "/etc/openssh/ssh_host_rsa_key.pub"
    assert one.read(path) != two.read(path)


def test_hardware_address_outlives_a_reboot(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    before = node.read("/sys/class/net/eth0/address")
    node.power_cut()
    assert node.read("/sys/class/net/eth0/address") == before


def _inside(namespace: int) -> list[str]:
    """The processes of this machine in the network namespace with that number."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{process}/ns/net").st_ino == namespace:
                found.append(process)
        except OSError:
            continue
    return found


def test_nothing_is_left(make_sandbox: MakeSandbox) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    with Sandbox(root_password="secret") as node:
        node.run("setsid sleep 44 > /dev/null 2>&1 < /dev/null &").check()
        namespace = os.stat(f"/proc/{node.pid}/ns/net").st_ino
        assert len(_inside(namespace)) >= 3
    assert _inside(namespace) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_nothing_is_left_of_a_test_that_was_killed(eventually: Callable[[Callable[[], bool]], None]) -> None:
    code = (
        f"import sys, os, time; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from sandbox import Sandbox\n"
        "with Sandbox() as s:\n"
        "    s.run('setsid sleep 33 &')\n"
        "    print(os.stat(f'/proc/{s.pid}/ns/net').st_ino, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        namespace = int(process.stdout.readline())
        assert _inside(namespace)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: _inside(namespace) == [])


def test_no_sandbox_is_a_skip_here_and_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "missing_requirement", lambda: "a sandbox needs root")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="a sandbox needs root"):
        requirements.require_sandbox()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="a sandbox needs root"):
        requirements.require_sandbox()


def test_switch_that_is_not_there_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        Switch().ip("link show")
