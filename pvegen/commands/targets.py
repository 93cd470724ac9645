"""`pvegen targets`: the systems that nodes can run, and the facts of one."""

from __future__ import annotations

from pvegen import catalogue, errors, target


def targets(name: str | None) -> int:
    """Print all targets, or one's facts as TOML; 2 for an unknown one."""
    if name is None:
        width = max(len(known) for known in target.names())
        for known in target.names():
            print(f"{known:<{width}}  {target.load(known).title}")
        return 0
    if name not in target.names():
        from pvegen.nearest import nearest

        near = nearest(name, target.names())
        words = catalogue.load().call
        hint = words["hint"].format(nearest=near) if near else ""
        errors.complain(words["unknown_target"].format(name=catalogue.visible(name), hint=hint))
        return errors.WRONG_CALL
    import tomli_w

    print(tomli_w.dumps(target.load(name).data), end="")
    return 0
