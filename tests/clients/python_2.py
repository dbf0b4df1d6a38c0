"""The Python SDK 2.x: python_2.py MODE TRANSPORT.

`auto` is its default and asks `server/discover` first, `legacy` shakes hands, `pinned` speaks 2026-07-28 or nothing.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
import mcp_types as types
from pydantic import TypeAdapter

from checks import COMMAND, COMMAND_ARGUMENTS, ELICIT, ENDPOINT, ROOTS, SAMPLE, SSE
from checks import Adapter, Json, Opening, Person, Progress, Responses, Session, run

MODERN = "2026-07-28"
MODES = {"auto": ("auto", MODERN), "legacy": ("legacy", "2025-11-25"), "pinned": (MODERN, MODERN)}
NAME = sys.argv[1] if len(sys.argv) > 1 else "auto"
TRANSPORT = sys.argv[2] if len(sys.argv) > 2 else "http"
MODE, PROTOCOL = MODES[NAME]
REFERENCE: TypeAdapter[Any] = TypeAdapter(types.PromptReference | types.ResourceTemplateReference)


def wire(model: Any) -> Json:
    """The JSON members of a result, without those that were absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def connection(headers: dict[str, str], responses: Responses) -> Any:
    """The asked transport, with the headers on every request."""
    hooks: Any = {"response": [responses.note]}

    def client(headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(headers=headers, timeout=timeout or 30, auth=auth, event_hooks=hooks)

    match TRANSPORT:
        case "http":
            return streamable_http_client(ENDPOINT, http_client=client(headers))
        case "sse":
            return sse_client(SSE, headers=headers, httpx_client_factory=client)
        case "stdio":
            # Nobody reads the log of the server, which goes to standard error.
            quiet = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            server = StdioServerParameters(command=COMMAND, args=COMMAND_ARGUMENTS, env=dict(os.environ))
            return stdio_client(server, errlog=quiet)
    raise ValueError(f"no transport is called {TRANSPORT}")


def callbacks(person: Person) -> dict[str, Any]:
    """The user behind the client, as the SDK wants to call it."""

    async def elicit(_: Any, params: Any) -> Any:
        return types.ElicitResult.model_validate(person.answer(ELICIT, wire(params)))

    async def sample(_: Any, params: Any) -> Any:
        return types.CreateMessageResult.model_validate(person.answer(SAMPLE, wire(params)))

    async def roots(_: Any) -> Any:
        return types.ListRootsResult.model_validate(person.answer(ROOTS, {}))

    async def hear(params: Any) -> None:
        person.heard.append(wire(params))

    return {
        "elicitation_callback": elicit,
        "sampling_callback": sample,
        "list_roots_callback": roots,
        "logging_callback": hear,
        # The stateless revision asks for log messages with each request.
        "log_level": "info" if PROTOCOL == MODERN else None,
    }


@asynccontextmanager
async def open_session(opening: Opening) -> AsyncIterator[Session]:
    transport = connection(opening.headers, opening.responses)
    async with Client(transport, mode=MODE, **callbacks(opening.person)) as client:
        if NAME == "pinned":
            # A pinned client asks nothing when it connects and takes the server on trust; so it is asked here.
            hello = await client.session.send_discover(MODERN)
            client.session.adopt(types.DiscoverResult.model_validate(hello))

        async def call_tool(name: str, arguments: Json, progress: Progress | None) -> Json:
            return wire(await client.call_tool(name, arguments, progress_callback=progress))

        async def complete(ref: Json, argument: dict[str, str]) -> Json:
            return wire(await client.complete(REFERENCE.validate_python(ref), argument))

        async def want_log(level: Any) -> None:
            if PROTOCOL != MODERN:
                await client.set_logging_level(level)

        def plain(method: Any) -> Any:
            async def call(*arguments: Any) -> Json:
                return wire(await method(*arguments))

            return call

        yield Session(
            protocol=client.protocol_version,
            server=wire(client.server_info) if client.server_info is not None else {},
            instructions=client.instructions,
            ping=client.session.send_ping,
            list_tools=plain(client.list_tools),
            call_tool=call_tool,
            list_resources=plain(client.list_resources),
            list_templates=plain(client.list_resource_templates),
            read_resource=plain(client.read_resource),
            list_prompts=plain(client.list_prompts),
            get_prompt=plain(client.get_prompt),
            complete=complete,
            want_log=want_log,
        )


run(
    Adapter(
        version="2.3.0",
        transport=TRANSPORT,
        mode=NAME,
        protocol=PROTOCOL,
        has_ping=PROTOCOL != MODERN,
        open=open_session,
        protocol_error=MCPError,
    )
)
