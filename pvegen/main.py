"""The command line: parses and dispatches. Each command is a module of `commands`, loaded when it is called."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pvegen import __version__, errors
from pvegen.report import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

_files = click.argument("files", nargs=-1, metavar="[FILE]...")


def _path(value: str) -> Path:
    """A parameter's type; pathlib takes a while to load, and only what writes or reads folders needs it."""
    from pathlib import Path

    return Path(value)


_strict = click.option("--strict", is_flag=True, help="Let warnings fail as errors do.")


def _report_format() -> Callable[[Any], Any]:
    return click.option(
        "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
        help="How mistakes are reported.",
    )


_targets = click.option("--targets", metavar="DIR", help="Targets of your own, put over pvegen's.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Exit status: 0 done; 1 mistakes in a "
             "description; 2 wrong call; 3 a fault of pvegen's; 4 stale (build --check), changes (diff --exit-code).")
@click.version_option(__version__, prog_name="pvegen", message="%(prog)s %(version)s")
def cli() -> None:
    """Compile one description of a Proxmox VE cluster into one shell script for each node.

    FILE is a description, cluster.toml if none is named, - for standard input.
    """


@cli.command()
@_files
@click.option("-o", "--output", type=_path, default="dist", show_default=True, metavar="DIR",
              help="Where the folder of each cluster is made.")
@click.option("--check", is_flag=True, help="Write nothing; show what is stale in DIR.")
@click.option("--no-lint", is_flag=True, help="Do not run ShellCheck on what is built.")
@click.option("--snippets", type=_path, metavar="DIR",
              help="Shell snippets of your own, put over pvegen's.")
@_targets
@_strict
@_report_format()
def build(files: tuple[str, ...], output: Path, check: bool, no_lint: bool, snippets: Path | None,
          targets: str | None, strict: bool, form: str) -> int:
    """Compile descriptions to DIR/<cluster>/<node>.sh."""
    from pvegen.commands.build import build

    return build(files, output, check=check, lint=not no_lint, snippets=snippets, targets=targets, strict=strict,
                 form=form)


@cli.command()
@_files
@_targets
@_strict
@_report_format()
def check(files: tuple[str, ...], targets: str | None, strict: bool, form: str) -> int:
    """Show every mistake of descriptions."""
    from pvegen.commands.check import check

    return check(files, targets=targets, strict=strict, form=form)


@cli.command()
@click.argument("file", default="cluster.toml")
@_targets
@click.option("--format", "form", type=click.Choice(("toml", "json")), default="toml", show_default=True)
def show(file: str, targets: str | None, form: str) -> int:
    """Print a description with all that is derived filled in."""
    from pvegen.commands.show import show

    return show(file, targets=targets, form=form)


@cli.command()
@_targets
def schema(targets: str | None) -> int:
    """Print the JSON Schema of a description, for editors."""
    from pvegen.commands.schema import schema

    return schema(targets)


@cli.command()
@click.argument("code", required=False)
def explain(code: str | None) -> int:
    """Tell more about a mistake's CODE; without it, list all codes."""
    from pvegen.commands.explain import explain

    return explain(code)


@cli.command()
@click.argument("words", nargs=-1, metavar="[NAME | diff NAME NAME]")
@_targets
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def targets(words: tuple[str, ...], targets: str | None, form: str) -> int:
    """List the systems that nodes can run.

    With a NAME: its facts, each with how sure it is and where it is from. With diff and two
    of them: the facts that differ.
    """
    from pvegen.commands import targets as command

    if not words:
        return command.table(targets, form=form)
    if len(words) == 1:
        return command.one(words[0], targets, form=form)
    if words[0] == "diff" and len(words) == 3:
        return command.diff(words[1], words[2], targets, form=form)
    raise click.UsageError("Takes nothing, one NAME, or diff and two.")


@cli.command()
@click.argument("folders", nargs=-1, type=_path, metavar="[FOLDER]...")
@click.option("-o", "--output", type=_path, default=".", metavar="DIR", help="Where the bundles go; here by default.")
@click.option("--iso", is_flag=True, help="An ISO image too, for virtual media.")
def bundle(folders: tuple[Path, ...], output: Path, iso: bool) -> int:
    """Put a built FOLDER (the one in dist/) into one file, to be carried to the nodes."""
    from pvegen.commands.bundle import bundle

    return bundle(folders, output, iso=iso)


