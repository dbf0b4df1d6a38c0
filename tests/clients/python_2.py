"""The Python SDK 2.x in one of its three modes, named by the only argument.

`auto` is its default and asks `server/discover` first, `legacy` shakes hands, `pinned` speaks 2026-07-28 or nothing.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import DiscoverResult

from checks import ENDPOINT, Adapter, Responses, Session, run

MODERN = "2026-07-28"
MODES = {"auto": ("auto", MODERN), "legacy": ("legacy", "2025-11-25"), "pinned": (MODERN, MODERN)}
NAME = sys.argv[1] if len(sys.argv) > 1 else "auto"
MODE, PROTOCOL = MODES[NAME]


def wire(model: Any) -> dict[str, Any]:
    """The JSON members of a result, without those that were absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


@asynccontextmanager
async def open_session(headers: dict[str, str], responses: Responses) -> AsyncIterator[Session]:
    http = httpx2.AsyncClient(headers=headers, timeout=30, event_hooks={"response": [responses.note]})
    async with http, Client(streamable_http_client(ENDPOINT, http_client=http), mode=MODE) as client:
        if NAME == "pinned":
            # A pinned client asks nothing when it connects and takes the server on trust; so it is asked here.
            hello = await client.session.send_discover(MODERN)
            client.session.adopt(DiscoverResult.model_validate(hello))

        async def list_tools() -> dict[str, Any]:
            return wire(await client.list_tools())

        async def call_tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return wire(await client.call_tool(name, arguments))

        yield Session(
            protocol=client.protocol_version,
            server=wire(client.server_info) if client.server_info is not None else {},
            instructions=client.instructions,
            ping=client.session.send_ping,
            list_tools=list_tools,
            call_tool=call_tool,
        )


run(
    Adapter(
        label=f"python 2.3.0 {NAME}",
        protocol=PROTOCOL,
        has_ping=PROTOCOL != MODERN,
        open=open_session,
        protocol_error=MCPError,
    )
)
