"""Everything here needs a sandbox: it is marked so, and says in plain words why it is skipped where there is none."""

import pytest

from .fixtures import eventually, make_nodes, make_sandbox, make_shared, wiki_node
from .requirements import require_sandbox

__all__ = ["eventually", "make_nodes", "make_sandbox", "make_shared", "wiki_node"]


@pytest.fixture(autouse=True)
def _needs_sandbox(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("sandbox"):
        require_sandbox()