@cli.command()
@click.argument("files", nargs=-1, type=_path, metavar="FILE...", required=True)
@click.option("--key", type=_path, metavar="KEY", required=True,
              help="A private key of OpenSSH's, or a public one whose private half the agent has.")
def sign(files: tuple[Path, ...], key: Path) -> int:
    """Sign bundles with OpenSSH, and say how a node sees that."""
    from pvegen.commands.sign import sign

    return sign(files, key)


@cli.command("verify-bundle")
@click.argument("file", type=_path)
@click.option("--key", type=_path, metavar="FILE", help="Public keys, one a line: one of them has to have signed.")
@click.option("--signature", type=_path, metavar="FILE", help="The signature, if it is not beside the bundle.")
@click.option("--sum", "digest", metavar="SHA256", help="The bundle has this sum; instead of a signature.")
@click.option("--no-signature", "unsigned", is_flag=True, help="Look at the bundle's own sums alone.")
def verify_bundle(file: Path, key: Path | None, signature: Path | None, digest: str | None, unsigned: bool) -> int:
    """See that a bundle is whole, and who signed it."""
    from pvegen.commands.verify_bundle import verify_bundle

    return verify_bundle(file, key=key, signed=signature, digest=digest, unsigned=unsigned)


_description = click.option("-d", "--description", metavar="FILE", help="The description; else it is looked for.")


@cli.command()
@click.argument("where", metavar="SCRIPT:LINE|STEP")
@_description
@click.option("--snippets", type=_path, metavar="DIR", help="Shell snippets of your own, as build had them.")
@_targets
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def trace(where: str, description: str | None, snippets: Path | None, targets: str | None, form: str) -> int:
    """Tell where a line or step of a script comes from.

    That is: step, snippet, keys of the description, facts of the target. For LINE stands a
    step's name too, or the line of TAP that a run printed.
    """
    from pvegen.commands.trace import trace

    return trace(where, stated=description, snippets=snippets, targets=targets, form=form)


@cli.command()
@click.argument("file", default="cluster.toml")
@click.option("--dist", metavar="DIR", help="Compare with what DIR was built of (dist).")
@click.option("--against", metavar="FILE", help="Compare with another description.")
@click.option("--since", metavar="REV", help="Compare with FILE as a revision of git has it.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 where something changes.")
@click.option("--snippets", type=_path, metavar="DIR", help="Shell snippets of your own, as build had them.")
@_targets
@click.option("--format", "form", type=click.Choice(("text", "markdown", "json")), default="text", show_default=True)
def diff(file: str, dist: str | None, against: str | None, since: str | None, exit_code: bool, snippets: Path | None,
         targets: str | None, form: str) -> int:
    """Tell what a change of a description means, with its risk.

    FILE is compared with what dist/ was built of, or with what --against or --since names.
    """
    from pvegen.commands.diff import diff

    if sum(one is not None for one in (dist, against, since)) > 1:
        raise click.UsageError("--dist, --against and --since say what to compare with: give one of them.")
    return diff(file, dist=dist, against=against, since=since, exit_code=exit_code, snippets=snippets,
                targets=targets, form=form)


@cli.command()
@click.argument("paths", nargs=-1, type=_path, metavar="RECEIPT...", required=True)
@click.option("--built", type=_path, metavar="FOLDER", help="What was built; dist/<cluster> if it is there.")
@click.option("--html", type=_path, metavar="FILE", help="Write a page too.")
@click.option("--seen", multiple=True, metavar="DIGEST",
              help="A digest read off a console: its receipt has to be here.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def receipts(paths: tuple[Path, ...], built: Path | None, html: Path | None, seen: tuple[str, ...], form: str) -> int:
    """Put what runs on nodes have left together: a table of nodes and steps, and what to do next.

    Exit status 0: the cluster is complete, and no receipt was left out for a fault.
    """
    from pvegen.commands.receipts import receipts

    return receipts(paths, built=built, html=html, seen=seen, form=form)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status. Exceptions other than those of a wrong call pass through."""
    try:
        # Not cli.main(), which would answer some exceptions by itself.
        with cli.make_context("pvegen", list(arguments)) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return errors.WRONG_CALL


def main() -> None:
    """The command `pvegen`."""
    # What a short run leaves lying costs less than looking for it again and again.
    gc.set_threshold(100_000)
    sys.exit(errors.guarded(run, sys.argv[1:]))
