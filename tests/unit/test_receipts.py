"""Receipts on the desk: broken, foreign and hostile ones harm nobody; what contradicts what is found."""

from __future__ import annotations

import hashlib
import html.parser
import io
import json
import random
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvegen import build, description, errors
from pvegen.main import run
from pvegen.receipts import built, digest, table
from pvegen.receipts.page import page
from pvegen.receipts.picture import Built, put_together
from pvegen.receipts.read import BrokenReceipt, Receipt, parse

ROOT = Path(__file__).parent.parent.parent
STEPS = "host bridge names join"
NOW = 1_800_000_000
BUILT = Built(
    "trio",
    ["pve1", "pve2", "pve3"],
    {"pve1": "a" * 64, "pve2": "b" * 64, "pve3": "c" * 64},
    {"pve2": "pve1", "pve3": "pve2"},
)


def members(*names: str, down: tuple[str, ...] = (), quorate: int = 1, cluster: str = "trio") -> str:
    nodes = {name: {"id": number, "online": int(name not in down)} for number, name in enumerate(names, 1)}
    return json.dumps({"nodename": names[0], "cluster": {"name": cluster, "quorate": quorate}, "nodelist": nodes})


def text_of(node: str = "pve1", *more: str, **changed: Any) -> bytes:
    """A receipt of a verify that found all well, but for what is changed; None leaves a line out."""
    lines = {
        "cluster": "trio", "node": node, "call": "verify", "part": "", "status": 0, "script": BUILT.digests.get(node, "d" * 64),
        "pvegen": "0.1.0", "target": "alt-p11", "steps": STEPS, "pve": "8.4.1", "kernel": "6.1", "began": f"{NOW - 20} x",
        "ended": f"{NOW - 10} x", "members": members("pve1", "pve2", "pve3"),
    }  # fmt: skip
    body = [f"{key} {value}" for key, value in {**lines, **changed}.items() if value is not None]
    states = [f"step {step} ok" for step in ("requirements", *STEPS.split())]
    names = [f"name 10.0.0.{number} pve{number}.example.org pve{number}" for number in (1, 2, 3)]
    reach = [f"reach pve{number} 10.0.0.{number} answers" for number in (1, 2, 3) if f"pve{number}" != node]
    return signed(["pvegen-receipt 1", *body, *states, *names, *reach, *more])


def signed(lines: list[str]) -> bytes:
    body = "".join(f"{line.rstrip(' ')}\n" for line in lines).encode()
    return body + f"digest {digest.short(body)}\n".encode()


def receipt(node: str = "pve1", *more: str, **changed: Any) -> Receipt:
    return parse(f"{node}.receipt", text_of(node, *more, **changed))


def told(*receipts: Receipt, known: Built | None = BUILT) -> list[str]:
    """What does not fit, and what to do, by the names of the texts."""
    picture = put_together(receipts, known, NOW)
    assert table.text(picture, known) and page(picture, known)
    return [remark.text for remark in [*picture.wrong, *picture.next]]


ALL = [receipt(node) for node in BUILT.order]


def test_three_nodes_that_are_well_are_a_complete_cluster() -> None:
    assert told(*ALL) == []
    text = table.text(put_together(ALL, BUILT, NOW), BUILT)
    assert text.endswith("Cluster complete: every node of trio runs what is built, and is as described and healthy.")
    assert re.search(r"^bridge +ok +ok +ok$", text, re.M)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"script": "e" * 64}, ["another", "next_again"]),
        ({"pve": "8.2.0"}, ["versions"]),
        ({"status": 1}, ["next_mend"]),
        ({"status": 78, "bail": "no"}, ["next_mend"]),
        ({"call": "apply"}, ["next_verify"]),
        ({"call": "check", "status": 2}, ["next_apply"]),
        ({"part": "only names"}, ["next_whole"]),
        ({"steps": STEPS + " manager"}, ["next_whole"]),
        ({"members": members("pve1", "pve2")}, ["unknown_members"]),
        ({"members": members("pve1", "pve2", "pve3", quorate=0)}, ["no_quorum"]),
        ({"members": members("pve1", "pve2", "pve3", down=("pve3",))}, ["down"]),
        ({"members": members("pve1", "pve2", "pve3", "pve9")}, ["foreign_members"]),
        ({"members": members("pve1", "pve2", "pve3", cluster="other")}, ["other_cluster"]),
        ({"ended": f"{NOW + 3600} x"}, ["clock_ahead"]),
        ({"began": f"{NOW - 5} x"}, ["clock_back"]),
        ({"members": None}, ["joined_before"]),
    ],
)
def test_what_one_node_says_otherwise_is_told(changed: dict[str, Any], wanted: list[str]) -> None:
    odd = receipt("pve2", **changed)
    assert told(ALL[0], odd, ALL[2]) == wanted


