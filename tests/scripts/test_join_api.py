"""Joining through the API: the member known by its certificate, root's password given once, nothing joined otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .nodes import PASSWORD, Nodes, bail, description, login, members, trash
from .support import Run
from .test_join import in_round_seconds, listed, quorate_alone, unlisted, wait

pytestmark = pytest.mark.sandbox

BY_API = 'join = "api"'
ASKED = {"Root's password on pve1: ": PASSWORD}
NOBODY = ":".join(["AB"] * 32)
"""A fingerprint that no certificate has."""
Condition = Callable[[Nodes], Iterator[None]]


def fingerprint(nodes: Nodes, name: str = "pve1") -> str:
    """What the member's own script prints, as the option takes it."""
    said = nodes.call(name, "fingerprint").expect(0).stdout
    return said.split("--fingerprint ")[1].strip()


def join(nodes: Nodes, name: str, *words: str, member: str = "pve1", password: str = PASSWORD, **more: object) -> Run:
    """Joins with the fingerprint that the member prints and the password on a descriptor."""
    known = ("--fingerprint", fingerprint(nodes, member)) if "--fingerprint" not in words else ()
    line = f"{password}\n" if password else ""
    return nodes.apply(name, *known, "--password-fd", "0", *words, stdin=line, **more)


def adds(box: Sandbox) -> list[list[str]]:
    """The joins that were tried."""
    return [words for words in box.calls("pvecm") if words[1] == "add"]


@contextmanager
def a_pair(**options: object) -> Iterator[Nodes]:
    """pve1 with its cluster; pve2 with all that comes before the join."""
    with Nodes(description("alt-p11", 2, cluster=BY_API), **options) as nodes:  # type: ignore[arg-type]
        nodes.apply("pve1").expect(0)
        stopped = join(nodes, "pve2", password="wrong")
        assert stopped.status == 1 and "does not let root in by this password" in bail(stopped), str(stopped)
        yield nodes


@pytest.fixture(scope="module")
def pair() -> Iterator[Nodes]:
    """A pair that is kept as it is by every test that uses it."""
    with a_pair() as nodes:
        yield nodes


@pytest.fixture
def still_a_pair(pair: Nodes) -> Iterator[Nodes]:
    """The pair, seen to be unjoined and sound after the test too."""
    pair["pve2"].forget_calls()
    yield pair
    wait(pair["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
    assert members(pair["pve1"]) == {"pve1": True}
    assert not pair["pve2"].exists("/etc/pve/corosync.conf")


# What it is like where all is well ------------------------------------------------------------------------------------


def test_three_nodes_by_the_terminal_and_by_a_descriptor() -> None:
    """From fresh systems; the third joins through the second, which has another certificate by then."""
    text = description("alt-p11", ["", "", 'joins = "pve2"'], cluster=BY_API)
    with Nodes(text, key=False) as nodes:
        assert login(nodes["pve1"]) == ("prohibit-password", "yes")
        first = nodes.apply("pve1").expect(0)
        assert "sh /root/pve1.sh fingerprint" in first.stdout
        done = nodes.apply("pve2", "--fingerprint", fingerprint(nodes), answers=ASKED)
        assert done.status == 0, str(done)
        assert PASSWORD not in done.stdout
        join(nodes, "pve3", member="pve2").expect(0)
        nodes.agree()
        for name in nodes.node:
            assert login(nodes[name])[0] == "prohibit-password"
            nodes.verify(name).expect(0)
            assert nodes.apply(name).expect(0).changes == 0
            assert trash(nodes[name]) == []
            assert not nodes[name].exists("/run/pvegen/member.pem")
        assert [words[2:] for words in adds(nodes["pve3"])] == [
            ["10.0.0.252", "--fingerprint", fingerprint(nodes, "pve2"), "--link0", "10.0.0.253"]
        ]


def test_the_fingerprint_of_the_description_and_nothing_more() -> None:
    with a_pair() as nodes:
        line = f'fingerprint = "{fingerprint(nodes)}"'
        assert line in nodes.call("pve1", "fingerprint").stdout.splitlines()
        nodes.rebuild(
            description("alt-p11", [line.replace(fingerprint(nodes), fingerprint(nodes).lower()), ""], cluster=BY_API)
        )
        nodes.apply("pve2", "--password-fd", "0", stdin=PASSWORD).expect(0)
        nodes.agree()


def test_on_proxmox_ve_9() -> None:
    with a_pair(system="alt-p11:9.1") as nodes:
        join(nodes, "pve2").expect(0)
        nodes.agree()
        nodes.verify("pve2").expect(0)


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "dash"])
def test_in_every_shell(shell: str) -> None:
    """With a password of all that shells, percent encoding and JSON make something of."""
    # In the locale C, which scripts set, yash reads ASCII alone.
    letters = "" if shell == "yash" else "\u043f\u00e9\ufffd"
    secret = "-n %41&+=\\n\\\\'\"$(x)`x`#~*? \t" + letters + "\\ "
    with Nodes(description("alt-p11", 2, cluster=BY_API), root_password=secret) as nodes:
        nodes.apply("pve1").expect(0)
        found = fingerprint(nodes)
        nodes.apply("pve2", "--fingerprint", found, "--password-fd", "0", stdin=f"{secret}\n", shell=shell).expect(0)
        nodes.agree()


