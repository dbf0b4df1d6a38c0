"""The Python SDK 1.x: legacy versions only, 2025-11-25 first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

from checks import ENDPOINT, Adapter, Responses, Session, run


def wire(model: Any) -> dict[str, Any]:
    """The JSON members of a result, without those that were absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


@asynccontextmanager
async def open_session(headers: dict[str, str], responses: Responses) -> AsyncIterator[Session]:
    http = httpx.AsyncClient(headers=headers, timeout=30, event_hooks={"response": [responses.note]})
    async with (
        http,
        streamable_http_client(ENDPOINT, http_client=http) as (read, write, _),
        ClientSession(read, write) as client,
    ):
        hello = await client.initialize()

        async def list_tools() -> dict[str, Any]:
            return wire(await client.list_tools())

        async def call_tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return wire(await client.call_tool(name, arguments))

        yield Session(
            protocol=str(hello.protocolVersion),
            server=wire(hello.serverInfo),
            instructions=hello.instructions,
            ping=client.send_ping,
            list_tools=list_tools,
            call_tool=call_tool,
        )


run(
    Adapter(
        label="python 1.30.0",
        protocol="2025-11-25",
        has_ping=True,
        open=open_session,
        protocol_error=McpError,
    )
)