def test_names_and_silence_are_told() -> None:
    lines = text_of("pve2").decode().splitlines()[:-1]
    odd = parse("x", signed([line.replace("10.0.0.1 pve1.", "10.0.0.77 pve1.") for line in lines]))
    assert told(ALL[0], odd, ALL[2]) == ["names"]
    odd = parse("x", signed([line.replace("pve3 10.0.0.3 answers", "pve3 10.0.0.3 silent") for line in lines]))
    assert told(ALL[0], odd, ALL[2]) == ["silent"]


def test_clocks_that_differ_are_told() -> None:
    for line in ("clock pve1 5000", "clock pve1 -4999", "clock pve1 1e9", "clock pve1", "clock pve1 999999999"):
        assert told(ALL[0], receipt("pve2", line), ALL[2]) == [], line
    picture = put_together([ALL[0], receipt("pve2", "clock pve1 -61000", "clock pve3 7000"), ALL[2]], BUILT, NOW)
    assert [table.said(remark) for remark in picture.wrong] == [
        "the clock of pve1 is 61 s behind that of pve2",
        "the clock of pve3 is 7 s ahead of that of pve2",
    ]


def test_a_node_without_a_receipt_and_one_that_is_not_described() -> None:
    assert told(ALL[0], ALL[1]) == ["next_run"]
    assert told(*ALL, receipt("pve9", members=None)) == ["not_described"]


def test_a_node_that_joined_later_is_not_held_against_who_ran_before() -> None:
    early = receipt("pve1", members=members("pve1"), began=f"{NOW - 500} x", ended=f"{NOW - 400} x")
    assert told(early, *ALL[1:]) == []


def test_the_last_receipt_of_a_node_counts() -> None:
    old = receipt("pve1", status=1, began=f"{NOW - 500} x", ended=f"{NOW - 400} x")
    for order in ([old, *ALL], [*ALL, old]):
        assert told(*order) == []


# What the docs show ---------------------------------------------------------------------------------------------

BLOCKS = re.findall(r"^```[a-z]*\n(.*?)^```$", (ROOT / "docs" / "receipts.md").read_text("utf-8"), re.M | re.S)


def example() -> list[Receipt]:
    """Two nodes of three: one that is well, one that was stopped, and whose names and clock differ."""
    lines = text_of("pve2", "clock pve1 -61200", status=1, call="apply", bail="stopped in join: pve1 does not answer",
                    members=None).decode().splitlines()[:-1]  # fmt: skip
    lines = [
        line.replace("10.0.0.1 pve1.", "10.0.0.77 pve1.").replace("step join ok", "step join failed") for line in lines
    ]
    return [receipt("pve1", members=members("pve1")), parse("pve2.receipt", signed(lines))]


def test_the_table_in_the_docs_is_what_is_printed() -> None:
    shown = [block for block in BLOCKS if block.startswith("$ pvegen receipts")]
    assert shown == [f"$ pvegen receipts pve*.receipt\n{table.text(put_together(example(), BUILT, NOW), BUILT)}\n"]


def test_the_receipt_in_the_docs_is_one() -> None:
    (shown,) = [block for block in BLOCKS if block.startswith("pvegen-receipt")]
    one = parse("docs", shown.encode())
    assert one.complete and one.quorate and set(one.members or ()) == {"pve1", "pve2", "pve3"}
    assert one.reach == {"pve1": True, "pve3": True} and set(one.clocks) == set(one.reach)


# Broken and foreign ones ----------------------------------------------------------------------------------------


def reason(data: bytes) -> str:
    with pytest.raises(BrokenReceipt) as caught:
        parse("x", data)
    assert caught.value.reason in table.texts()
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", "foreign"),
        (b"TAP version 14\n", "foreign"),
        (b"\x7fELF\0\0", "foreign"),
        (b"pvegen-receipt 2\n", "newer"),
        (b"pvegen-receipt 1\n", "cut"),
        (text_of()[:300], "cut"),
        (text_of()[:-3], "changed"),
        (text_of().replace(b"status 0", b"status 1"), "changed"),
        (signed(["pvegen-receipt 1", "node pve1"]), "incomplete"),
        (text_of(node="../x"), "incomplete"),
        (text_of(call="rollback"), "incomplete"),
        (text_of(status="zero"), "incomplete"),
        (text_of(cluster="a\x1b[31m"), "incomplete"),
    ],
)
def test_broken_and_foreign_ones_are_told_apart(data: bytes, wanted: str) -> None:
    assert reason(data) == wanted


