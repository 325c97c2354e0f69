"""A browser without a window, driven over the DevTools protocol. It reaches nothing but this machine."""

import asyncio
import json
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-headless-shell", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-port=0",
)
PATIENCE_S = 60.0
LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
WATCH_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", event => {
        violations.push(event.violatedDirective + " " + event.blockedURI);
    });
"""


def find_browser() -> str | None:
    """A browser's program, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name)) is not None), None)


class Page:
    """One tab, and everything that it has reported."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket
        self._session: dict[str, str] = {}
        self._sent = 0

    async def start(self) -> None:
        """Open a tab that reports its requests, its errors and what its policy forbade."""
        target = await self.command("Target.createTarget", url="about:blank")
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.command(f"{domain}.enable")
        await self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH_VIOLATIONS)

    async def command(self, method: str, **params: object) -> dict[str, Any]:
        """The result of one command of the protocol."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params, **self._session})
        while True:
            message = await self._receive()
            if message.get("id") == self._sent:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    async def visit(self, url: str) -> None:
        """The address is loaded."""
        await self.command("Page.navigate", url=url)
        await self.until("Page.loadEventFired")

    async def until(self, event: str) -> None:
        """The event has come, now or since the last one of its kind was waited for."""
        while not any(seen.get("method") == event for seen in self.events):
            self.events.append(await self._receive())
        self.events = [seen for seen in self.events if seen.get("method") != event]

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, promises awaited."""
        evaluated = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in evaluated, evaluated
        return evaluated["result"].get("value")

    async def press(self, key: str, code: int, text: str = "") -> None:
        """A key goes down and up again."""
        for kind in ("keyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    def reported(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every event of one kind, so far."""
        return [event["params"] for event in self.events if event.get("method") == method]

    async def _receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            message: dict[str, Any] = json.loads((await self._socket.receive()).data)
        return message


@asynccontextmanager
async def open_page(program: str, profile: Path) -> AsyncIterator[Page]:
    """A new browser's one tab; the browser is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=DEVNULL, stderr=PIPE
    )
    assert process.stderr is not None
    try:
        async with aiohttp.ClientSession() as session:
            while (match := LISTENING.search(line := await process.stderr.readline())) is None:
                assert line, "the browser did not start"
            reading = asyncio.create_task(process.stderr.read())  # so that it never waits for its reader
            async with session.ws_connect(match[1].decode(), max_msg_size=0) as socket:
                page = Page(socket)
                await page.start()
                yield page
                await socket.send_json({"id": 0, "method": "Browser.close"})
            await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
