"""Each way in which data gets into a script: what it gives, and what it refuses."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path

import pytest

from pvegen import quote
from pvegen.quote import Data, Expansion, Sh

WORDS = {
    "pve1": "pve1",
    "10.0.0.1/24": "10.0.0.1/24",
    "/etc/net/ifaces/vmbr0": "/etc/net/ifaces/vmbr0",
    "--link0": "--link0",
    "10.0.0.1,priority=20": "'10.0.0.1,priority=20'",
    "": "''",
    "two words": "'two words'",
    "it's": "'it'\\''s'",
    "$HOME": "'$HOME'",
    "`id`": "'`id`'",
    "~": "'~'",
    "*": "'*'",
    "a=b": "'a=b'",
    "{a,b}": "'{a,b}'",
    "#": "'#'",
    "back\\slash": "'back\\slash'",
    "done": "'done'",
    "if": "'if'",
    "!": "'!'",
    "узел": "'узел'",
}

HOSTILE = [
    "$(touch canary)", "`touch canary`", "';touch canary;'", '";touch canary;"', "x;touch canary", "x|touch canary",
    "x&touch canary", ">canary", "${x:-$(touch canary)}", "$'\\x74ouch'", "\\", "\\\\", "'", "''", '"', "!!", "~root",
    "*", "[a-z]*", "{a,b}", "%s%n", "-n", "--", "-e", "$x", "$$", "$1", "${", "$((", "((", "))", "}", "# x", "a b",
    " lead", "trail ", "END", "done", "esac", "in", "узел 'пве' «1»", "ё" * 300, "a\\'b\"c$d`e",
]  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_a_word_is_bare_where_it_can_be(text: str) -> None:
    assert quote.plain(quote.word(text)) == WORDS[text]


def test_a_list_is_several_words() -> None:
    assert quote.plain(quote.word(["a", "b c", 5])) == "a 'b c' 5"


def test_numbers_and_addresses_are_words() -> None:
    address = ipaddress.ip_interface("fd00::1/64")
    assert [quote.plain(quote.word(value)) for value in (7, address)] == ["7", "fd00::1/64"]


def test_shell_text_stays_as_it_is() -> None:
    assert quote.word(Sh('"$x"')) == '"$x"'


@pytest.mark.parametrize("value", [None, True, 1.5, {}, b"x", str], ids=repr)
def test_what_has_no_meaning_in_a_shell_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        quote.word(value)


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\ue000", "\ue001", "\ue002", "\udc80"],
    ids=lambda c: f"U+{ord(c):04X}",
)  # fmt: skip
def test_characters_that_no_line_can_hold_are_refused(character: str) -> None:
    text = f"a{character}b"
    makers = [quote.word, quote.string, lambda t: quote.message("{x}", {"x": t}), lambda t: quote.heredoc(f"{t}\n")]
    makers.append(quote.comment)
    for maker in makers[: 3 if character == "\n" else 5]:
        with pytest.raises(ValueError, match="character"):
            maker(text)


def test_a_string_is_always_in_quotes() -> None:
    assert quote.plain(quote.string("pve1")) == "'pve1'"


def test_a_here_document_ends_with_a_line_that_is_not_in_it() -> None:
    assert quote.plain(quote.heredoc("END\nEND_\n$x\n")) == "<<'END__'\nEND\nEND_\n$x\nEND__"


def test_a_here_document_of_nothing_has_no_line() -> None:
    assert quote.plain(quote.heredoc("")) == "<<'END'\nEND"


def test_half_a_line_is_no_here_document() -> None:
    with pytest.raises(ValueError, match="line break"):
        quote.heredoc("x")


def test_a_message_without_variables_is_in_single_quotes() -> None:
    assert quote.plain(quote.message("it's {x}", {"x": "$y"})) == "'it'\\''s $y'"


def test_a_message_with_variables_keeps_those_alone_alive() -> None:
    made = quote.message('{a} "$b" `c` \\ {d}', {"a": Expansion("$x"), "d": "$y"})
    assert quote.plain(made) == '"$x \\"\\$b\\" \\`c\\` \\\\ \\$y"'


@pytest.mark.parametrize("text", ["$x", "$1", "$*", "${x:-none}", "${x%%/*}", "${x# }"])
def test_what_is_a_variable_in_a_message(text: str) -> None:
    assert quote.plain(quote.message("{v}", {"v": Expansion(text)})) == f'"{text}"'


@pytest.mark.parametrize("text", ["$(id)", "`id`", "${x:-$(id)}", "${x:-`id`}", '"'])
def test_what_is_none(text: str) -> None:
    made = quote.plain(quote.message("{v}", {"v": Expansion(text)}))
    assert made.replace("\\$", "").replace("\\`", "").replace('\\"', "").strip('"').find("$(") < 0
    assert "`" not in made.replace("\\`", "")


def test_a_variable_does_not_run_into_what_follows() -> None:
    assert quote.plain(quote.message("{n}s {n}", {"n": Expansion("$count")})) == '"${count}s $count"'


def test_variables_never_come_from_data() -> None:
    with pytest.raises(TypeError):
        quote.expansion(Data("$x"))


def test_only_names_go_in_unquoted() -> None:
    assert quote.shell("step_one two") == "step_one two"
    for text in ("a;b", "$x", "a\nb", "'", "a(", "x=y"):
        with pytest.raises(ValueError, match="unquoted"):
            quote.shell(text)


def test_a_comment_stays_one_whatever_it_says() -> None:
    text = "\n".join(["x" * 200, "y " * 100, "", "shellcheck disable=all", "  shellcheck source=/x", "#!/bin/sh"])
    lines = quote.plain(quote.comment(text)).split("\n")
    assert all(line.startswith("#") for line in lines)
    assert not any(line.lstrip("# \t").startswith("shellcheck") for line in lines)


def test_a_listing_in_a_comment_is_wrapped_below_its_last_column() -> None:
    made = quote.plain(quote.comment("  sh pve1.sh check   " + "word " * 14))
    assert made.split("\n")[1].startswith("#" + " " * 22 + "word")


@pytest.mark.parametrize("name", ["n" * 63, "n" * 200, "a b"])
def test_a_listing_of_long_names_is_wrapped_too(name: str) -> None:
    made = quote.plain(quote.comment(f"  sh {name}.sh check   {'word ' * 30}\n{'x' * 100} {name}"))
    words = made.replace("#", "").split()
    assert words.count("word") == 30 and name.split()[0] in words


def test_data_becomes_data_at_any_depth() -> None:
    made = quote.data({"a": ["x", {"b": ("y", 1, None, True)}]})
    assert isinstance(made["a"][0], Data) and isinstance(made["a"][1]["b"][0], Data)
    with pytest.raises(TypeError):
        quote.data({"a": 1.5})


def _inert(text: str) -> tuple[str, str]:
    """A script that prints the text by every way in, and what it must print."""
    lines = [
        f"# {quote.comment(text)}",
        f"printf '%s\\n' {quote.word(text)} {quote.string(text)}",
        f"x=1; printf '%s\\n' {quote.message('it is {t}', {'t': text})}",
        f"printf '%s\\n' {quote.message('{v}: {t}', {'t': text, 'v': Expansion('$x')})}",
        f"cat {quote.heredoc(text + chr(10))}",
        f"case {quote.word(text)} in {quote.word(text)}) printf 'same\\n' ;; esac",
    ]
    wanted = [text, text, f"it is {text}", f"1: {text}", text, "same"]
    return quote.plain("\n".join(lines)) + "\n", "\n".join(wanted) + "\n"


def test_no_shell_runs_a_piece_of_data(shell: tuple[str, ...], tmp_path: Path) -> None:
    pairs = [_inert(text) for text in HOSTILE]
    script = "".join(script for script, _ in pairs)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*shell], input=script, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert (done.stderr, done.stdout) == ("", "".join(wanted for _, wanted in pairs))
    assert list(tmp_path.iterdir()) == []
