"""A scratch root for node scripts: one Sandbox is one node, one Switch is the network between nodes."""

from .harness import Sandbox
from .machine import Machine, Result
from .requirements import missing_requirement, require_sandbox
from .shells import SHELLS
from .switch import Switch
from .trees import Change, Entry, Tree, diff_trees

__all__ = [
    "SHELLS",
    "Change",
    "Entry",
    "Machine",
    "Result",
    "Sandbox",
    "Switch",
    "Tree",
    "diff_trees",
    "missing_requirement",
    "require_sandbox",
]
