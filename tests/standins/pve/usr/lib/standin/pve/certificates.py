"""What `pvecm updatecerts` makes below /etc/pve: directories, keys and certificates.

Certificates begin a day back, as `faketime yesterday` makes them, and pvecm does not start without it; whether the
sandbox has a faketime is not looked at.
"""

import fcntl
import os
import subprocess
from pathlib import Path

from . import scale
from .settings import nodename, replace

PVE = Path("/etc/pve")


def _openssl(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *words], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


def _write(path: Path, text: str) -> None:
    if not path.exists():
        replace(path, text)


def _new_key(kind: tuple[str, str] = scale.CERTIFICATE_KEY) -> str:
    algorithm, option = kind
    return _openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option)


def _authority() -> None:
    key = PVE / "priv/pve-root-ca.key"
    if key.exists() and (PVE / "pve-root-ca.pem").exists():
        return
    import tempfile  # takes long to load, and is seldom needed

    text = _new_key(scale.AUTHORITY_KEY)
    subject = "/CN=Proxmox Virtual Environment/O=PVE Cluster Manager CA"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        certificate = _openssl("req", "-batch", "-new", "-x509", "-days", "3650", "-key", file.name, "-subj", subject)
    _write(key, text)
    _write(PVE / "pve-root-ca.pem", certificate)


def _node_certificate(*, force: bool) -> None:
    folder = PVE / "nodes" / nodename()
    if (folder / "pve-ssl.pem").exists() and not force:
        return
    import tempfile  # takes long to load, and is seldom needed

    text = _new_key()
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in (
            ("key", text),
            ("ca.key", (PVE / "priv/pve-root-ca.key").read_text()),
            ("ca.pem", (PVE / "pve-root-ca.pem").read_text()),
            ("extensions", f"subjectAltName=DNS:{nodename()},DNS:localhost,IP:127.0.0.1\n"),
        ):
            Path(scratch, name).write_text(content)
        subject = f"/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN={nodename()}"
        request = _openssl("req", "-batch", "-new", "-key", f"{scratch}/key", "-subj", subject)
        words = ["x509", "-req", "-days", "730", "-CA", f"{scratch}/ca.pem", "-CAkey", f"{scratch}/ca.key"]
        certificate = _openssl(*words, "-extfile", f"{scratch}/extensions", stdin=request)
    for path, content in ((folder / "pve-ssl.key", text), (folder / "pve-ssl.pem", certificate)):
        replace(path, content)


def update(*, force: bool = False) -> None:
    """Makes what is missing below /etc/pve; with force a new certificate for this node.

    One after the other: of two authorities made at once the key of one would stay and the certificate of the other.
    """
    with open("/run/standin/certificates", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _update(force=force)


def _update(*, force: bool) -> None:
    own = PVE / "nodes" / nodename()
    for folder in (PVE / "priv", PVE / "nodes", own, own / "priv", own / "qemu-server", own / "lxc", own / "openvz"):
        if not folder.is_dir():
            folder.mkdir()
    _authority()
    for private, public in (("priv/authkey.key", "authkey.pub"),):
        if not (PVE / private).exists():
            text = _new_key()
            _write(PVE / private, text)
            _write(PVE / public, _openssl("pkey", "-pubout", stdin=text))
    if not (PVE / "pve-www.key").exists():
        _write(PVE / "pve-www.key", _new_key())
    _node_certificate(force=force)


def fingerprint(certificate: str) -> str:
    """The SHA-256 fingerprint of a certificate in PEM, as 32 pairs joined by ':'."""
    shown = _openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=certificate)
    return shown.partition("=")[2].strip()


def www_files() -> None:
    """pveproxy reads a copy that only it can, here root's as well; the administrator's own certificate goes first."""
    import shutil  # takes long to load, and is seldom needed

    Path("/run/standin/pveproxy").mkdir(parents=True, exist_ok=True)
    folder = PVE / "nodes" / nodename()
    kind = "pveproxy-ssl" if (folder / "pveproxy-ssl.pem").exists() else "pve-ssl"
    for ending in ("key", "pem"):
        shutil.copyfile(folder / f"{kind}.{ending}", f"/run/standin/pveproxy/pve-ssl.{ending}")
        os.chmod(f"/run/standin/pveproxy/pve-ssl.{ending}", 0o600)