# The certificate ------------------------------------------------------------------------------------------------------

OWN_CERTIFICATE = """
cd /etc/pve/local
openssl req -batch -new -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=pve1.example.org -days 9 \
    -keyout /tmp/own.key -out /tmp/own.pem 2>/dev/null
cat /tmp/own.pem >pveproxy-ssl.pem
"""


def test_the_administrators_own_certificate() -> None:
    """What the script prints is what the web interface shows: where they differ for now, it says so."""
    with a_pair() as nodes:
        first = nodes["pve1"]
        stale = fingerprint(nodes)
        first.run(OWN_CERTIFICATE).check()
        # Without its key pveproxy does not take it.
        assert fingerprint(nodes) == stale
        first.run("cat /tmp/own.key >/etc/pve/local/pveproxy-ssl.key").check()
        unsure = nodes.call("pve1", "fingerprint")
        assert unsure.status == 1 and "systemctl restart pveproxy" in unsure.stderr and stale in unsure.stderr
        assert unsure.stdout == ""
        first.run("systemctl restart pveproxy").check()
        own = fingerprint(nodes)
        assert own != stale
        refused = join(nodes, "pve2", "--fingerprint", stale).expect(78)
        assert f"pve1 shows a certificate with the fingerprint {own}; it is to be {stale}" in refused.failures[0]
        assert adds(nodes["pve2"]) == []
        join(nodes, "pve2", "--fingerprint", own).expect(0)
        nodes.agree()


def test_a_fingerprint_without_the_web_interface_is_that_of_the_file(still_a_pair: Nodes) -> None:
    known = fingerprint(still_a_pair)
    still_a_pair["pve1"].run("systemctl stop pveproxy").check()
    try:
        assert fingerprint(still_a_pair) == known
    finally:
        still_a_pair["pve1"].run("systemctl start pveproxy").check()


# Every reason not to join ---------------------------------------------------------------------------------------------


@pytest.mark.trap("B23")
def test_no_fingerprint_is_no_join(still_a_pair: Nodes) -> None:
    refused = still_a_pair.apply("pve2", "--password-fd", "0", stdin=f"{PASSWORD}\n").expect(78)
    assert "nothing says by which certificate pve1 is known" in refused.failures[0]
    assert "sh pve1.sh fingerprint" in refused.stdout
    waiting = still_a_pair.call("pve2", "check").expect(2)
    assert "pvecm add 10.0.0.251 --fingerprint FINGERPRINT --link0 10.0.0.252" in waiting.stdout
    assert adds(still_a_pair["pve2"]) == []


@pytest.mark.trap("B23")
def test_another_certificate_is_refused_before_a_password_is_asked_for(still_a_pair: Nodes) -> None:
    refused = still_a_pair.apply("pve2", "--fingerprint", NOBODY.lower(), answers=ASKED)
    assert refused.status == 78
    assert NOBODY in refused.stdout and fingerprint(still_a_pair) in refused.stdout
    assert "Root's password" not in refused.stdout
    assert adds(still_a_pair["pve2"]) == []


def test_the_option_and_the_description_have_to_agree(still_a_pair: Nodes) -> None:
    text = still_a_pair.text
    still_a_pair.rebuild(description("alt-p11", [f'fingerprint = "{NOBODY}"', ""], cluster=BY_API))
    try:
        refused = join(still_a_pair, "pve2").expect(78)
        assert f"the description has the fingerprint {NOBODY} for pve1" in refused.failures[0]
    finally:
        still_a_pair.rebuild(text)
    assert adds(still_a_pair["pve2"]) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fingerprint", NOBODY[:-3]], "--fingerprint needs"),
        (["--fingerprint", NOBODY.replace(":", "")], "--fingerprint needs"),
        (["--fingerprint", f"SHA256 Fingerprint={NOBODY}"], "--fingerprint needs"),
        (["--fingerprint", f"{NOBODY}\n{NOBODY}"], "--fingerprint needs"),
        (["--fingerprint"], "--fingerprint needs"),
        (["--password-fd", "2"], "--password-fd needs"),
        (["--password-fd", "8"], "--password-fd needs"),
        (["--password-fd", "secret"], "--password-fd needs"),
        (["--password-fd"], "--password-fd needs"),
    ],
)
def test_options_that_are_none(still_a_pair: Nodes, words: list[str], said: str) -> None:
    wrong = still_a_pair.apply("pve2", *words, tap=False)
    assert wrong.status == 64 and wrong.stderr.startswith(said), str(wrong)
    assert "secret" not in wrong.stderr.partition("\n")[0]


