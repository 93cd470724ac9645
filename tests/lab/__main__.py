"""The lab by hand: `python -m lab up`, and see `--help`; the Makefile has the usual calls."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from . import leftovers, place, requirements, service

EXAMPLE = place.PROJECT / "examples" / "depot.toml"


class Commands(click.Group):
    """Turns what cannot be done into one clear message and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            reason = None if ctx.params.get("help") else requirements.missing_programs()
            if reason:
                raise service.NoLab(reason)
            return super().invoke(ctx)
        except service.NoLab as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            text = f"{error.strerror}: {error.filename} (PVEGEN_LAB names another folder for the lab)"
            raise click.ClickException(text) from None


@click.group(cls=Commands)
def main() -> None:
    """Real nodes for node scripts, each booted in namespaces of its own; docs/lab.md tells more."""


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=EXAMPLE)
@click.option("--formed", is_flag=True, help="Start from the cluster as the scripts form it, not from fresh nodes.")
def up(file: Path, formed: bool) -> None:
    """Bring up the nodes of the description FILE (examples/depot.toml), their scripts in /root."""
    service.start(file, formed=formed)
    show_nodes()
    name = service.tell("list")["nodes"][0]["name"]
    click.echo(f"""
Enter a node:        make lab-enter NODE={name}
                     (or: ssh from one to the other; root's password is "secret")
Run its script:      sh /root/{name}.sh, then the same with apply
Reboot, cut power:   make lab-reboot NODE={name}, make lab-cut NODE={name}, make lab-start NODE={name}
Pull the cable:      make lab-unplug NODE={name}, make lab-plug NODE={name}
See what is there:   make lab-list
End all of it:       make lab-down""")


def show_nodes() -> None:
    for node in service.tell("list")["nodes"]:
        state = f"on, its first process is {node['pid']} here" if node["on"] else "off"
        click.echo(f"{node['name']:12} {state}; {', '.join(node['nics'])}")


@main.command(name="list")
def list_nodes() -> None:
    """List the nodes, and what labs that were killed have left behind."""
    if service.runs():
        show_nodes()
    else:
        click.echo("no lab is up")
    for path in leftovers.find():
        click.echo(f"left behind: {path}")


@main.command()
def clean() -> None:
    """Remove what labs that were killed have left behind."""
    for path in leftovers.clean():
        click.echo(f"removed: {path}")


@main.command()
def down() -> None:
    """End the lab; the nodes' disks go with it."""
    service.tell("down")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def enter(node: str, command: tuple[str, ...]) -> None:
    """Run a shell, or COMMAND, in NODE."""
    words = service.tell("enter", node=node)["words"]
    sys.stdout.flush()
    os.execvp(words[0], [*words, *(command or ("bash", "-l"))])


def _add(what: str, text: str) -> None:
    @main.command(name=what, help=text)
    @click.argument("node")
    def act(node: str) -> None:
        service.tell(what, node=node)


for _what, _text in {
    "start": "Switch NODE on.",
    "stop": "Shut NODE down in order.",
    "reboot": "Shut NODE down and start it again.",
    "cut": "Cut NODE's power.",
}.items():
    _add(_what, _text)


def _add_cable(what: str, text: str) -> None:
    @main.command(name=what, help=text)
    @click.argument("node")
    @click.argument("nic", default="eth0")
    def act(node: str, nic: str) -> None:
        service.tell(what, node=node, nic=nic)


_add_cable("unplug", "Pull the cable of NODE's NIC (eth0).")
_add_cable("plug", "Put the cable of NODE's NIC (eth0) back.")


@main.command(hidden=True)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--formed", is_flag=True)
def serve(file: Path, formed: bool) -> None:
    """Keep the nodes of FILE until told otherwise."""
    service.serve(file.read_text("utf-8"), formed=formed)


if __name__ == "__main__":
    main(prog_name="lab")
