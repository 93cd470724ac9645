"""Signatures of bundles: made by stock OpenSSH, seen on the desk and by one line on a node; no byte is free."""

from __future__ import annotations

import base64
import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import desk
import pytest

from pvegen import build, errors
from pvegen.bundle import archive, signature
from pvegen.bundle.contents import from_folder
from pvegen.main import run

if shutil.which("ssh-keygen") is None:
    desk.absent("there is no ssh-keygen here")


def _key(path: Path, *words: str, passphrase: str = "") -> Path:
    kind = words or ("-t", "ed25519")
    subprocess.run(["ssh-keygen", "-q", *kind, "-N", passphrase, "-C", "test", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, keys, and the bundle's signature by the first of them."""
    place = tmp_path_factory.mktemp("signed")
    view = desk.view_of(desk.small(), place)
    build.build([view], place / "dist", check=False, lint=False, snippets=None, said=io.StringIO())
    data = archive.pack(from_folder(place / "dist" / "small"))
    (place / "small.tar").write_bytes(data)
    _key(place / "key")
    _key(place / "other")
    (place / "small.tar.sig").write_bytes(signature.sign(data, place / "key"))
    return place


def _sign(path: Path, key: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Sign where there is no terminal to ask on, and no agent but that of the environment given."""
    clean = {"SSH_AUTH_SOCK": "", "DISPLAY": "", "SSH_ASKPASS": "", **env}
    return desk.pvegen("sign", path, "--key", key, env=clean, start_new_session=True)


def _copy(place: Path, folder: Path) -> Path:
    return Path(shutil.copy(place / "small.tar", folder / "small.tar"))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_is_signed_is_seen_to_be(place: Path, tmp_path: Path, kind: str) -> None:
    tar, key = _copy(place, tmp_path), _key(tmp_path / "k", "-t", kind)
    done = _sign(tar, key)
    assert done.returncode == 0, done.stderr
    assert run(["verify-bundle", str(tar), "--key", f"{key}.pub"]) == 0
    # The lines that it says for nodes, run as they are.
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert len(lines) == 2
    for line, said in zip(lines, (f'Good "{signature.NAMESPACE}" signature', "small.tar: OK"), strict=True):
        ran = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0 and said in ran.stdout, ran
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    for line in lines:
        assert subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_the_line_for_a_drive_finds_a_changed_image(place: Path, tmp_path: Path) -> None:
    from pvegen.bundle import iso

    image = tmp_path / "small.iso"
    image.write_bytes(iso.pack(from_folder(place / "dist" / "small")))
    done = _sign(image, place / "key")
    (line,) = [line.strip() for line in done.stdout.splitlines() if "/dev/sr0" in line]
    line = line.replace("/dev/sr0", str(tmp_path / "drive"))
    # A drive's last sectors are filled up.
    (tmp_path / "drive").write_bytes(image.read_bytes() + bytes(4096))
    assert subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False).stdout == "OK\n"
    (tmp_path / "drive").write_bytes(b"x" + image.read_bytes()[1:])
    assert subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False).stdout == ""


def test_every_flipped_byte_of_a_signature_is_found(place: Path) -> None:
    data, signed = (place / "small.tar").read_bytes(), (place / "small.tar.sig").read_bytes()
    keys = signature.public_keys(place / "key.pub")
    assert signature.verify("s", data, signed, keys).startswith("SHA256:")
    chosen = random.Random(3)
    for position in range(len(signed)):
        wrong = bytearray(signed)
        wrong[position] ^= 1 << chosen.randrange(8)
        with pytest.raises(errors.Refused):
            signature.verify("s", data, bytes(wrong), keys)
    for wrong in (signed[:-1], signed + b"\n", b"\n" + signed, signed.replace(b"\n", b"\r\n"), b""):
        with pytest.raises(errors.Refused):
            signature.verify("s", data, wrong, keys)


def test_the_same_signature_in_another_armour_is_refused(place: Path, tmp_path: Path) -> None:
    """Other line ends within it, and the bits of base64 that say nothing."""
    _key(tmp_path / "k", "-t", "rsa", "-b", "2048")
    data = (place / "small.tar").read_bytes()
    refused = 0
    for key in (place / "key", tmp_path / "k"):
        signed = signature.sign(data, key)
        keys = signature.public_keys(Path(f"{key}.pub"))
        first, second, rest = signed.split(b"\n", 2)
        others = [b"\n".join([first, second[:9], second[9:], rest])]
        for padding in (b"==", b"="):
            body, found, end = signed.rpartition(padding + b"\n-----END")
            if found:
                others += [body[:-1] + bytes([body[-1] + 1]) + found + end]
                break
        for other in others:
            refused += 1
            with pytest.raises(errors.Refused, match="no whole signature"):
                signature.verify("s", data, other, keys)
    assert refused > 2, "no signature here has bits to spare"


def test_every_flipped_byte_of_what_is_signed_is_found(place: Path) -> None:
    data, signed = (place / "small.tar").read_bytes(), (place / "small.tar.sig").read_bytes()
    keys = signature.public_keys(place / "key.pub")
    chosen = random.Random(4)
    for position in [0, len(data) - 1, *chosen.sample(range(len(data)), 40)]:
        wrong = bytearray(data)
        wrong[position] ^= 1 << chosen.randrange(8)
        with pytest.raises(errors.Refused, match="does not fit"):
            signature.verify("s", bytes(wrong), signed, keys)


def test_a_signature_for_something_else_does_not_count(place: Path, tmp_path: Path) -> None:
    data = (place / "small.tar").read_bytes()
    words = ["ssh-keygen", "-Y", "sign", "-f", str(place / "key"), "-n", "git"]
    signed = subprocess.run(words, input=data, capture_output=True, check=True).stdout
    with pytest.raises(errors.Refused, match="does not fit"):
        signature.verify("s", data, signed, signature.public_keys(place / "key.pub"))


def test_another_key_is_told_from_a_changed_bundle(place: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.Refused, match="is by the key SHA256:"):
        run(["verify-bundle", str(place / "small.tar"), "--key", str(place / "other.pub")])
    both = tmp_path / "both.pub"
    both.write_text("# ours\n" + (place / "other.pub").read_text() + (place / "key.pub").read_text())
    assert run(["verify-bundle", str(place / "small.tar"), "--key", str(both)]) == 0


def test_how_to_know_a_bundle_has_to_be_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tar = str(place / "small.tar")
    digest = subprocess.run(["sha256sum", tar], capture_output=True, text=True, check=True).stdout[:64]
    assert run(["verify-bundle", tar]) == 2
    assert run(["verify-bundle", tar, "--sum", digest, "--no-signature"]) == 2
    assert run(["verify-bundle", tar, "--sum", "abc"]) == 2
    assert run(["verify-bundle", tar, "--sum", digest.upper()]) == 0
    with pytest.raises(errors.Refused, match="has the sum"):
        run(["verify-bundle", tar, "--sum", "0" * 64])
    capsys.readouterr()
    assert run(["verify-bundle", tar, "--no-signature"]) == 0
    assert "not looked at: who made it" in capsys.readouterr().out


def test_only_a_whole_bundle_is_signed(tmp_path: Path, place: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"anything")
    done = _sign(tmp_path / "x.tar", place / "key")
    assert done.returncode == 1 and "no whole tar" in done.stderr
    assert not (tmp_path / "x.tar.sig").exists()


def test_a_key_with_a_passphrase_and_no_terminal(place: Path, tmp_path: Path) -> None:
    key = _key(tmp_path / "k", passphrase="secret words")
    done = _sign(_copy(place, tmp_path), key)
    assert done.returncode == 1 and f"ssh-add {key}" in done.stderr
    assert not (tmp_path / "small.tar.sig").exists()


def test_a_passphrase_is_asked_for_by_openssh_itself(place: Path, tmp_path: Path) -> None:
    key = _key(tmp_path / "k", passphrase="secret words")
    asks = tmp_path / "asks"
    asks.write_text("#!/bin/sh\necho 'secret words'\n")
    asks.chmod(0o755)
    tar = _copy(place, tmp_path)
    done = _sign(tar, key, SSH_ASKPASS=str(asks), SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")
    assert done.returncode == 0, done.stderr
    assert run(["verify-bundle", str(tar), "--key", f"{key}.pub"]) == 0


def test_the_public_half_signs_only_through_the_agent_that_has_the_other(place: Path, tmp_path: Path) -> None:
    key, tar = _key(tmp_path / "k"), _copy(place, tmp_path)
    hidden = key.rename(tmp_path / "elsewhere")
    public = Path(f"{key}.pub")
    done = _sign(tar, public)
    assert done.returncode == 1 and "public half" in done.stderr, done.stderr
    socket = f"/tmp/pvegen-agent.{os.getpid()}"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True)
    try:
        assert agent.stdout is not None and agent.stdout.readline()
        done = _sign(tar, public, SSH_AUTH_SOCK=socket)
        assert done.returncode == 1 and "no agent has" in done.stderr, done.stderr
        subprocess.run(["ssh-add", "-q", str(hidden)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        done = _sign(tar, public, SSH_AUTH_SOCK=socket)
        assert done.returncode == 0, done.stderr
        assert run(["verify-bundle", str(tar), "--key", str(public)]) == 0
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(None, 0, "cannot read the key"), ("nonsense\n", 0o600, "no key of OpenSSH's"), ("key", 0o644, "chmod 600")],
)
def test_what_is_no_usable_key(place: Path, tmp_path: Path, content: str | None, mode: int, said: str) -> None:
    key = tmp_path / "k"
    if content is not None:
        key.write_text((place / "key").read_text() if content == "key" else content)
        key.chmod(mode)
    done = _sign(_copy(place, tmp_path), key)
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_a_private_key_is_not_taken_for_a_public_one(place: Path) -> None:
    with pytest.raises(errors.Refused, match="to stay where it is"):
        run(["verify-bundle", str(place / "small.tar"), "--key", str(place / "key")])


@pytest.mark.parametrize(
    "text", ["", "#\n", "ssh-ed25519\n", "ssh-ed25519 AAAA\n", "ssh-rsa " + base64.b64encode(b"x" * 40).decode()]
)
def test_what_is_no_public_key(place: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "k.pub").write_text(text)
    with pytest.raises(errors.Refused, match="no key of OpenSSH's"):
        run(["verify-bundle", str(place / "small.tar"), "--key", str(tmp_path / "k.pub")])


@pytest.mark.parametrize(
    ("call", "said"), [("echo 'unknown option -- Y' >&2; exit 1", "8.1 or later"), (None, "install OpenSSH")]
)
def test_an_openssh_that_is_too_old_or_missing(place: Path, tmp_path: Path, call: str | None, said: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if call:
        (folder / "ssh-keygen").write_text(f"#!/bin/sh\n{call}\n")
        (folder / "ssh-keygen").chmod(0o755)
    done = _sign(_copy(place, tmp_path), place / "key", PATH=str(folder))
    assert done.returncode == 1 and said in done.stderr, done.stderr
