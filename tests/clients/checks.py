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
SSE = os.environ["CLIENTS_SSE"]
COMMAND = os.environ["CLIENTS_BINARY"]
COMMAND_ARGUMENTS = ["serve", "--stdio", os.environ["CLIENTS_BRIDGES"]]
TOKEN = os.environ["CLIENTS_UPSTREAM_TOKEN"]
KEY = {"Authorization": f"Bearer {os.environ['CLIENTS_KEY']}", "X-Upstream-Token": TOKEN}
EXPECTED = json.loads(
    Path(__file__)
    .with_name("expectations.json")
    .read_text(encoding="utf-8")
    .replace("${CLIENTS_UPSTREAM_TOKEN}", TOKEN)
)
ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"

Json = dict[str, Any]
Progress = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True)
class Session:
    """An open connection; results are given as the JSON of the wire."""

    protocol: str
    server: Json
    instructions: str | None
    ping: Callable[[], Awaitable[Any]]
    list_tools: Callable[[], Awaitable[Json]]
    call_tool: Callable[[str, Json, Progress | None], Awaitable[Json]]
    list_resources: Callable[[], Awaitable[Json]]
    list_templates: Callable[[], Awaitable[Json]]
    read_resource: Callable[[str], Awaitable[Json]]
    list_prompts: Callable[[], Awaitable[Json]]
    get_prompt: Callable[[str, dict[str, str]], Awaitable[Json]]
    complete: Callable[[Json, dict[str, str]], Awaitable[Json]]
    want_log: Callable[[str], Awaitable[None]]


@dataclass
class Responses:
    """Status and challenge of every HTTP response, in order."""

    seen: list[tuple[int, str]] = field(default_factory=list)

    async def note(self, response: Any) -> None:
        """A response hook of httpx."""
        self.seen.append((response.status_code, response.headers.get("www-authenticate", "")))


@dataclass
class Person:
    """The user behind a client: answers what is asked, and remembers it and what was told."""

    asked: list[tuple[str, Json]] = field(default_factory=list)
    heard: list[Json] = field(default_factory=list)

    def answer(self, method: str, params: Json) -> Json:
        """What this user always says to such a question."""
        self.asked.append((method, params))
        return EXPECTED["person"][method]


@dataclass(frozen=True)
class Opening:
    """What a session is opened with."""

    headers: dict[str, str]
    responses: Responses
    person: Person


@dataclass(frozen=True)
class Adapter:
    """One client in one mode over one transport."""

    version: str
    transport: str
    mode: str | None
    protocol: str
    has_ping: bool
    open: Callable[[Opening], AbstractAsyncContextManager[Session]]
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


class Course:
    """Which check runs, and the columns of the table in which checks held."""

    def __init__(self) -> None:
        self.running = "connects"
        self.column = "connects"
        self.done: list[str] = []

    def start(self, column: str, name: str) -> None:
        """Ends the check before and names the next one."""
        self.end()
        self.column, self.running = column, name

    def end(self) -> None:
        """Counts the check that ran."""
        self.done.append(self.column)


