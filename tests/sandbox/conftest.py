"""The fixtures that make sandboxes; everything that needs one is marked so."""

from .fixtures import eventually, make_nodes, make_sandbox, make_shared, wiki_node

__all__ = ["eventually", "make_nodes", "make_sandbox", "make_shared", "wiki_node"]
