"""Two nodes that join through the API at the same moment: one after the other, whichever members they join through."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import pytest
from sandbox import Saved

from .nodes import Nodes, bail, description
from .support import Run
from .test_join import wait
from .test_join_api import BY_API, adds, fingerprint, join

pytestmark = pytest.mark.sandbox

TEXT = description("alt-p11", 3, cluster=BY_API)
HOLD = """#!/bin/sh
touch /tmp/held
until [ -e /tmp/go ]; do sleep 0.05; done
exec /usr/bin/pvecm "$@"
"""


@pytest.fixture(scope="module")
def before() -> Mapping[str, Saved]:
    """pve1 with its cluster; the others with all that comes before the join."""
    with Nodes(TEXT) as nodes:
        nodes.apply("pve1").expect(0)
        for name in ("pve2", "pve3"):
            assert join(nodes, name, password="wrong").status == 1
        return nodes.save()


@pytest.fixture
def nodes(before: Mapping[str, Saved]) -> Iterator[Nodes]:
    with Nodes(TEXT, saved=before) as three:
        for box in three.node.values():
            box.forget_calls()
        yield three


def whole(nodes: Nodes) -> None:
    """All three are in, and nothing of the lock is left."""
    nodes.agree()
    unlocked(nodes)


def unlocked(nodes: Nodes) -> None:
    """Nothing of the lock is left, of which the first node hears by whoever took it away."""
    wait(nodes["pve1"], "! grep -q pvegen-join /etc/pve/user.cfg")


def in_the_background(nodes: Nodes, name: str, known: str) -> tuple[threading.Thread, list[Run]]:
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.append(join(nodes, name, "--fingerprint", known)))
    thread.start()
    return thread, ended


def test_while_one_joins_another_is_refused(nodes: Nodes) -> None:
    known = fingerprint(nodes)
    nodes["pve2"].put("/usr/sbin/pvecm", HOLD, 0o755)
    thread, ended = in_the_background(nodes, "pve2", known)
    wait(nodes["pve2"], "[ -e /tmp/held ]", 60)
    refused = join(nodes, "pve3", "--fingerprint", known)
    nodes["pve2"].put("/tmp/go", "")
    thread.join()
    assert refused.status == 1 and "pve2 is joining the cluster just now" in bail(refused), str(refused)
    assert "apply here again" in refused.stdout
    assert adds(nodes["pve3"]) == []
    ended[0].expect(0)
    join(nodes, "pve3", "--fingerprint", known).expect(0)
    whole(nodes)


def test_both_at_once(nodes: Nodes) -> None:
    known = fingerprint(nodes)
    runs = {name: in_the_background(nodes, name, known) for name in ("pve2", "pve3")}
    for thread, _ in runs.values():
        thread.join()
    done = {name: ended[0] for name, (_, ended) in runs.items()}
    assert 0 in {run.status for run in done.values()}, "\n".join(map(str, done.values()))
    for name, run in done.items():
        if run.status != 0:
            # Refused before pvecm: by the lock, or by the look at the nodes after it.
            assert run.status == 1 and adds(nodes[name]) == [], str(run)
            join(nodes, name, "--fingerprint", known).expect(0)
    whole(nodes)


def test_a_run_that_was_killed_goes_on_and_holds_the_others_off(nodes: Nodes) -> None:
    known = fingerprint(nodes)
    nodes["pve1"].run("echo group:pvegen-join::pve2: >>/etc/pve/user.cfg").check()
    refused = join(nodes, "pve3", "--fingerprint", known)
    assert refused.status == 1 and "pve2 is joining" in bail(refused), str(refused)
    join(nodes, "pve2", "--fingerprint", known).expect(0)
    join(nodes, "pve3", "--fingerprint", known).expect(0)
    whole(nodes)


def test_of_a_node_that_never_comes_back_the_message_leads_out(nodes: Nodes) -> None:
    nodes["pve1"].run("echo group:pvegen-join::pve9: >>/etc/pve/user.cfg").check()
    refused = join(nodes, "pve3")
    assert refused.status == 1 and "pvesh delete /access/groups/pvegen-join" in refused.stdout, str(refused)
    assert "pve9" in nodes["pve1"].read("/etc/pve/user.cfg")
    nodes["pve1"].run("pvesh delete /access/groups/pvegen-join").check()
    join(nodes, "pve3").expect(0)


def test_what_a_failed_join_leaves_goes(nodes: Nodes) -> None:
    """pvecm could not begin: the next node may."""
    nodes["pve2"].put("/usr/sbin/pvecm", "#!/bin/sh\necho no\n", 0o755)
    assert join(nodes, "pve2").status == 1
    assert "pvegen-join" not in nodes["pve1"].read("/etc/pve/user.cfg")
    join(nodes, "pve3").expect(0)


def test_broken_off_after_the_join_the_next_run_takes_the_lock_away(nodes: Nodes) -> None:
    join(nodes, "pve2").expect(0)
    nodes["pve1"].run("echo group:pvegen-join::pve2: >>/etc/pve/user.cfg").check()
    wait(nodes["pve2"], "grep -q pvegen-join /etc/pve/user.cfg")
    nodes.apply("pve2").expect(0)
    unlocked(nodes)