def run(adapter: Adapter) -> None:
    """Runs every check against the server, prints one line, reports the columns, and ends the process."""
    course = Course()
    label = " ".join(filter(None, ("Python SDK", adapter.version, adapter.transport, adapter.mode)))

    async def bounded() -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            await run_all(adapter, course)

    try:
        anyio.run(bounded)
    except Exception as error:
        reasons = "; ".join(f"{type(leaf).__name__} {leaf}" for leaf in leaves(error))
        print(f"FAIL  {label}: {course.running}: {' '.join(reasons.split())}")
        sys.exit(1)
    print(f"ok  {label}: {len(course.done)} checks")
    row = {
        "client": "Python SDK",
        "version": adapter.version,
        "transport": adapter.transport,
        "mode": adapter.mode,
        "protocol": adapter.protocol,
        "columns": sorted(set(course.done)),
    }
    with open(os.environ["CLIENTS_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps(row) + "\n")


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions inside a group, which is what task groups raise."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


async def run_all(adapter: Adapter, course: Course) -> None:
    """Every check in order; the one that runs is named in `course`."""
    person = Person()
    over_http = adapter.transport != "stdio"
    async with adapter.open(Opening(KEY, Responses(), person)) as session:
        course.start("connects", "negotiates its version")
        equal(session.protocol, adapter.protocol)
        course.start("connects", "learns who the server is")
        check_server(session)
        course.start("tools", "lists the tools")
        check_tools(await session.list_tools())
        for call in EXPECTED["calls"]:
            if over_http or not call.get("needs_headers"):
                course.start("errors" if call.get("error") else "tools", call["name"])
                check_call(call, await session.call_tool(call["tool"], call["arguments"], None))
        course.start("errors", "an unknown tool is a protocol error")
        await check_unknown_tool(adapter, session)
        await check_reading(adapter, session, course)
        await check_talking(session, person, course)
        if adapter.has_ping:
            course.start("connects", "pings")
            await session.ping()
        course.start("connects", "closes")
    if over_http:
        course.start("refusals", "is refused without a key")
        await check_refused(adapter, {})
        course.start("refusals", "is refused with another key")
        await check_refused(adapter, {"Authorization": "Bearer not-the-key"})
    course.end()


def subset(value: Any, like: Any) -> Any:
    """The members of a value that stand in another one too, so that more of them do no harm."""
    if isinstance(value, list) and isinstance(like, list):
        return [subset(item, like[index]) if index < len(like) else item for index, item in enumerate(value)]
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: subset(value.get(key), like[key]) for key in like}
    return value


async def check_reading(adapter: Adapter, session: Session, course: Course) -> None:
    """Resources, prompts and completion."""
    resources, prompts = EXPECTED["resources"], EXPECTED["prompts"]
    course.start("resources", "lists the resources")
    listed = (await session.list_resources())["resources"]
    equal(sorted(resource["uri"] for resource in listed), resources["listed"])
    course.start("resources", "lists the templates")
    listed = (await session.list_templates())["resourceTemplates"]
    equal(sorted(template["uriTemplate"] for template in listed), resources["templates"])
    for row in resources["read"]:
        course.start("resources", f"reads {row['uri']}")
        contents = (await session.read_resource(row["uri"]))["contents"]
        equal(subset(contents[0], row["content"]), row["content"])
    course.start("resources", "an unknown resource is a protocol error")
    try:
        raise Failed(f"got a result: {await session.read_resource(resources['unknown'])}")
    except adapter.protocol_error as error:
        ensure(error.error.code in resources["codes"], error)  # type: ignore[attr-defined]
    course.start("prompts", "lists the prompts")
    listed = (await session.list_prompts())["prompts"]
    equal(sorted(prompt["name"] for prompt in listed), prompts["listed"])
    for row in prompts["get"]:
        course.start("prompts", f"gets {row['name']}")
        messages = (await session.get_prompt(row["name"], row["arguments"]))["messages"]
        equal(subset(messages, row["messages"]), row["messages"])
    for row in EXPECTED["completions"]:
        course.start("completion", f"completes {row['argument']['name']}")
        equal((await session.complete(row["ref"], row["argument"]))["completion"]["values"], row["values"])


async def check_talking(session: Session, person: Person, course: Course) -> None:
    """What a tool tells and asks while it runs."""
    talks = EXPECTED["talks"]
    course.start("logging", "hears log messages")
    await session.want_log(talks["log"]["level"])
    await session.call_tool(talks["log"]["tool"], {}, None)
    equal([{key: told[key] for key in ("level", "data")} for told in person.heard], talks["log"]["messages"])
    course.start("progress", "follows the progress of a call")
    steps: list[float] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    await session.call_tool(talks["progress"]["tool"], {}, step)
    equal(steps, talks["progress"]["steps"])
    for ask in talks["asks"]:
        course.start(ask["method"], f"is asked: {ask['method']}")
        person.asked.clear()
        result = await session.call_tool(ask["tool"], {}, None)
        equal([method for method, _ in person.asked], [ask["method"]])
        equal(subset(person.asked[0][1], ask["params"]), ask["params"])
        equal(result["content"][0]["text"], ask["text"])


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
        result = await session.call_tool(wanted["name"], {}, None)
    except adapter.protocol_error as error:
        equal(error.error.code, wanted["code"], str(error))  # type: ignore[attr-defined]
        return
    raise Failed(f"got a result: {result}")


async def check_refused(adapter: Adapter, headers: dict[str, str]) -> None:
    """No session comes about, and every answer was a 401 with a challenge."""
    responses = Responses()
    listed = False
    try:
        async with adapter.open(Opening(headers, responses, Person())) as session:
            await session.list_tools()
            listed = True
    except Exception as error:
        # Only what the server said counts; the two SDKs wrap a refusal each in their own way.
        ensure(responses.seen, f"the server did not answer: {leaves(error)}")
    ensure(not listed, "the tools were listed without the key")
    for status, challenge in responses.seen:
        equal(status, 401, "status")
        ensure(re.match(r"Bearer\b", challenge), f"challenge: {challenge!r}")
