"""The picture as one HTML page that loads nothing. Whatever came from a node is data in it."""

from __future__ import annotations

import html

from pvegen.receipts.picture import Built, Picture
from pvegen.receipts.table import BESIDE, LISTS, rows, said, texts, verdict

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 sans-serif; background: Canvas; color: CanvasText }}
body {{ margin: 1em auto; max-width: 75em; padding: 0 1em; overflow-wrap: anywhere }}
h1 {{ font-size: 1.5em }}
.verdict {{ border-left: .5em solid; padding-left: .7em; font-weight: bold }}
.wide {{ overflow-x: auto; margin: 1em 0 }}
table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #888; padding: .2em .6em; text-align: left; white-space: nowrap }}
th:first-child {{ position: sticky; left: 0; background: Canvas; color: CanvasText }}
.failed {{ background: #b3261e; color: #fff }}
.waits {{ background: #ffe08a; color: #000 }}
.ok {{ background: #cdebc9; color: #000 }}
@media print {{
:root {{ color-scheme: light; font-size: 11px }}
.wide {{ overflow: visible }}
th, td {{ white-space: normal; print-color-adjust: exact }}
tr, li {{ break-inside: avoid }}
}}
</style></head><body>
<h1>{title}</h1>
<p class="verdict {state}">{verdict}</p>
{tables}
{lists}
</body></html>
"""


def page(picture: Picture, built: Built | None) -> str:
    """The verdict, the tables, and what the text has below them."""
    words = texts()
    starts = range(0, len(picture.nodes), BESIDE)
    lists = ""
    for title, name in LISTS:
        if remarks := getattr(picture, name):
            items = "".join(f"<li>{html.escape(said(remark))}</li>" for remark in remarks)
            lists += f"<h2>{html.escape(words[title])}</h2>\n<ul>{items}</ul>\n"
    return _PAGE.format(
        title=html.escape(words["title"].format(cluster=picture.cluster)),
        state="ok" if picture.complete else "failed",
        verdict=html.escape(verdict(picture)),
        tables="\n".join(_table(picture, built, picture.nodes[start : start + BESIDE]) for start in starts),
        lists=lists,
    )


def _table(picture: Picture, built: Built | None, nodes: list[str]) -> str:
    """One table of some nodes. What can be good or bad is coloured, and said by its word too."""
    words = texts()
    classes = {words[f"state_{state}"]: state for state in ("ok", "waits", "failed")}
    classes |= {words["no"]: "failed"}
    classes |= {words[f"build_{age}"]: "failed" for age in ("older", "newer", "branch", "another")}
    shown = []
    for number, (label, *cells) in enumerate(rows(picture, built, nodes)):
        tag = "td" if number else "th"
        one = "".join(f'<{tag} class="{classes.get(cell, "")}">{html.escape(cell)}</{tag}>' for cell in cells)
        shown.append(f"<tr><th>{html.escape(label)}</th>{one}</tr>".replace(' class=""', ""))
    return f'<div class="wide" tabindex="0"><table>\n{chr(10).join(shown)}\n</table></div>'