def test_any_changed_byte_is_found() -> None:
    data = text_of()
    for position in range(len(data) - 1):
        wrong = bytearray(data)
        wrong[position] ^= 1 << random.Random(position).randrange(7)
        reason(bytes(wrong))


def test_line_ends_that_a_mail_program_changed_do_not_matter() -> None:
    assert parse("x", text_of().replace(b"\n", b"\r\n")) == parse("x", text_of())
    assert parse("x", text_of() + b"\n\n") == parse("x", text_of())
    assert parse("x", text_of().replace(b"\n", b" \n")) == parse("x", text_of())


@given(st.binary(max_size=400))
def test_no_bytes_do_anything_but_be_refused(data: bytes) -> None:
    for one in (data, b"pvegen-receipt 1\n" + data):
        with pytest.raises(BrokenReceipt):
            parse("x", one)


KEYS = st.sampled_from(
    ["step", "point", "name", "reach", "clock", "members", "ended", "status", "pve", "bail", "steps", "cut", ""]
)
NASTY = st.text(max_size=60) | st.sampled_from(
    ["\x1b]0;x\x07", "<script>alert(1)</script>", "a" * 5000, '{"cluster":1}', "{" * 3000, "[" * 3000]
)


@given(st.lists(st.tuples(KEYS, NASTY), max_size=12))
def test_hostile_lines_with_a_right_digest_harm_nobody(lines: list[tuple[str, str]]) -> None:
    """No exception but one; nothing a terminal obeys; nothing a browser runs."""
    more = [f"{key} {value}".replace("\n", " ") for key, value in lines]
    try:
        odd = parse(
            "x",
            signed(
                [
                    "pvegen-receipt 1",
                    "cluster trio",
                    "node pve2",
                    "call verify",
                    *more,
                    "status 1",
                    "script x",
                    f"steps {STEPS}",
                ]
            ),
        )
    except BrokenReceipt:
        return
    for known in (BUILT, None):
        picture = put_together([ALL[0], odd, ALL[2]], known, NOW)
        text, shown = table.text(picture, known), page(picture, known)
        assert all(line.isprintable() for line in text.split("\n"))
        assert len(text) < 100_000
        assert not Tags(shown) - {
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "h1",
            "h2",
            "p",
            "strong",
            "div",
            "table",
            "tr",
            "th",
            "td",
            "ul",
            "li",
        }


def Tags(page: str) -> set[str]:
    """The elements of a page, as a browser would see them."""
    found: set[str] = set()

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert not [name for name, _ in attrs if name.startswith("on")]
            found.add(tag)

    Reader().feed(page)
    return found


def test_html_from_a_node_is_shown_and_not_run() -> None:
    odd = receipt("pve2", "point not ok - <script>alert(1)</script>", status=1, pve="<img src=x>")
    shown = page(put_together([ALL[0], odd, ALL[2]], BUILT, NOW), BUILT)
    assert "&lt;script&gt;" in shown and "<script" not in shown and "<img" not in shown


def test_a_huge_receipt_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = tmp_path / "huge"
    huge.write_bytes(text_of()[:-1] + b"x" * (2 << 20))
    with pytest.raises(errors.Refused):
        run(["receipts", str(huge)])
    assert "too large" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["name", "reach", "step"])
def test_very_many_lines_stay_bounded(kind: str) -> None:
    form = {"name": "name 10.0.0.1 n{}", "reach": "reach n{} 10.0.0.1 silent", "step": "step s{} ok"}[kind]
    odd = receipt("pve2", *(form.format(number) for number in range(10_000)))
    assert len(table.text(put_together([odd], None, NOW), None)) < 200_000


# The digest -----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=50), st.integers(0, 20), st.sampled_from(digest.ALPHABET))
def test_one_wrong_letter_is_seen(data: bytes, place: int, letter: str) -> None:
    right = digest.short(data)
    assert digest.typed(right) == digest.typed(right.lower().replace("-", " ")) == right
    letters = right.replace("-", "")
    wrong = letters[:place] + letter + letters[place + 1 :]
    assert digest.typed(wrong) == (right if wrong == letters else None)


