"""`pvegen explain`: one mistake in depth, or the list of all."""

from __future__ import annotations

from pvegen import catalogue, errors
from pvegen.catalogue import Catalogue, Entry
from pvegen.mistakes import is_warning


def explain(code: str | None) -> int:
    """Print what the catalogue has on a code, or every code with its title; 2 for an unknown one."""
    texts = catalogue.load()
    if code is None:
        for known in texts.codes:
            print(f"{known}  {texts.entry(known).title}")
        return 0
    name = code.upper()
    name = name if name.startswith("PVE") else f"PVE{name}"
    if name not in texts.codes:
        return _unknown(code, texts)
    print(article(texts.entry(name), texts))
    return 0


def article(entry: Entry, texts: Catalogue) -> str:
    """A code's whole text: title, kind, explanation."""
    severity = texts.report["warning" if is_warning(entry.code) else "error"]
    return f"{entry.code} ({severity}): {entry.title}\n\n{entry.explain.strip()}"


def _unknown(code: str, texts: Catalogue) -> int:
    from pvegen.nearest import nearest

    # "PVE" alone is as near to one code as to any other.
    near = nearest(code.upper(), texts.codes, 0.8)
    hint = texts.call["hint"].format(nearest=near) if near else ""
    errors.complain(texts.call["unknown_code"].format(name=catalogue.visible(code), hint=hint))
    return errors.WRONG_CALL
