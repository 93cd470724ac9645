"""pvecm's command line, with the options of the version that is played (facts: "Options per era")."""

import os
import sys

from . import certificates, membership, ssh
from .settings import Failure, complain, die, era, failing, record

FLAGS = {"force", "use_ssh", "silent", "unmerge-known-hosts"}


def _links() -> list[str]:
    if era() < (6,):
        return ["ring0_addr", "ring1_addr"]
    count = 8 if era() >= (6, 1, 5) else 2
    return [f"link{number}" for number in range(count)]


def _known(command: str) -> set[str]:
    """The options that COMMAND has in this era."""
    links = set(_links())
    if command == "create":
        known = {"nodeid", "votes"} | links
        if era() < (6,):
            known |= {"bindnet0_addr", "bindnet1_addr"}
        if era() < (4, 0, 49):
            known.add("rrp_mode")
        return known | ({"token-coefficient"} if era() >= (9, 1, 0) else set())
    if command == "add":
        known = {"nodeid", "votes", "force"} | links
        return known | ({"fingerprint", "use_ssh"} if era() >= (5, 0, 21) else set())
    if command == "addnode":
        return {"nodeid", "votes", "force", "new_node_ip", "apiversion"} | links
    return {"updatecerts": {"force", "silent"}}.get(command, set())


USAGE = {
    "create": "pvecm create <clustername> [OPTIONS]",
    "add": "pvecm add <hostname> [OPTIONS]",
    "addnode": "pvecm addnode <node> [OPTIONS]",
    "delnode": "pvecm delnode <node>",
    "expected": "pvecm expected <expected>",
    "updatecerts": "pvecm updatecerts  [OPTIONS]",
    "status": "pvecm status",
    "nodes": "pvecm nodes",
}
ARGUMENTS = {"create": 1, "add": 1, "addnode": 1, "delnode": 1, "expected": 1}


def parse(command: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments and {option: value}; an option that the era has not is an error (facts: "fails at once")."""
    arguments: list[str] = []
    options: dict[str, str] = {}
    known = _known(command)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            arguments.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name not in known:
            die(f"Unknown option: {name}\n400 unable to parse option\n{USAGE[command]}\n")
        if name in FLAGS:
            if not equals and rest and rest[0] in ("0", "1", "yes", "no", "true", "false"):
                value = rest.pop(0)
            if value not in ("0", "no", "false"):
                options[name] = "1"
        elif equals or rest:
            options[name] = value if equals else rest.pop(0)
        else:
            die(f"Option {name} requires an argument\n400 unable to parse option\n{USAGE[command]}\n")
    if command == "expected" and arguments[:1] and not arguments[0].isdigit():
        die(f"400 Parameter verification failed.\nexpected: type check ('integer') failed\n{USAGE[command]}\n")
    if len(arguments) != ARGUMENTS.get(command, 0):
        text = "too many arguments" if len(arguments) > ARGUMENTS.get(command, 0) else "not enough arguments"
        die(f"400 {text}\n{USAGE[command]}\n")
    return arguments, options


def _worker(work: object, *arguments: object) -> int:
    """Runs what real pvecm runs in a worker.

    Facts: "`pvecm add` runs everything in a synced worker (`fork_worker`) and then returns undef: rc 0 even when the
    join failed, in all eras with the worker (5.0-21+)". Before that a failure is one.
    """
    try:
        work(*arguments)  # type: ignore[operator]
    except Failure as failure:
        if era() < (5, 0, 21):
            raise
        sys.stdout.flush()
        complain(str(failure).rstrip("\n"))
    return 0


def _create(name: str, options: dict[str, str]) -> int:
    membership.check_creatable(name)
    if era() < (4, 0, 49):
        if ("bindnet1_addr" in options) != ("ring1_addr" in options):
            die("Param bindnet1_addr and ring1_addr are dependend, use both or none!\n")
        if options.get("rrp_mode") == "none" and "ring1_addr" in options:
            die("rrp_mode 'none' is not allowed when using multiple interfaces\n")
    if era() < (5, 0, 21):
        membership.local_address()  # dies before the worker
        return _worker(membership.create, name, options)
    with membership.lock():
        return _worker(membership.create, name, options)


def _add(host: str, options: dict[str, str]) -> int:
    if era() >= (7, 3, 3) and (os.getcwd() + "/").startswith("/etc/pve/"):
        die("Navigate out of /etc/pve before running 'pvecm add', for example by running 'cd'.\n")
    membership.need_pmxcfs()
    from . import joining  # takes long to load, and no other command needs it

    if (5, 0, 21) <= era() < (6, 1, 5):
        # facts: "In 5.0-21..6.1-4 the pre-checks ran before the worker (rc != 0)"
        membership.check_joinable(options, force="force" in options)
    if era() < (5, 0, 21) or "use_ssh" in options:
        return _worker(joining.over_ssh, host, options)
    return _worker(joining.over_api, host, options)


def _addnode(name: str, options: dict[str, str]) -> int:
    membership.need_pmxcfs()
    if failing("pvecm-addnode"):
        die("cfs-lock 'file-corosync_conf' error: got lock request timeout\n")
    if era() < (4, 0, 49):  # facts: "addnode takes no lock"
        membership.take_in(name, options, options.get("new_node_ip"))
    else:
        with membership.lock():
            membership.take_in(name, options, options.get("new_node_ip"))
    return 0


def _updatecerts(options: dict[str, str]) -> int:
    membership.need_pmxcfs()
    if not membership.quorate():
        die("no quorum - unable to update files\n")
    certificates.update(force="force" in options)
    if membership.PVE_CONF.exists():
        ssh.own_keys()
        ssh.share_authorized_keys()
        ssh.share_host_key(membership.local_address())
    return 0


def _dispatch(words: list[str]) -> int:
    command = words[0] if words else ""
    if command not in USAGE:
        what = f"unknown command 'pvecm {command}'" if command else "no command specified"
        die(f"ERROR: {what}\nUSAGE: pvecm <COMMAND> [ARGS] [OPTIONS]\n")
    arguments, options = parse(command, words[1:])
    if command == "create":
        return _create(arguments[0], options)
    if command == "add":
        return _add(arguments[0], options)
    if command == "addnode":
        return _addnode(arguments[0], options)
    if command == "updatecerts":
        return _updatecerts(options)
    membership.need_pmxcfs()
    if command == "delnode":
        membership.delnode(arguments[0])
    elif command == "expected":
        return membership.expected(arguments[0])
    elif command == "status":
        return membership.status()
    elif command == "nodes":
        return membership.nodes()
    return 0


def main(words: list[str]) -> int:
    """Runs pvecm; gives its exit status."""
    record("pvecm", *words)
    try:
        return _dispatch(words)
    except Failure as failure:
        sys.stdout.flush()
        complain(str(failure).rstrip("\n"))
        return failure.status