@given(st.binary(max_size=50), st.integers(0, 19))
def test_two_letters_that_changed_places_are_seen(data: bytes, place: int) -> None:
    letters = digest.short(data).replace("-", "")
    one, other = letters[place], letters[place + 1]
    # Luhn's sum does not see the first and the last digit of the alphabet change places.
    if one != other and {one, other} != {digest.ALPHABET[0], digest.ALPHABET[-1]}:
        assert digest.typed(letters[:place] + other + one + letters[place + 2 :]) is None


def test_what_looks_alike_is_not_in_it() -> None:
    assert len(set(digest.ALPHABET)) == 16
    for pair in ("0O", "1IL", "8B", "5S", "2Z", "UV", "6G", "MN", "QO", "D0", "EF"):
        assert len(set(pair) & set(digest.ALPHABET)) <= 1


# The command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example trio built in dist/, and a receipt of each of its nodes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    view = description.load(ROOT / "examples" / "trio.toml").view
    assert view is not None
    build.build([view], tmp_path / "dist", check=False, lint=False, snippets=None, said=io.StringIO())
    known = built.load(tmp_path / "dist" / "trio")
    order = tomllib.loads((tmp_path / "dist/trio/manifest.toml").read_text())["order"]
    assert [f"{node}.sh" for node in known.order] == order
    for node in known.order:
        lines = (tmp_path / "dist" / "trio" / f"{node}.sh").read_bytes().split(b"\n", 2)
        assert known.digests[node] == hashlib.sha256(lines[0] + b"\n" + lines[2]).hexdigest()
        (tmp_path / f"{node}.receipt").write_bytes(
            text_of(node, script=known.digests[node], began="100 x", ended="200 x")
        )
    return tmp_path


PATHS = ["pve1.receipt", "pve2.receipt", "pve3.receipt"]


def test_the_command_says_that_the_cluster_is_complete(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["receipts", *PATHS, "--html", "page.html"]) == 0
    assert "Cluster complete" in capsys.readouterr().out and "Cluster complete" in Path("page.html").read_text()
    assert run(["receipts", *PATHS[:2]]) == 1
    assert "pve3: no receipt" in capsys.readouterr().out


