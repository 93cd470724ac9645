"""The systemctl stand-in: texts, exit statuses and links as systemd 252 has them."""

import pytest

from .fixtures import MakeSandbox
from .harness import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def node(make_shared: MakeSandbox) -> Sandbox:
    node = make_shared()
    node.set_unit("plain", WantedBy="multi-user.target")
    node.set_unit("failing", ExecStart="echo reason; false", WantedBy="multi-user.target")
    node.set_unit("conditional", ConditionPathExists="/nowhere")
    node.set_unit("shy", RefuseManualStart="true", RefuseManualStop="true", WantedBy="multi-user.target")
    return node


def test_start_stop_and_is_active(node: Sandbox) -> None:
    assert node.run("systemctl start plain && systemctl is-active plain").stdout == "active\n"
    result = node.run("systemctl stop plain; systemctl is-active plain")
    assert (result.status, result.stdout) == (3, "inactive\n")


def test_unknown_unit(node: Sandbox) -> None:
    result = node.run("systemctl start nosuch")
    assert (result.status, result.stderr) == (5, "Failed to start nosuch.service: Unit nosuch.service not found.\n")
    result = node.run("systemctl restart nosuch plain")
    assert (result.status, result.stderr) == (5, "Failed to restart nosuch.service: Unit nosuch.service not found.\n")
    assert node.run("systemctl is-active nosuch").status == 3
    assert "No such file or directory" in node.run("systemctl is-enabled nosuch").stderr


def test_one_unknown_unit_among_others_does_not_stop_them(node: Sandbox) -> None:
    assert node.run("systemctl stop plain; systemctl start nosuch plain").status == 5
    assert node.run("systemctl is-active plain").status == 0


def test_failing_unit(node: Sandbox) -> None:
    result = node.run("systemctl start failing")
    assert result.status == 1
    assert result.stderr.startswith(
        "Job for failing.service failed because the control process exited with error code."
    )
    assert node.run("systemctl is-failed failing").stdout == "failed\n"
    assert node.run("journalctl -u failing").stdout == "reason\n"
    assert node.run("systemctl is-system-running").stdout == "degraded\n"
    assert node.run("systemctl reset-failed failing; systemctl is-active failing").stdout == "inactive\n"


def test_condition_that_fails_is_rc_0_and_inactive(node: Sandbox) -> None:
    assert node.run("systemctl start conditional").status == 0
    shown = node.run("systemctl show conditional -p ActiveState,ConditionResult").stdout
    assert shown == "ActiveState=inactive\nConditionResult=no\n"


def test_refuses_a_manual_start(node: Sandbox) -> None:
    result = node.run("systemctl start shy")
    assert result.status == 4
    assert result.stderr.startswith(
        "Failed to start shy.service: Operation refused, unit shy.service may be requested by dependency only "
        "(it is configured to refuse manual start/stop).\n"
    )
    assert node.run("systemctl show shy -p RefuseManualStart --value").stdout == "yes\n"
    assert node.run("systemctl enable --now shy").status == 4
    assert node.run("systemctl is-enabled shy").stdout == "enabled\n"


def test_enable_and_disable_make_and_remove_the_link(node: Sandbox) -> None:
    link = "/etc/systemd/system/multi-user.target.wants/plain.service"
    result = node.run("systemctl enable plain")
    assert result.stderr == f"Created symlink {link} → /usr/lib/systemd/system/plain.service.\n"
    assert node.run("systemctl is-enabled plain").stdout == "enabled\n"
    assert node.run("systemctl enable plain").stderr == ""
    assert node.run("systemctl disable plain").stderr == f'Removed "{link}".\n'
    result = node.run("systemctl is-enabled plain")
    assert (result.status, result.stdout) == (1, "disabled\n")


def test_enable_of_a_list_is_all_or_nothing(node: Sandbox) -> None:
    result = node.run("systemctl disable plain; systemctl enable plain nosuch")
    assert (result.status, result.stderr) == (1, "Failed to enable unit: Unit file nosuch.service does not exist.\n")
    assert node.run("systemctl is-enabled plain").stdout == "disabled\n"


def test_alias(node: Sandbox) -> None:
    shown = node.run("systemctl show nfslock -p Id -p Names").stdout
    assert shown == "Id=rpc-statd.service\nNames=rpc-statd.service nfslock.service\n"
    result = node.run("systemctl enable nfslock")
    assert result.status == 1
    assert "Refusing to operate on alias name or linked unit file: nfslock.service" in result.stderr
    assert node.run("systemctl is-enabled nfslock").stdout == "alias\n"
    assert node.run("systemctl start nfslock && systemctl is-active rpc-statd").stdout == "active\n"


