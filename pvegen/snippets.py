"""The folders of snippets, a site's own over ours: what is wrong in them, and the messages that they say."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tomllib
from collections.abc import Iterator, Sequence
from string import Formatter

from pvegen import quote
from pvegen.kept import Kept


class SnippetError(Exception):
    """A snippet or a catalogue that cannot be used.

    name: the file below the snippets' folder; line: 0 where none is to blame; why: what
    is wrong with it; of_site: whether the file is a site's own.
    """

    def __init__(self, name: str, line: int, why: str, *, of_site: bool) -> None:
        super().__init__(f"snippets/{name}{f':{line}' if line else ''}: {why}")
        self.of_site = of_site


def snippets_folder() -> str:
    """Our snippets: inside the installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(__file__))
    for folder in (os.path.join(package, "snippets"), os.path.join(os.path.dirname(package), "snippets")):
        if os.path.exists(os.path.join(folder, "script.sh")):
            return folder
    raise FileNotFoundError("pvegen was installed without its snippets")


def content(path: str) -> bytes:
    """What a file holds."""
    with open(path, "rb") as file:
        return file.read()


def key(*paths: str) -> str:
    """A name for what is made of these places."""
    return hashlib.sha256("\0".join(map(os.path.abspath, paths)).encode(errors="surrogateescape")).hexdigest()[:40]


class Messages:
    """What scripts say, from the catalogues of the folders: a site's own before ours.

    sources: the catalogues' bytes.
    """

    def __init__(self, folders: Sequence[str], language: str, kept: Kept) -> None:
        """folders: ours is the last one. Raises SnippetError."""
        self._file = f"messages/{language}.toml"
        self._texts: dict[str, str] = {}
        self._of_site: set[str] = set()
        self.sources: list[bytes] = []
        for folder in reversed(folders):
            path = os.path.join(folder, self._file)
            if os.path.exists(path):
                self._add(path, kept, of_site=folder != folders[-1])

    def _add(self, path: str, kept: Kept, *, of_site: bool) -> None:
        source = content(path)
        self.sources.append(source)
        try:
            found = kept.get(key(path), source, lambda: tomllib.loads(source.decode()))
        except ValueError as error:
            raise SnippetError(self._file, 0, str(error), of_site=of_site) from error
        if of_site:
            self._of_site = set(found)
            for name, text in found.items():
                if why := _unsound(text):
                    raise SnippetError(self._file, 0, f'"{name}" {why}', of_site=True)
        self._texts |= found

    def word(self, name: str, /, **values: object) -> quote.Sh:
        """A message as one shell word."""
        with self._filling_in(name):
            return quote.message(self._texts[name], values)

    def words(self, name: str, /, **values: object) -> quote.Data:
        """A message as plain text."""
        shown = {k: ", ".join(v) if isinstance(v, list) else v for k, v in values.items()}
        with self._filling_in(name):
            return quote.Data(self._texts[name].format_map(shown))

    @property
    def fields(self) -> dict[str, frozenset[str]]:
        """The names of all messages, and what each has to be filled in with."""
        return {
            name: frozenset(field for _, field, _, _ in Formatter().parse(text) if field)
            for name, text in self._texts.items()
        }

    @contextlib.contextmanager
    def _filling_in(self, name: str) -> Iterator[None]:
        """A message of a site's own that names what is not there is its catalogue's fault, not that of who says it."""
        try:
            yield
        except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
            if name not in self._of_site:
                raise
            why = f"there is no {{{error.args[0]}}}" if isinstance(error, KeyError) else str(error)
            raise SnippetError(self._file, 0, f'"{name}": {why}', of_site=True) from error


def _unsound(text: object) -> str:
    """Why this can be no message; nothing where it can."""
    if not isinstance(text, str):
        return "is no text"
    try:
        list(Formatter().parse(text))
    except ValueError as error:
        return f"cannot be filled in: {error}"
    return "" if text.replace("\n", "").isprintable() else "holds a character that cannot be printed"
