"""The checks that every Python client makes; what they expect stands in expectations.json.

An adapter opens a session for given headers. The two generations of the SDK name things differently, so a `Session`
holds what the checks need as plain values and functions.
"""

import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

DEADLINE_SECONDS = 60
ENDPOINT = os.environ["CLIENTS_ENDPOINT"]
TOKEN = os.environ["CLIENTS_UPSTREAM_TOKEN"]
EXPECTED = json.loads(
    Path(__file__)
    .with_name("expectations.json")
    .read_text(encoding="utf-8")
    .replace("${CLIENTS_UPSTREAM_TOKEN}", TOKEN)
)


@dataclass(frozen=True)
class Session:
    """An open connection; results are given as the JSON of the wire."""

    protocol: str
    server: dict[str, Any]
    instructions: str | None
    ping: Callable[[], Awaitable[Any]]
    list_tools: Callable[[], Awaitable[dict[str, Any]]]
    call_tool: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass
class Responses:
    """Status and challenge of every HTTP response, in order."""

    seen: list[tuple[int, str]] = field(default_factory=list)

    async def note(self, response: Any) -> None:
        """An httpx response hook."""
        self.seen.append((response.status_code, response.headers.get("www-authenticate", "")))


Open = Callable[[dict[str, str], Responses], AbstractAsyncContextManager[Session]]


@dataclass(frozen=True)
class Adapter:
    """One client in one mode."""

    label: str
    protocol: str
    has_ping: bool
    open: Open
    protocol_error: type[Exception]


class Failed(Exception):
    """A check that did not hold."""


def ensure(holds: object, what: object) -> None:
    """Unlike `assert`, this also holds under `python -O`."""
    if not holds:
        raise Failed(str(what))


def equal(actual: object, wanted: object, what: str = "") -> None:
    """Fails with both values."""
    ensure(actual == wanted, f"{what} expected {wanted!r}, got {actual!r}".strip())


def run(adapter: Adapter) -> None:
    """Runs every check against the server, prints one line, and ends the process."""
    done: list[str] = []
    running = ["connects"]

    async def bounded() -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            await run_all(adapter, done, running)

    try:
        anyio.run(bounded)
    except Exception as error:
        reasons = "; ".join(f"{type(leaf).__name__} {leaf}" for leaf in leaves(error))
        print(f"FAIL  {adapter.label}: {running[-1]}: {' '.join(reasons.split())}")
        sys.exit(1)
    print(f"ok  {adapter.label}: {len(done)} checks")


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions inside a group, which is what task groups raise."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


async def run_all(adapter: Adapter, done: list[str], running: list[str]) -> None:
    """Keeps the name of the check under way in `running` and of those that held in `done`."""

    def start(name: str) -> None:
        if running[-1] not in done and running[-1] != name:
            done.append(running[-1])
        running.append(name)

    key = {"Authorization": f"Bearer {os.environ['CLIENTS_KEY']}", "X-Upstream-Token": TOKEN}
    async with adapter.open(key, Responses()) as session:
        start("negotiates its version")
        equal(session.protocol, adapter.protocol)
        start("learns who the server is")
        check_server(session)
        start("lists the tools")
        check_tools(await session.list_tools())
        for call in EXPECTED["calls"]:
            start(call["name"])
            check_call(call, await session.call_tool(call["tool"], call["arguments"]))
        start("an unknown tool is a protocol error")
        await check_unknown_tool(adapter, session)
        if adapter.has_ping:
            start("pings")
            await session.ping()
        start("closes")
    start("is refused without a key")
    await check_refused(adapter, {})
    start("is refused with another key")
    await check_refused(adapter, {"Authorization": "Bearer not-the-key"})
    start("end")


def check_server(session: Session) -> None:
    """Name, version and title of the bridge, and instructions that name a tool."""
    for member, value in EXPECTED["server"].items():
        equal(session.server.get(member), value, member)
    name = re.escape(EXPECTED["instructions_name"])
    ensure(re.search(rf"\b{name}\b", session.instructions or ""), f"instructions: {session.instructions!r}")


def check_tools(listing: dict[str, Any]) -> None:
    """All tools on one page, each with an object schema and a description."""
    equal(listing.get("nextCursor"), None, "nextCursor")
    equal(sorted(tool["name"] for tool in listing["tools"]), EXPECTED["tools"], "tools")
    for tool in listing["tools"]:
        equal(tool["inputSchema"].get("type"), "object", tool["name"])
        ensure("properties" in tool["inputSchema"], f"{tool['name']} has properties")
        ensure(tool.get("description"), f"{tool['name']} has a description")


def check_call(call: dict[str, Any], result: dict[str, Any]) -> None:
    """One row of the table of calls."""
    text = "".join(block.get("text", "") for block in result["content"])
    equal(result.get("isError") or False, call.get("error", False), text)
    if "text" in call:
        equal(text, call["text"])
    for part in call.get("contains", []):
        ensure(part in text, f"{part} is not in: {text}")
    if "names" in call:
        ensure(re.search(rf"\b{re.escape(call['names'])}\b", text), f"{call['names']} is not named in: {text}")
    if "json" in call:
        body = json.loads(text)
        for member, value in call["json"].items():
            equal(body.get(member), value, member)
    if "structured" in call:
        equal(result.get("structuredContent"), call["structured"])
        equal(json.loads(text), call["structured"], "the text block says the same:")


async def check_unknown_tool(adapter: Adapter, session: Session) -> None:
    """A tool that is not there is a JSON-RPC error and no result."""
    wanted = EXPECTED["unknown_tool"]
    try:
        result = await session.call_tool(wanted["name"], {})
    except adapter.protocol_error as error:
        equal(error.error.code, wanted["code"], str(error))  # type: ignore[attr-defined]
        return
    raise Failed(f"got a result: {result}")


async def check_refused(adapter: Adapter, headers: dict[str, str]) -> None:
    """No session comes about, and every answer was a 401 with a challenge."""
    responses = Responses()
    listed = False
    try:
        async with adapter.open(headers, responses) as session:
            await session.list_tools()
            listed = True
    except Exception as error:
        # Only what the server said counts; the two SDKs wrap a refusal each in their own way.
        ensure(responses.seen, f"the server did not answer: {leaves(error)}")
    ensure(not listed, "the tools were listed without the key")
    for status, challenge in responses.seen:
        equal(status, 401, "status")
        ensure(re.match(r"Bearer\b", challenge), f"challenge: {challenge!r}")
