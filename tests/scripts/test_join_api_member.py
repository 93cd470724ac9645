"""What a member's web interface may be like when a node joins through it: whose its certificate is, and how it answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .nodes import PASSWORD, Nodes, bail, members
from .test_join import wait
from .test_join_api import NOBODY, TRUST, a_pair, adds, fingerprint, join
from .test_join_api_parallel import in_the_background

pytestmark = pytest.mark.sandbox

SIGNED = """
cd /etc/pve/local
openssl req -batch -new -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj '/CN=An authority' -days 9 \\
    -keyout /tmp/ca.key -out /tmp/ca.pem 2>/dev/null
openssl req -batch -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=pve1.example.org \\
    -keyout /tmp/own.key -out /tmp/own.csr 2>/dev/null
printf 'subjectAltName=DNS:pve1.example.org,IP:10.0.0.251\\n' >/tmp/extensions
openssl x509 -req -days 9 -in /tmp/own.csr -CA /tmp/ca.pem -CAkey /tmp/ca.key -CAcreateserial -extfile /tmp/extensions \\
    -out /tmp/own.pem 2>/dev/null
cat /tmp/own.key >pveproxy-ssl.key
cat /tmp/own.pem /tmp/ca.pem >pveproxy-ssl.pem
systemctl restart pveproxy
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[Nodes]:
    """A pair that no test joins."""
    with a_pair() as nodes:
        yield nodes


@pytest.fixture
def unjoined(pair: Nodes) -> Iterator[Nodes]:
    pair["pve2"].forget_calls()
    yield pair
    assert adds(pair["pve2"]) == []
    assert members(pair["pve1"]) == {"pve1": True}


@pytest.mark.trap("B23")
def test_a_certificate_of_an_authority_that_the_node_trusts() -> None:
    """That it is trusted says that it is somebody's, not whose: without its fingerprint nothing is joined."""
    with a_pair() as nodes:
        nodes["pve1"].run(SIGNED).check()
        nodes["pve2"].run(TRUST, stdin=nodes["pve1"].read("/tmp/ca.pem")).check()
        opened = "openssl s_client -connect 10.0.0.251:8006 -verify_ip 10.0.0.251 -verify_return_error </dev/null"
        nodes["pve2"].run(opened).check()
        blind = nodes.apply("pve2", "--password-fd", "0", stdin=f"{PASSWORD}\n").expect(78)
        assert "nothing says by which certificate pve1 is known" in blind.failures[0]
        other = join(nodes, "pve2", "--fingerprint", NOBODY).expect(78)
        assert "pve1 shows a certificate with the fingerprint" in other.failures[0]
        assert adds(nodes["pve2"]) == []
        join(nodes, "pve2").expect(0)
        # pvecm is told it, too, and asks nothing.
        assert adds(nodes["pve2"])[0][3:5] == ["--fingerprint", fingerprint(nodes)]
        nodes.agree()


SILENT = """
systemctl stop pveproxy
setsid python3 -c '
import socket
with socket.create_server(("", 8006)) as server:
    held = []
    while True:
        held.append(server.accept())
' >/dev/null 2>&1 &
echo $! >/tmp/silent.pid
until ss -H -l -t -n | grep -q :8006; do sleep 0.05; done
"""


def test_a_port_that_is_open_and_says_nothing(unjoined: Nodes) -> None:
    known = fingerprint(unjoined)
    unjoined["pve1"].run(SILENT).check()
    try:
        refused = join(unjoined, "pve2", "--fingerprint", known).expect(78)
        assert refused.failures == ["join: the web interface of member pve1 does not answer"]
    finally:
        ended = 'read -r pid </tmp/silent.pid; kill "$pid"; while [ -d "/proc/$pid" ]; do sleep 0.05; done'
        unjoined["pve1"].run(f"{ended}; systemctl start pveproxy").check()


def test_a_member_that_takes_its_time() -> None:
    """Three seconds for each answer: the node joins, its clock is not taken for one that is off; who takes longer than
    the script waits is told as silent, before anything is done."""
    with a_pair() as nodes:
        known = fingerprint(nodes)
        nodes["pve1"].setting("api-delay", "15")
        refused = join(nodes, "pve2", "--fingerprint", known).expect(78)
        assert refused.failures == ["join: the web interface of member pve1 does not answer"]
        assert adds(nodes["pve2"]) == []
        nodes["pve1"].setting("api-delay", "3")
        join(nodes, "pve2", "--fingerprint", known, timeout=300).expect(0)
        nodes.agree()
        wait(nodes["pve1"], "! grep -q pvegen-join /etc/pve/user.cfg")


RENEW = """#!/bin/sh
if [ "$1" = add ]; then
    touch /tmp/asked
    until [ -e /tmp/renewed ]; do sleep 0.05; done
fi
exec /usr/bin/pvecm "$@"
"""


@pytest.mark.trap("B23")
def test_a_certificate_renewed_between_the_asking_and_pvecm() -> None:
    """pvecm refuses it by the fingerprint, says 0, and nothing has happened; with the new one the node joins."""
    with a_pair() as nodes:
        known = fingerprint(nodes)
        renew = "pvecm updatecerts --force && systemctl restart pveproxy"
        nodes["pve2"].put("/usr/sbin/pvecm", RENEW, 0o755)
        thread, ended = in_the_background(nodes, "pve2", known)
        wait(nodes["pve2"], "[ -e /tmp/asked ]", 60)
        nodes["pve1"].run(renew).check()
        assert fingerprint(nodes) != known
        nodes["pve2"].put("/tmp/renewed", "")
        thread.join()
        assert ended[0].status == 1, str(ended[0])
        assert members(nodes["pve1"]) == {"pve1": True}
        assert not nodes["pve2"].exists("/etc/pve/corosync.conf")
        join(nodes, "pve2").expect(0)
        nodes.agree()


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "PERL_LWP_ENV_PROXY"])
def test_a_proxy_in_the_environment_is_not_asked(unjoined: Nodes, name: str) -> None:
    """The members are on the own network; and whoever runs the proxy would be asked in the member's place."""
    unjoined["pve2"].put("/usr/sbin/wc", f'#!/bin/sh\nprintenv {name} >/tmp/proxy\nexec /usr/bin/wc "$@"\n', 0o755)
    try:
        stopped = join(unjoined, "pve2", password="wrong", env={name: "http://10.0.0.99:3128"})
    finally:
        unjoined["pve2"].remove("/usr/sbin/wc")
    assert "does not let root in by this password" in bail(stopped), str(stopped)
    assert unjoined["pve2"].read("/tmp/proxy") == ""
