"""A node that was saved goes on in another sandbox as if it had been switched off and on; what is made once for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import once
from .harness import Sandbox
from .trees import diff_trees

CHANGES = """
rm /etc/hosts; rm -r /etc/cron.d; mkdir /etc/cron.d; echo mine >/etc/cron.d/mine
mkdir -m 750 /srv/kept; ln /etc/cron.d/mine /srv/kept/same; ln -s nowhere /srv/kept/link; chown 7:8 /srv/kept
setfattr -n user.mine -v yes /srv/kept; setfacl -m u:9:r /etc/cron.d/mine
systemctl disable crond; systemctl enable ntpd
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("system", ["alt-p8", "alt-p11"])
def test_a_saved_node_goes_on(system: str) -> None:
    with Sandbox(system, "pve1", root_password="secret") as box:
        box.run(CHANGES)
        box.setting("mine", "yes")
        box.reboot()
        before = box.changes()
        calls, marks, keys = box.calls(), seen(box), box.read(f"{box.system.settings['ssh-dir']}/ssh_host_rsa_key")
        saved = box.save()
    with Sandbox(system, "pve1", saved=saved) as other:
        assert [str(c) for c in diff_trees(before, other.changes()) if not c.path.startswith(("/var/l", "/run"))] == []
        assert not other.exists("/etc/hosts") and other.run("ls /etc/cron.d").stdout == "mine\n"
        assert other.read(f"{other.system.settings['ssh-dir']}/ssh_host_rsa_key") == keys
        assert seen(other) == marks
        assert other.calls()[: len(calls)] == calls
        assert other.read("/var/lib/standin/settings/mine") == "yes"
        other.run("ping -c 1 -W 2 10.0.0.1").check()


def seen(box: Sandbox) -> str:
    return box.run(
        "cd /; getfacl etc/cron.d/mine; getfattr -d srv/kept; stat -c '%a %u %g' srv/kept; stat -c %h etc/cron.d/mine; "
        "cat etc/machine-id etc/shadow; ip -o -4 address; systemctl is-active crond ntpd sshd"
    ).stdout


def test_what_is_made_once_is_made_by_the_first_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_folder", tmp_path)
    made: list[int] = []

    def make() -> list[int]:
        made.append(1)
        return made

    assert [once.made_once("a", make), once.made_once("a", make), once.made_once("b", make)] == [[1], [1], [1, 1]]


def test_what_fails_is_made_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_folder", tmp_path)
    with pytest.raises(ZeroDivisionError):
        once.made_once("a", lambda: 1 // 0)
    assert once.made_once("a", lambda: 2) == 2
