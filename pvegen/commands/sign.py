"""`pvegen sign`: signatures of bundles, and how each is looked at."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from pvegen.bundle import file, signature
from pvegen.bundle.contents import texts
from pvegen.bundle.iso import is_iso
from pvegen.catalogue import visible


def sign(files: Sequence[Path], key: Path) -> int:
    """Sign each file, which has to be a whole bundle, into FILE.sig."""
    contents = {path: file.read(path) for path in files}
    for path, data in contents.items():
        file.opened(path, data)
    for path, data in contents.items():
        signed = signature.sign(data, key)
        target = path.with_name(f"{path.name}.sig")
        signer = signature.key_of(str(target), signed)
        signature.verify(str(target), data, signed, [signer])
        file.write(target, signed)
        _tell(path, data, target, signer)
    return 0


def _tell(path: Path, data: bytes, target: Path, signer: str) -> None:
    words, name = texts(), shlex.quote(path.name)
    digest = hashlib.sha256(data).hexdigest()
    print(words["signed"].format(path=visible(str(target)), fingerprint=signature.fingerprint(signer)))
    print(words["on_the_desk"].format(path=visible(shlex.quote(str(path))), key="KEY.pub"))
    if is_iso(data):
        print(words["from_a_drive"])
        print(f"  head -c {len(data)} /dev/sr0 | sha256sum | grep -q {digest} && echo OK")
    print(words["on_a_node"].format(namespace=signature.NAMESPACE))
    print(f"  {node_line(name, signer)}")
    print(words["on_an_old_node"].format(name=name))
    print(f"  echo '{digest}  {path.name}' | sha256sum -c")


def node_line(name: str, signer: str) -> str:
    """The line of shell that looks at a signature on a node; name: the bundle's, quoted for the shell."""
    return (
        f"echo '{signature.PRINCIPAL} {signer}' >signers && ssh-keygen -Y verify -f signers -I {signature.PRINCIPAL} "
        f"-n {signature.NAMESPACE} -s {name}.sig <{name}"
    )