@pytest.mark.parametrize("call", ["check", "verify", "rollback", "steps"])
def test_options_of_a_join_are_for_apply(still_a_pair: Nodes, call: str) -> None:
    wrong = still_a_pair.call("pve2", call, "--fingerprint", NOBODY, tap=False)
    assert wrong.status == 64 and "are for apply" in wrong.stderr, str(wrong)


@pytest.mark.trap("K4")
def test_a_wrong_password(still_a_pair: Nodes) -> None:
    before = support.picture(still_a_pair["pve2"], skip=[support.LOG])
    stopped = join(still_a_pair, "pve2", password="wrong")
    assert stopped.status == 1
    assert bail(stopped).endswith("pve1 does not let root in by this password")
    assert support.untouched(before, support.picture(still_a_pair["pve2"], skip=[support.LOG])) == []
    assert adds(still_a_pair["pve2"]) == []


def proxy_down(nodes: Nodes) -> Iterator[None]:
    nodes["pve1"].run("systemctl stop pveproxy").check()
    yield
    nodes["pve1"].run("systemctl start pveproxy").check()


def member_down(nodes: Nodes) -> Iterator[None]:
    nodes["pve1"].power_off()
    yield
    nodes["pve1"].boot()
    wait(nodes["pve1"], "[ -s /etc/pve/local/pve-ssl.pem ]")


