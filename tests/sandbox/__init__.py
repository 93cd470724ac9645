"""A scratch root for node scripts: one Sandbox is one node, one Switch is the network between nodes."""

from .harness import Sandbox
from .machine import Machine, Result
from .once import made_once
from .requirements import missing_requirement, require_sandbox
from .saved import Saved
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
    "Saved",
    "Switch",
    "Tree",
    "diff_trees",
    "made_once",
    "missing_requirement",
    "require_sandbox",
]
