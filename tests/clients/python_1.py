"""The Python SDK 1.x: python_1.py TRANSPORT. Legacy versions only, 2025-11-25 first."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl, TypeAdapter

from checks import COMMAND, COMMAND_ARGUMENTS, ELICIT, ENDPOINT, ROOTS, SAMPLE, SSE
from checks import Adapter, Json, Opening, Person, Progress, Responses, Session, run

TRANSPORT = sys.argv[1] if len(sys.argv) > 1 else "http"
REFERENCE: TypeAdapter[Any] = TypeAdapter(types.PromptReference | types.ResourceTemplateReference)


def wire(model: Any) -> Json:
    """The JSON members of a result, without those that were absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def connection(headers: dict[str, str], responses: Responses) -> AbstractAsyncContextManager[Any]:
    """The streams of the asked transport, with the headers on every request."""
    hooks: Any = {"response": [responses.note]}

    def client(
        headers: dict[str, str] | None = None, timeout: Any = None, auth: httpx.Auth | None = None
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=headers, timeout=timeout or 30, auth=auth, event_hooks=hooks)

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
    }


@asynccontextmanager
async def open_session(opening: Opening) -> AsyncIterator[Session]:
    async with (
        connection(opening.headers, opening.responses) as streams,
        ClientSession(streams[0], streams[1], **callbacks(opening.person)) as client,
    ):
        hello = await client.initialize()

        async def call_tool(name: str, arguments: Json, progress: Progress | None) -> Json:
            return wire(await client.call_tool(name, arguments, progress_callback=progress))

        async def complete(ref: Json, argument: dict[str, str]) -> Json:
            return wire(await client.complete(REFERENCE.validate_python(ref), argument))

        async def want_log(level: Any) -> None:
            await client.set_logging_level(level)

        def plain(method: Any) -> Any:
            async def call(*arguments: Any) -> Json:
                return wire(await method(*arguments))

            return call

        yield Session(
            protocol=str(hello.protocolVersion),
            server=wire(hello.serverInfo),
            instructions=hello.instructions,
            ping=client.send_ping,
            list_tools=plain(client.list_tools),
            call_tool=call_tool,
            list_resources=plain(client.list_resources),
            list_templates=plain(client.list_resource_templates),
            read_resource=lambda uri: plain(client.read_resource)(AnyUrl(uri)),
            list_prompts=plain(client.list_prompts),
            get_prompt=plain(client.get_prompt),
            complete=complete,
            want_log=want_log,
        )


run(
    Adapter(
        version="1.30.0",
        transport=TRANSPORT,
        mode=None,
        protocol="2025-11-25",
        has_ping=True,
        open=open_session,
        protocol_error=McpError,
    )
)