def test_sysv_unit_is_enabled_now_and_not_started(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("systemctl disable syslogd; systemctl stop syslogd").check()
    assert node.run("systemctl enable --now syslogd").status == 0
    assert node.run("systemctl is-active syslogd").stdout == "inactive\n"
    assert node.run("systemctl is-enabled syslogd").stdout == "enabled\n"
    assert node.run("systemctl start syslogd && systemctl is-active syslogd").stdout == "active\n"


def test_static_unit(node: Sandbox) -> None:
    result = node.run("systemctl enable conditional")
    assert result.status == 0
    assert result.stderr.startswith("The unit files have no installation config")
    assert node.run("systemctl is-enabled conditional").stdout == "static\n"


def test_masked_unit(node: Sandbox) -> None:
    node.run("systemctl stop plain; systemctl mask plain").check()
    result = node.run("systemctl start plain")
    assert (result.status, result.stderr) == (1, "Failed to start plain.service: Unit plain.service is masked.\n")
    assert node.run("systemctl is-enabled plain").stdout == "masked\n"
    assert node.run("systemctl show plain -p LoadState --value").stdout == "masked\n"
    assert node.run("systemctl unmask plain && systemctl start plain").status == 0


def test_show_of_several_units_in_the_order_asked_for(node: Sandbox) -> None:
    shown = node.run("systemctl show -p UnitFileState,LoadState,Id sshd nosuch network").stdout
    assert shown == (
        "Id=sshd.service\nLoadState=loaded\nUnitFileState=enabled\n\n"
        "Id=nosuch.service\nLoadState=not-found\nUnitFileState=\n\n"
        "Id=network.service\nLoadState=loaded\nUnitFileState=enabled\n"
    )


def test_reload(node: Sandbox) -> None:
    node.set_unit("loud", ExecReload="echo reloaded >> /run/loud")
    result = node.run("systemctl reload loud")
    assert (result.status, result.stderr) == (1, "loud.service is not active, cannot reload.\n")
    assert node.run("systemctl start loud && systemctl reload loud && cat /run/loud").stdout == "reloaded\n"
    result = node.run("systemctl start plain; systemctl reload plain")
    assert result.status == 3
    assert "Job type reload is not applicable for unit plain.service." in result.stderr


def test_try_restart_of_what_is_stopped_starts_nothing(node: Sandbox) -> None:
    assert node.run("systemctl stop plain; systemctl try-restart plain").status == 0
    assert node.run("systemctl is-active plain").status == 3
    assert node.run("systemctl reload-or-restart plain; systemctl is-active plain").stdout == "active\n"


def test_slow_unit_blocks_unless_told_not_to(node: Sandbox) -> None:
    node.set_unit("slow", ExecStart="until [ -e /run/go ]; do sleep 0.05; done")
    node.run("systemctl start --no-block slow").check()
    until = 'for i in $(seq 400); do [ "$(systemctl is-active slow)" != %s ] || exit 0; sleep 0.05; done; exit 1'
    node.run(until % "activating").check()
    node.run("timeout 0.3 systemctl start slow; test $? = 124").check()
    node.run(f"touch /run/go; {until % 'active'}").check()


def test_stop_returns_when_the_process_has_ended(node: Sandbox) -> None:
    start = "trap 'sleep 0.5; touch /run/ended; exit' TERM; touch /run/begun; while :; do sleep 0.05; done"
    node.put("/etc/systemd/system/lasting.service", f"[Service]\nExecStart={start}\n")
    node.run("systemctl start lasting; until [ -e /run/begun ]; do sleep 0.05; done; systemctl stop lasting").check()
    assert node.exists("/run/ended")


def test_start_limit_takes_the_network_down(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.set_unit("network", StartLimitIntervalSec="600")  # 10 s are over before the sixth where much else runs
    statuses = [node.run("systemctl restart network").status for _ in range(6)]
    assert statuses == [0, 0, 0, 0, 0, 1]
    assert "10.0.0.251" not in node.run("ip -br address").stdout
    assert node.run("systemctl show network -p Result --value").stdout == "start-limit-hit\n"
    assert node.run("systemctl reset-failed network && systemctl start network").status == 0


def test_units_of_one_call_start_in_the_order_of_the_boot(node: Sandbox) -> None:
    for name in ("rpcbind", "crond"):
        node.set_unit(name, ExecStart=f"echo {name} >> /run/order")
    node.run("systemctl stop rpcbind crond; systemctl restart rpcbind crond").check()
    assert node.read("/run/order") == "crond\nrpcbind\n"


def test_killed_process_is_seen(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("read -r pid </run/standin/pids/sshd.service; kill -9 $pid; while kill -0 $pid; do sleep 0.1; done")
    assert node.run("systemctl is-active sshd").stdout == "failed\n"


def test_sshd_takes_its_configuration_at_a_restart_and_refuses_a_bad_one(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    assert "permitrootlogin without-password" in node.run("sshd -T").stdout
    node.run("echo 'PermitRootLogin yes' >> /etc/openssh/sshd_config").check()
    assert "permitrootlogin yes" in node.run("sshd -T").stdout
    assert node.run("systemctl reload sshd").status == 0
    node.put("/etc/openssh/sshd_config", "Nonsense yes\n")
    assert node.run("systemctl reload sshd").status == 1
    assert node.run("systemctl is-active sshd").stdout == "active\n"
    assert node.run("systemctl restart sshd").status == 1


def test_calls_are_kept(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("systemctl restart 'a b' \"it's\"; rpm -q bash; pveversion")
    assert node.calls() == [["systemctl", "restart", "a b", "it's"], ["rpm", "-q", "bash"], ["pveversion"]]
    node.forget_calls()
    assert node.calls("systemctl") == []


def test_list_unit_files(node: Sandbox) -> None:
    assert node.run("systemctl list-unit-files --no-legend --plain sshd.service").stdout.split()[:2] == [
        "sshd.service",
        "enabled",
    ]
    assert node.run("systemctl list-unit-files nosuch.service").status == 1


def test_cat_and_status(node: Sandbox) -> None:
    assert node.run("systemctl cat sshd").stdout.startswith("# /usr/lib/systemd/system/sshd.service\n[Unit]\n")
    assert node.run("systemctl status sshd").status == 0
    assert node.run("systemctl status conditional").status == 3
    assert node.run("systemctl status nosuch").status == 4
