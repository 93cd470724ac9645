"""admit lets root in by password for a while, and closes by itself whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .nodes import TARGETS, Nodes, description, grouped, login, trash
from .support import Run
from .test_join import wait

pytestmark = pytest.mark.sandbox

CLOSED = ("prohibit-password", "yes")
OPEN = ("yes", "yes")
ADMITTED = "/var/lib/pvegen/mypve/admitted"
UNIT = "/etc/systemd/system/pvegen-close.service"
SSHD = "/etc/openssh/sshd_config"
POLICY = '[ssh]\nroot_login = "{}"'


def prepared(target: str, policy: str = "prohibit-password") -> Nodes:
    """pve1 alone, of a description of two."""
    return Nodes(description(target, 2, tables=POLICY.format(policy)), ["pve1"])


@pytest.fixture(scope="module", params=grouped("member"))
def member(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """pve1 with its cluster, root let in by key only; every test leaves it closed."""
    with prepared(request.param) as nodes:
        nodes.apply("pve1").expect(0)
        yield nodes


@pytest.fixture
def box(member: Nodes) -> Iterator[Sandbox]:
    """The member before and after a test: closed, nothing armed."""
    node = member["pve1"]
    before = node.read(SSHD)
    assert login(node) == CLOSED
    yield node
    call(node, "close").expect(0)
    assert login(node) == CLOSED
    assert node.read(SSHD) == before
    assert not node.exists(ADMITTED) and not node.exists(UNIT)
    assert trash(node) == []


def call(node: Sandbox, *words: str, path: str = "/root/pve1.sh") -> Run:
    return support.run(node, *words, path=path, tap=False, timeout=20)


def test_it_closes_where_the_host_has_got_another_name(box: Sandbox) -> None:
    call(box, "admit").expect(0)
    assert login(box) == OPEN
    box.run("echo leased >/proc/sys/kernel/hostname; sh /var/lib/pvegen/mypve/close.sh close").check()
    box.run("echo pve1 >/proc/sys/kernel/hostname").check()
    assert login(box) == CLOSED


def quick(node: Sandbox, seconds: float = 0.5) -> None:
    """From now on the timer's minutes are over in a moment: the script sleeps by a stand-in."""
    node.put("/usr/sbin/sleep", f'#!/bin/sh\n[ "$1" != 900 ] || set -- {seconds}\nexec /usr/bin/sleep "$@"\n', 0o755)


OVER = "/run/time-is-over"


def hold(node: Sandbox) -> None:
    """From now on the timer's minutes are over when the test says so, by `over`."""
    node.remove(OVER)
    waits = f'[ "$1" != 900 ] || {{ until [ -e {OVER} ]; do /usr/bin/sleep 0.05; done; exit; }}'
    node.put("/usr/sbin/sleep", f'#!/bin/sh\n{waits}\nexec /usr/bin/sleep "$@"\n', 0o755)


def over(node: Sandbox) -> None:
    """The timer's minutes are over: by itself it closes."""
    node.put(OVER, "")
    wait(node, f"[ ! -e {ADMITTED} ]")
    wait(node, f"[ ! -e {UNIT} ]")
    assert login(node) == CLOSED


def in_force(node: Sandbox) -> bool:
    """Whether a login of root by password really succeeds; the node asks itself."""
    words = ["ssh", "-o", "PubkeyAuthentication=no", "-o", "StrictHostKeyChecking=no", "root@127.0.0.1", "true"]
    return node.run(words, answers={"assword": "secret"}, timeout=30).status == 0


def test_it_opens_and_close_closes(box: Sandbox) -> None:
    assert not in_force(box)
    said = call(box, "admit").expect(0).stdout
    assert "Root may log in by password for 15 minutes" in said and "sh /root/pve1.sh close" in said
    assert login(box) == OPEN
    assert in_force(box)
    call(box, "close").expect(0)
    assert login(box) == CLOSED
    assert not in_force(box)


def test_it_is_armed_before_it_is_open(box: Sandbox) -> None:
    """When sshd is told, the unit for the next boot is enabled and the process that will close it runs."""
    runs = "i=0; until pgrep -x sleep -a | grep ' sleep 900$'; do i=$((i+1)); [ $i -lt 200 ] || exit; sleep 0.05; done"
    spy = f"test -e {UNIT} && systemctl is-enabled pvegen-close && {runs}"
    unit = box.read("/usr/lib/systemd/system/sshd.service")
    box.put("/usr/lib/systemd/system/sshd.service", unit.replace("ExecReload=", f"ExecReload=({spy}) >/tmp/spy 2>&1; "))
    call(box, "admit").expect(0)
    box.put("/usr/lib/systemd/system/sshd.service", unit)
    said = box.read("/tmp/spy").splitlines()
    assert said[0] == "enabled" and [line for line in said[1:] if line.endswith(" sleep 900")], said
    assert "Before=sshd.service" in box.read(UNIT)


