"""What a script advises, taken out of what it printed and done to the letter."""

import re

from sandbox import Result
from scripts.support import Run

from .node import Node

# Where a command ends within a sentence: what people are told besides.
_END = re.compile(r"(?:; and apply again|; then apply| -- |\. (?=[A-Z])|\.?$)")


def advice(run: Run) -> str:
    """All that the failed points of RUN say is to be done."""
    return "\n".join(str(point.yaml["help"]) for point in run.tap.failures() if "help" in point.yaml)


def command(run: Run, begins: str) -> str:
    """The command in the advice of RUN that begins so, up to the end of its sentence."""
    for line in advice(run).splitlines():
        if begins in line:
            found = line[line.index(begins) :]
            end = _END.search(found)
            assert end is not None
            return found[: end.start()]
    raise AssertionError(f"nothing that begins with {begins!r} is advised:\n{run}")


def follow(node: Node, run: Run, begins: str) -> Result:
    """Runs on NODE the command that RUN advises, by root's shell."""
    return node.run(command(run, begins), shell="dash", cwd="/root").check()
