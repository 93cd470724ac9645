"""Chromium, headless, told what to do by its DevTools protocol over a pair of pipes: no port, no library.

The protocol: https://chromedevtools.github.io/devtools-protocol/; messages are JSON, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable")
LIMIT = 120.0


def found() -> str | None:
    """The browser, if there is one on this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page, and all that it complained of."""

    def __init__(self, program: str, home: Path) -> None:
        """home: a folder for its profile."""
        ours, theirs = os.pipe(), os.pipe()
        words = [
            program, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe", f"--user-data-dir={home}/profile",
            "about:blank",
        ]  # fmt: skip
        # It reads from 3 and writes to 4.
        command = ["/bin/bash", "-c", f'exec 3<&{ours[0]} 4>&{theirs[1]}; exec "$0" "$@"', *words]
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(
            command, pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(home / "stderr").open("wb"), env=env, start_new_session=True,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = ours[1], theirs[0]
        self._left = b""
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._events: list[str] = []
        self._page = ""
        self._session = self.call("Target.attachToTarget", targetId=self._first_page(), flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _first_page(self) -> str:
        """The page that it opens by itself, a moment after it can be asked."""
        deadline = time.monotonic() + LIMIT
        while True:
            for one in self.call("Target.getTargets")["targetInfos"]:
                if one["type"] == "page":
                    return str(one["targetId"])
            assert time.monotonic() < deadline, f"the browser has no page within {LIMIT} s"
            time.sleep(0.05)

    def close(self) -> None:
        """End this browser, and what it has started, alone."""
        for end in (self._write, self._read):
            os.close(end)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def open(self, path: Path) -> None:
        """Load a file, to the end."""
        self.complaints, self.requests, self._events, self._page = [], [], [], ""
        self.call("Page.navigate", url=path.as_uri())
        # The page before it may still be loading.
        while self._page != path.as_uri() or "Page.loadEventFired" not in self._events:
            self._next()

    def look(self, width: int, *, scheme: str = "light", media: str = "screen") -> None:
        """Show the page in a window of this width, in a scheme, on the screen or as it is printed."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )
        self.call(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def tell(self, expression: str) -> Any:
        """What an expression of JavaScript comes to, as data."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def shoot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page, for people."""
        done = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(done["data"]))

    def printed(self) -> bytes:
        """The page as PDF, A4."""
        done = self.call(
            "Page.printToPDF", printBackground=False, preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69
        )
        return base64.b64decode(done["data"])

    def _next(self) -> dict[str, Any]:
        """The next message; what the page complains of and asks for is kept."""
        deadline = time.monotonic() + LIMIT
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the browser says nothing for {LIMIT} s"
            more = os.read(self._read, 1 << 20)
            assert more, "the browser has ended"
            self._left += more
        text, _, self._left = self._left.partition(b"\0")
        message = dict(json.loads(text))
        method, parameters = message.get("method", ""), message.get("params", {})
        if method == "Page.frameNavigated":
            self._page, self._events = str(parameters["frame"]["url"]), []
        self._events.append(method)
        if method == "Runtime.exceptionThrown" or method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(parameters)[:500])
        elif method == "Log.entryAdded":
            self.complaints.append(str(parameters["entry"]["text"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(str(parameters["request"]["url"]))
        return message