def test_it_closes_by_itself_when_the_time_is_over(box: Sandbox) -> None:
    hold(box)
    call(box, "admit").expect(0)
    assert login(box) == OPEN
    over(box)
    box.remove("/usr/sbin/sleep")


def test_it_closes_by_a_timer_of_systemd_where_there_is_one(box: Sandbox) -> None:
    """A systemd-run that only notes what it is to do; what it notes, run by hand, closes."""
    box.put("/usr/sbin/systemd-run", '#!/bin/sh\nprintf "%s\\n" "$*" >/tmp/timer\n', 0o755)
    timer_is(box, "active")
    call(box, "admit").expect(0)
    assert login(box) == OPEN
    words = box.read("/tmp/timer").split()
    assert (
        "--on-active=15m" in words
        and "--timer-property=AccuracySec=1s" in words
        and words[-2:] == ["/var/lib/pvegen/mypve/close.sh", "close"]
    )
    box.run(words[words.index("/bin/sh") :]).check()
    assert login(box) == CLOSED
    # A timer that is not seen to be armed is a failure, and nothing is opened.
    timer_is(box, "inactive")
    said = call(box, "admit")
    assert said.status == 1 and "nothing was opened" in said.stdout and login(box) == CLOSED
    box.run("rm /usr/sbin/systemd-run /usr/sbin/systemctl").check()


def timer_is(box: Sandbox, state: str) -> None:
    """A systemctl that knows the timer, which the stand-in does not."""
    answer = f"case $* in 'is-active pvegen-close-later.timer') echo {state}; [ {state} = active ]; exit ;; esac"
    box.put("/usr/sbin/systemctl", f'#!/bin/sh\n{answer}\nexec /usr/bin/systemctl "$@"\n', 0o755)


def test_the_next_boot_closes_it(box: Sandbox) -> None:
    call(box, "admit").expect(0)
    box.power_off()
    box.boot()
    unit = box.read(UNIT).splitlines() if box.exists(UNIT) else []
    closer = next((line for line in unit if line.startswith("ExecStart=")), "")
    if closer:  # the boot of the sandbox starts only the units that the system came with
        box.run("systemctl stop sshd").check()
        box.forget_calls()
        box.run(closer.removeprefix("ExecStart=")).check()
        # sshd waits for us at boot: whoever asks for it then waits for ever.
        assert [words for words in support.unit_calls(box) if "sshd" in words] == []
        box.run("systemctl start sshd").check()
    assert login(box) == CLOSED


def test_it_closes_before_sshd_has_its_directory(box: Sandbox) -> None:
    """As at boot, where sshd's own unit makes it: sshd takes no configuration until then."""
    call(box, "admit").expect(0)
    box.run("systemctl stop sshd && rmdir /run/sshd").check()
    assert box.run("$(command -v sshd) -t").status != 0
    box.run("sh /var/lib/pvegen/mypve/close.sh close").check()
    box.run("mkdir /run/sshd && systemctl start sshd").check()
    assert login(box) == CLOSED


@pytest.mark.parametrize("end", ["time", "boot"])
def test_killed_at_any_command_it_is_closed_in_the_end(box: Sandbox, end: str) -> None:
    """Wherever admit is killed: after the time is over, or at the next boot, it is closed."""
    quick(box, 0.3 if end == "time" else 3600)
    opened = 0
    for n in range(1, 60):
        inject = f"inject=clone,vfork:signal=KILL:when={n}"
        done = box.run(["strace", "-qq", "-o", "/dev/null", "-e", inject, "dash", "/root/pve1.sh", "admit"])
        if done.status == 0:
            break
        opened += login(box) == OPEN
        if end == "boot":
            box.run(f"[ ! -e {UNIT} ] || $(sed -n 's/^ExecStart=//p' {UNIT})").check()
        elif box.exists(ADMITTED):
            wait(box, f"[ ! -e {ADMITTED} ]")
        assert login(box) == CLOSED, n
    else:
        pytest.fail("admit never came to its end")
    # The time is over too soon to be sure of seeing it open.
    assert opened or end == "time"
    box.remove("/usr/sbin/sleep")


