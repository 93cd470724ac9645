"""The shells that a node script has to run in, by the name that a test gives."""

SHELLS: dict[str, tuple[str, ...]] = {
    "dash": ("/usr/bin/dash",),
    "bash": ("/usr/bin/bash",),
    "bash-posix": ("/usr/bin/bash", "--posix"),
    "busybox": ("/usr/bin/busybox", "sh"),
    "mksh": ("/usr/bin/mksh",),
    "yash": ("/usr/bin/yash",),
    "ksh93": ("/usr/bin/ksh93",),
}

ALIASES: dict[str, str] = {"bash --posix": "bash-posix", "busybox sh": "busybox", "ash": "busybox", "sh": "dash"}


def shell_command(name: str) -> tuple[str, ...]:
    """The words that start the shell called NAME; KeyError with the names known where there is none."""
    key = ALIASES.get(name, name)
    if key not in SHELLS:
        raise KeyError(f"no shell {name!r}; there are: {', '.join(SHELLS)}")
    return SHELLS[key]