def waits_for_a_ghost(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.99")
    wait(nodes["pve1"], "grep -q '\"quorate\": 0' /etc/pve/.members")
    yield
    unlisted(nodes["pve1"], "ghost")


def ghost_offline(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.99")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "ghost")


def address_taken(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.252")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "ghost")
    nodes["pve1"].run("sed -i '/ ghost$/d' /etc/hosts").check()


def listed_already(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "pve2", "10.0.0.252")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "pve2")


def setting(name: str, value: str) -> Condition:
    """A setting of the member's stand-ins is another one."""

    def condition(nodes: Nodes) -> Iterator[None]:
        before = nodes["pve1"].system.settings.get(name, "")
        nodes["pve1"].setting(name, value)
        yield
        nodes["pve1"].setting(name, before)

    return condition


def clock_off(nodes: Nodes) -> Iterator[None]:
    nodes["pve2"].put("/usr/sbin/date", "#!/bin/sh\nexec /usr/bin/date -d '-5 minutes' \"$@\"\n", 0o755)
    yield
    nodes["pve2"].remove("/usr/sbin/date")


def same_host_key(nodes: Nodes) -> Iterator[None]:
    path = f"{nodes['pve1'].system.settings['ssh-dir']}/ssh_host_ed25519_key.pub"
    own = nodes["pve2"].read(path)
    nodes["pve2"].put(path, nodes["pve1"].read(path))
    yield
    nodes["pve2"].put(path, own)


CONDITIONS: dict[str, tuple[Condition, int, str]] = {
    "proxy_down": (proxy_down, 78, "the web interface of member pve1 does not answer"),
    "member_down": (member_down, 78, "the web interface of member pve1 does not answer"),
    "without_quorum": (waits_for_a_ghost, 1, "pve1 has no quorum"),
    "ghost_offline": (ghost_offline, 1, "a node of the cluster is offline"),
    "address_taken": (address_taken, 1, "a node of the cluster has the address 10.0.0.252 already"),
    "listed_already": (listed_already, 1, "the cluster lists pve2 already"),
    "other_series": (setting("pve-version", "7.4-1/abcdef12"), 1, "pve1 runs Proxmox VE 7.4-1, this node 8.4.1"),
    "second_factor": (setting("second-factor", "totp"), 1, "root on pve1 has a second factor"),
    "clock_off": (clock_off, 1, "clock is 300 s away from that of pve1"),
    "same_host_key": (same_host_key, 1, "this node has a host key of pve1, /etc/openssh/ssh_host_ed25519_key.pub"),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_nothing_is_joined(still_a_pair: Nodes, name: str) -> None:
    nodes = still_a_pair
    condition, status, said = CONDITIONS[name]
    known = fingerprint(nodes)
    made = condition(nodes)
    next(made)
    try:
        refused = join(nodes, "pve2", "--fingerprint", known).expect(status)
        assert any(said in in_round_seconds(text) for text in refused.failures), str(refused)
        assert adds(nodes["pve2"]) == []
    finally:
        next(made, None)


def test_a_pve_cluster_before_the_api(still_a_pair: Nodes) -> None:
    box = still_a_pair["pve2"]
    box.run("cp /usr/bin/rpm /tmp/rpm").check()
    box.put(
        "/usr/sbin/rpm",
        '#!/bin/sh\ncase $* in *VERSION*pve-cluster) printf 5.0.20 ;; *) exec /usr/bin/rpm "$@" ;; esac\n',
        0o755,
    )
    try:
        refused = join(still_a_pair, "pve2").expect(78)
        assert any("the join through the API" in text and "5.0.20" in text for text in refused.failures), str(refused)
        assert 'join = "ssh"' in refused.stdout
    finally:
        box.remove("/usr/sbin/rpm")


def test_the_member_is_in_no_cluster_or_in_another() -> None:
    """A node alone has a web interface, too."""
    with Nodes(description("alt-p11", 2, cluster=BY_API)) as nodes:
        alone = nodes["pve1"]
        alone.run("systemctl start pve-cluster; echo 10.0.0.251 pve1.example.org pve1 >>/etc/hosts").check()
        alone.run("systemctl start pve-cluster; pvecm updatecerts; systemctl restart pveproxy").check()
        known = alone.run("openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256").stdout
        assert nodes.call("pve1", "fingerprint").status == 1
        words = ("--fingerprint", known.partition("=")[2].strip())
        for command in ("true", "pvecm create otherpve --link0 10.0.0.251"):
            alone.run(command).check()
            stopped = join(nodes, "pve2", *words)
            assert stopped.status == 1 and "pve1 is not in cluster mypve" in bail(stopped), str(stopped)
        assert adds(nodes["pve2"]) == []


def test_a_failure_that_pvecm_calls_success_is_led_out_by_the_messages() -> None:
    with a_pair() as nodes:
        nodes["pve2"].fail("pvecm-add-copy")
        stopped = join(nodes, "pve2")
        assert stopped.status == 1 and "pvecm expected 1" in stopped.stdout, str(stopped)
        nodes["pve2"].fail("pvecm-add-copy", on=False)
        quorate_alone(nodes["pve1"])
        stopped = join(nodes, "pve2")
        assert stopped.status == 1 and "pvecm delnode pve2" in stopped.stdout, str(stopped)
        nodes["pve1"].run(["pvecm", "delnode", "pve2"])
        join(nodes, "pve2").expect(0)
        nodes.agree()


# The password ---------------------------------------------------------------------------------------------------------

# Between the look at the certificate and the login the script is held up for as long as the test needs.
HOLD = '#!/bin/sh\ntouch /tmp/held\nuntil [ -e /tmp/go ]; do sleep 0.05; done\nexec /usr/bin/wc "$@"\n'
SERVE = """
systemctl stop pveproxy
openssl req -batch -new -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout /tmp/key -out /tmp/cert \
    -subj /CN=10.0.0.251 2>/dev/null
mkfifo /tmp/open
setsid openssl s_server -quiet -accept 8006 -key /tmp/key -cert /tmp/cert >/tmp/received 2>&1 <>/tmp/open &
until ss -H -l -t -n | grep -q :8006; do sleep 0.05; done
"""


TRUST = """
cd "$(openssl version -d | cut -d'"' -f2)"
cat >cert.pem
mkdir -p certs
cp cert.pem "certs/$(openssl x509 -noout -hash -in cert.pem).0"
"""


@pytest.mark.trap("B23")
@pytest.mark.parametrize("trusted", [False, True])
def test_a_machine_that_comes_in_between_gets_no_password(trusted: bool) -> None:
    """Not even with a certificate that this system would trust."""
    with a_pair() as nodes:
        nodes["pve2"].put("/usr/sbin/wc", HOLD, 0o755)
        ended: list[Run] = []
        thread = threading.Thread(target=lambda: ended.append(join(nodes, "pve2")))
        thread.start()
        wait(nodes["pve2"], "[ -e /tmp/held ]", 30)
        nodes["pve1"].run(SERVE).check()
        if trusted:
            nodes["pve2"].run(TRUST, stdin=nodes["pve1"].read("/tmp/cert")).check()
            opened = "openssl s_client -connect 10.0.0.251:8006 -verify_return_error </dev/null"
            nodes["pve2"].run(opened).check()
        nodes["pve2"].put("/tmp/go", "")
        thread.join()
        assert ended[0].status == 1 and "pve1 gives no ticket" in bail(ended[0]), str(ended[0])
        assert "password" not in nodes["pve1"].read("/tmp/received")
        assert "POST" not in nodes["pve1"].read("/tmp/received")
        assert adds(nodes["pve2"]) == []