def test_a_second_admit_only_opens_for_longer(box: Sandbox) -> None:
    """What it goes back to is what was there before the first; the first one's timer does not close the second."""
    quick(box, 3)
    call(box, "admit").expect(0)
    quick(box, 3600)
    call(box, "admit").expect(0)
    box.run("/usr/bin/sleep 3.5")
    assert login(box) == OPEN
    box.remove("/usr/sbin/sleep")
    call(box, "close").expect(0)
    assert login(box) == CLOSED


def test_a_timer_that_waits_for_the_second_admit_does_not_close_it(box: Sandbox) -> None:
    """The first one's time is over just while the second is at work and holds the lock."""
    quick(box, 3600)
    call(box, "admit").expect(0)
    first = box.read(ADMITTED).strip()
    call(box, "admit").expect(0)
    assert box.read(ADMITTED).strip() != first
    late = {"pvegen_opening": first}
    support.run(box, "close", path="/var/lib/pvegen/mypve/close.sh", tap=False, env=late).expect(0)
    assert login(box) == OPEN
    box.remove("/usr/sbin/sleep")


def test_close_while_closed_does_nothing(box: Sandbox) -> None:
    before = box.read(SSHD)
    box.forget_calls()
    call(box, "close").expect(0)
    assert box.read(SSHD) == before
    assert [words for words in support.unit_calls(box) if "sshd" in words] == []


def test_passwords_that_sshd_does_not_take_are_taken_for_that_time(box: Sandbox) -> None:
    whole = box.read(SSHD)
    box.put(SSHD, whole + "PasswordAuthentication no\n")
    box.run("systemctl reload sshd").check()
    assert login(box) == ("prohibit-password", "no")
    call(box, "admit").expect(0)
    assert login(box) == OPEN and in_force(box)
    call(box, "close").expect(0)
    assert login(box) == ("prohibit-password", "no") and not in_force(box)
    box.put(SSHD, whole)
    box.run("systemctl reload sshd").check()


def test_the_medium_with_the_script_may_be_taken_away(box: Sandbox) -> None:
    box.run("mkdir -p /mnt/stick && cp /root/pve1.sh /mnt/stick/").check()
    hold(box)
    call(box, "admit", path="/mnt/stick/pve1.sh").expect(0)
    box.remove("/mnt/stick")
    assert login(box) == OPEN
    over(box)
    box.remove("/usr/sbin/sleep")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_opens_and_closes_by_time_in_every_shell(box: Sandbox, shell: str) -> None:
    """And what waits for the time holds neither the lock nor the terminal."""
    words = [*SHELLS[shell], "/root/quick.sh"]
    box.remove(OVER)
    waits = f"until [ -e {OVER} ]; do sleep 0.05; done"
    support.edit(box, ('sleep "$((open_minutes * 60))"', waits), to="/root/quick.sh")
    box.put("/usr/sbin/systemd-run", "#!/bin/sh\nexit 1\n", 0o755)  # the systemd of some release has none
    box.run([*words, "admit"], timeout=20).check()
    assert login(box) == OPEN
    support.until_free(box)
    over(box)
    box.remove(OVER)
    box.run([*words, "admit"], timeout=20).check()
    box.run([*words, "close"], timeout=20).check()
    assert login(box) == CLOSED
    box.put(OVER, "")
    box.run("rm /usr/sbin/systemd-run").check()


def test_it_closes_by_a_timer_of_systemd(box: Sandbox) -> None:
    hold(box)
    call(box, "admit").expect(0)
    assert login(box) == OPEN
    assert box.run("systemctl is-active pvegen-close-later.timer").stdout == "active\n"
    over(box)
    box.remove("/usr/sbin/sleep")


def test_a_script_that_is_no_file_cannot_admit(box: Sandbox) -> None:
    done = box.run(["dash", "-s", "admit"], stdin=box.read("/root/pve1.sh"))
    assert done.status == 78 and login(box) == CLOSED


def test_verify_tells_and_apply_leaves_it_open(box: Sandbox) -> None:
    call(box, "admit").expect(0)
    seen = support.verify(box).expect(0)
    assert seen.tap.find("root's login is open for a while, by admit").ok
    assert support.apply(box).expect(0).changes == 0
    assert login(box) == OPEN
    call(box, "close").expect(0)
    support.verify(box).expect(0)


def test_closing_waits_for_a_run_that_may_be_writing_sshds_file(box: Sandbox) -> None:
    call(box, "admit").expect(0)
    box.run("rm -f /run/held /run/go").check()
    holds = "echo >/run/held; until [ -e /run/go ]; do /usr/bin/sleep 0.05; done"
    box.run(f"flock /run/pvegen/lock sh -c '{holds}' >/dev/null 2>&1 &").check()
    wait(box, "[ -e /run/held ]")
    assert support.apply(box).status == 78
    box.run("{ /usr/bin/sleep 1.5; echo >/run/go; } >/dev/null 2>&1 &").check()
    call(box, "close").expect(0)
    assert box.run("flock -n /run/pvegen/lock true").status == 0
    assert login(box) == CLOSED