def test_broken_and_foreign_files_are_named_and_the_rest_is_shown(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut").write_bytes(text_of()[:200])
    Path("alien").write_bytes(b"hello\n")
    Path("other").write_bytes(text_of(cluster="elsewhere"))
    assert run(["receipts", *PATHS, "cut", "alien", "other", "missing"]) == 1
    out = capsys.readouterr()
    assert "Cluster complete" in out.out
    for said in ("cut is cut short", "alien is no receipt", "other is of cluster elsewhere", "cannot read missing"):
        assert said in out.err


def test_a_digest_off_a_screen_has_to_be_of_one_of_them(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = Path("pve1.receipt").read_text().split()[-1]
    assert run(["receipts", *PATHS, "--seen", right.lower()]) == 0
    assert run(["receipts", *PATHS, "--seen", right[:-1] + ("2" if right[-1] != "2" else "3")]) == 1
    assert "mistyped" in capsys.readouterr().err
    assert run(["receipts", *PATHS, "--seen", digest.short(b"another")]) == 1
    assert "none of these receipts" in capsys.readouterr().err


def test_a_digest_in_place_of_a_file_is_one_that_was_seen(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = Path("pve1.receipt").read_text().split()[-1]
    assert run(["receipts", *PATHS, right]) == 0
    assert run(["receipts", *PATHS, digest.short(b"another")]) == 1
    assert "none of these receipts" in capsys.readouterr().err
    with pytest.raises(errors.Refused):
        run(["receipts", right])


def test_without_what_was_built_nothing_is_complete(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "dist").rename(desk / "elsewhere")
    assert run(["receipts", *PATHS]) == 1
    out = capsys.readouterr().out
    assert "is not known" in " ".join(out.split()) and "is not complete" in out
    assert run(["receipts", *PATHS, "--built", "elsewhere/trio"]) == 0


def test_what_does_not_count_is_named_in_the_page_too(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").write_bytes(text_of("pve1", status=1, began="10 x", ended="20 x"))
    Path("same").write_bytes(Path("pve2.receipt").read_bytes())
    assert run(["receipts", "old", *PATHS, "same", "--html", "page.html"]) == 0
    said = ["old: an earlier run of pve1 (verify); pve1.receipt counts", "pve2.receipt: the same as same"]
    for text in (" ".join(capsys.readouterr().out.split()), Path("page.html").read_text()):
        assert all(one in text for one in said), text
    Path("cut").write_bytes(text_of()[:200])
    assert run(["receipts", *PATHS, "cut", "--html", "page.html"]) == 1
    assert "cut is cut short" in Path("page.html").read_text()


def test_as_json(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").write_bytes(text_of("pve1", status=1, began="10 x", ended="20 x", bail="\x1b[2J"))
    assert run(["receipts", "old", *PATHS[:2], "--format", "json"]) == 1
    out = capsys.readouterr().out
    assert out.isascii() and "\x1b" not in out
    found = json.loads(out)
    assert (found["cluster"], found["complete"], found["contradictions"]) == ("trio", False, [])
    assert [(one["code"], one["node"]) for one in found["next"]] == [("next_run", "pve3")]
    assert [(one["code"], one["path"]) for one in found["left_out"]] == [("earlier", "old")]
    one, _, none = found["nodes"]
    assert none == {"node": "pve3", "receipt": None}
    assert (one["node"], one["receipt"]["status"], one["receipt"]["as_built"]) == ("pve1", 0, True)
    assert one["receipt"]["steps"]["bridge"] == "ok" and one["receipt"]["members"]["pve3"] is True
    assert run(["receipts", *PATHS, "--format", "json"]) == 0


def test_a_node_that_ran_another_build_is_told_which(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of git's history: before what is checked out, after it, on another branch, or not in it."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()

    def commit(word: str, on: str) -> str:
        """A build with another script of pve2, and its commit."""
        git("checkout", "-q", *on.split())
        script = Path("dist/trio/pve2.sh")
        script.write_bytes(text.replace(right, scripts[word]))
        git("add", "dist")
        git("commit", "-q", "--date", "2020-01-01T00:00:00Z", "-m", word)
        return git("rev-parse", "--short", "HEAD")

    def asked(script: bytes) -> tuple[str, dict[str, Any]]:
        """The words for people, and those for programs, of pve2 having run a script."""
        Path("pve2.receipt").write_bytes(text_of("pve2", script=script.decode(), began="100 x", ended="200 x"))
        assert run(["receipts", *PATHS]) == 1
        words = " ".join(capsys.readouterr().out.split())
        assert run(["receipts", *PATHS, "--format", "json"]) == 1
        return words, json.loads(capsys.readouterr().out)

    text = Path("dist/trio/pve2.sh").read_bytes()
    right = built.load(Path("dist/trio")).digests["pve2"].encode()
    scripts = {word: word[0].encode() * 64 for word in ("before", "coming", "aside")}
    words, data = asked(scripts["before"])
    assert "NOT AS BUILT" in words and "another build than the one here ran on: pve2" in words
    assert data["nodes"][1]["receipt"]["build"] is None
    git("init", "-q", "-b", "main")
    before = commit("before", "-b main")
    git("checkout", "-q", "-b", "side")
    aside = commit("aside", "side")
    git("checkout", "-q", "main")
    Path("dist/trio/pve2.sh").write_bytes(text)
    git("commit", "-q", "-am", "now")
    after = commit("coming", "-b later")
    git("checkout", "-q", "main")

    day = git("log", "-1", "--format=%cs")
    words, data = asked(scripts["before"])
    assert f"pve2 ran an older build, that of {before} ({day})" in words and "OLDER BUILD" in words
    assert "pve2: carry what is built now there" in words
    assert data["nodes"][1]["receipt"]["build"] == {"age": "older", "commit": before, "date": day}
    assert [one["code"] for one in data["contradictions"] + data["next"]] == ["ran_older", "next_again"]
    words, data = asked(scripts["coming"])
    assert f"pve2 ran a newer build, that of {after} ({day})" in words and "NEWER BUILD" in words
    assert f"pve2: see what {after} brings, take it into this tree and build" in words and "carry what" not in words
    words, data = asked(scripts["aside"])
    assert f"pve2 ran a build of another branch, that of {aside} ({day})" in words and "OTHER BRANCH" in words
    assert [one["code"] for one in data["next"]] == ["next_branch"]
    words, data = asked(b"f" * 64)
    assert "another build than the one here ran on: pve2" in words
