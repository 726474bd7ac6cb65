"""Debian's Firefox by WebDriver BiDi, the protocol that it speaks itself.

Playwright's own protocol needs a patched Firefox, and Debian has no geckodriver: what a test asks
(open, evaluate, listen to the console, take a picture) is a few JSON messages over a WebSocket.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
WAIT_S = 60.0
PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Socket:
    """One WebSocket: text messages in both directions (RFC 6455)."""

    def __init__(self, port: int, path: str) -> None:
        self._held = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._read = self._held.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket"]
        head += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        self._held.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        assert b" 101 " in self._read.readline()
        while self._read.readline().strip():
            pass

    def send(self, text: str) -> None:
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        if size < 126:
            head = bytes([0x81, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x81, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x81, 0x80 | 127]) + size.to_bytes(8, "big")
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        self._held.sendall(head + mask + masked)

    def receive(self) -> str:
        """The next message, its fragments joined."""
        parts = []
        while True:
            first, second = self._read.read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._read.read(2 if size == 126 else 8), "big")
            data = self._read.read(size)
            if first & 0x0F in (0, 1):
                parts.append(data)
                if first & 0x80:
                    return b"".join(parts).decode()

    def close(self) -> None:
        self._read.close()
        self._held.close()


class Firefox:
    """A running Firefox with one tab. ``errors`` are those of its console, in order."""

    def __init__(self, port: int) -> None:
        self._socket = Socket(port, "/session")
        self._number = 0
        self.errors: list[str] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded", "network.responseCompleted"])
        self._tab = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command; what happens meanwhile is remembered."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.receive())
            if told.get("id") == self._number:
                assert told["type"] == "success", told
                found: dict[str, Any] = told["result"]
                return found
            self._heard(told)

    def _heard(self, told: dict[str, Any]) -> None:
        entry = told.get("params", {})
        if told.get("method") == "log.entryAdded" and entry["level"] == "error":
            self.errors.append(f"{entry['type']}: {str(entry.get('text'))[:300]}")
        if told.get("method") == "network.responseCompleted":
            status, url = entry["response"]["status"], entry["request"]["url"]
            if status >= 400:
                self.errors.append(f"{status} for {url}")

    def open(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.ask("browsingContext.setViewport", context=self._tab, viewport=size)

    def value(self, expression: str) -> Any:
        """Of JavaScript in the tab, by JSON; promises are waited for."""
        told = self.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(JSON.stringify)",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert told["type"] == "success", told["exceptionDetails"]["text"]
        return json.loads(told["result"].get("value") or "null")

    def picture(self) -> bytes:
        """The tab as PNG."""
        told = self.ask("browsingContext.captureScreenshot", context=self._tab)
        return base64.b64decode(told["data"])

    def close(self) -> None:
        self._socket.close()


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A headless Firefox with a profile of its own in ``folder``."""
    assert PROGRAM is not None
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = [PROGRAM, "--headless", "--no-remote", "--profile", str(folder)]
    command += ["--remote-debugging-port", "0", "about:blank"]
    env = {**os.environ, "HOME": str(folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "BiDi listening" in line)
            with closing(Firefox(int(line.rsplit(":", 1)[1]))) as found:
                yield found
        finally:
            process.kill()