def test_a_broken_sshd_config_is_refused(box: Sandbox) -> None:
    whole = box.read(SSHD)
    box.put(SSHD, whole + "NoSuchKeyword yes\n")
    refused = call(box, "admit")
    assert refused.status == 78 and "is not accepted by sshd itself" in refused.stderr
    assert box.read(SSHD) == whole + "NoSuchKeyword yes\n"
    assert not box.exists(ADMITTED) and not box.exists(UNIT)
    box.put(SSHD, whole)


def test_somebody_elses_host_is_refused(box: Sandbox) -> None:
    box.run("hostname pve9").check()
    refused = call(box, "admit")
    box.run("hostname pve1").check()
    assert refused.status == 78 and "this script is for pve1" in refused.stderr


def test_before_there_is_a_cluster_nobody_is_admitted() -> None:
    """Else what admit opened would be taken for what was there before pvecm."""
    with prepared("alt-p8") as nodes:
        refused = nodes.call("pve1", "admit")
        assert refused.status == 78 and "not in cluster mypve yet" in refused.stderr
        assert not nodes["pve1"].exists(UNIT)


@pytest.mark.trap("S8")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("policy", "before", "after"), [
    ("keep", "#PermitRootLogin without-password", "prohibit-password"),
    ("keep", "PermitRootLogin yes", "yes"),
    ("prohibit-password", "PermitRootLogin yes", "prohibit-password"),
    ("yes", "#PermitRootLogin without-password", "yes"),
])  # fmt: skip
def test_the_policy_is_put_back_after_pvecm(target: str, policy: str, before: str, after: str) -> None:
    """pvecm sets it to yes at create; again by hand, as a later join does; and admit opens and goes back to it."""
    with prepared(target, policy) as nodes:
        box = nodes["pve1"]
        text = "".join(line for line in box.read(SSHD).splitlines(True) if "permitrootlogin" not in line.lower())
        box.put(SSHD, f"{text}{before}\n", 0o600)
        box.run("systemctl restart sshd").check()
        nodes.apply("pve1").expect(0)
        assert login(box)[0] == after
        assert box.tree(SSHD)[SSHD].mode == 0o600
        call(box, "admit").expect(0)
        assert login(box) == OPEN
        call(box, "close").expect(0)
        assert login(box)[0] == after
        box.run(f"sed -i 's/^#*PermitRootLogin.*/PermitRootLogin yes/' {SSHD}").check()
        nodes.apply("pve1").expect(0)
        assert login(box)[0] == after
        nodes.verify("pve1").expect(0)


@pytest.mark.parametrize("target", TARGETS)
def test_a_root_that_may_not_log_in_at_all_cannot_be_kept(target: str) -> None:
    """PVE's nodes need root by key: refused, and nothing is changed."""
    with prepared(target, "keep") as nodes:
        box = nodes["pve1"]
        box.put(SSHD, "PermitRootLogin no\n" + box.read(SSHD), 0o600)
        refused = nodes.apply("pve1").expect(78)
        assert 'PermitRootLogin is "no"' in refused.stdout
        assert not box.exists("/etc/corosync/authkey")


def test_only_root_is_let_in(box: Sandbox) -> None:
    """Other accounts keep what the file says of passwords."""
    whole = box.read(SSHD)
    box.put(SSHD, "PasswordAuthentication no\n" + whole)
    call(box, "admit").expect(0)
    said = box.run("sshd -T -C user=nobody,host=localhost,addr=127.0.0.1").check().stdout
    assert "passwordauthentication no" in said
    call(box, "close").expect(0)
    box.put(SSHD, whole)


def test_a_match_of_somebody_elses_that_keeps_root_out_is_told(box: Sandbox) -> None:
    whole = box.read(SSHD)
    box.put(SSHD, whole + "Match User root\n PasswordAuthentication no\n")
    refused = call(box, "admit").expect(1)
    assert "keeps root out" in refused.stdout
    assert login(box) == ("prohibit-password", "no")
    box.put(SSHD, whole)


def test_open_beyond_its_time_is_a_fault_and_apply_closes_it(box: Sandbox) -> None:
    call(box, "admit").expect(0)
    box.put(ADMITTED, "1.1000000000\n")
    assert support.verify(box).status == 1
    support.apply(box).expect(0)
    assert login(box) == CLOSED
