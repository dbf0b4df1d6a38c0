"""The OAuth clients of the Python SDKs, 1.x and 2.x, against whatever authorization server the environment names."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

from person import Person, report

VERSION = version("mcp")
ENDPOINT, ISSUER, CALLBACK = (os.environ[f"OAUTH_{name}"] for name in ("ENDPOINT", "ISSUER", "CALLBACK"))
READ, WRITE = os.environ["OAUTH_SCOPES"].split()
MORE = os.environ["OAUTH_MORE"]
Call = Callable[[str], Awaitable[str]]

if VERSION.startswith("1."):
    import httpx
    from mcp import ClientSession

    @asynccontextmanager
    async def connected(auth: Any) -> AsyncIterator[Call]:
        """A session, as the function that calls a tool."""
        async with (
            httpx.AsyncClient(auth=auth, timeout=60) as http,
            streamable_http_client(ENDPOINT, http_client=http) as streams,
            ClientSession(streams[0], streams[1]) as client,
        ):
            await client.initialize()

            async def call(tool: str) -> str:
                return (await client.call_tool(tool, {})).content[0].text

            yield call

    def answer(told: dict[str, str]) -> Any:
        """What the client is told, as this SDK wants it."""
        return told["code"], told.get("state")

else:
    import httpx2 as httpx
    from mcp import Client
    from mcp.client.auth import AuthorizationCodeResult

    @asynccontextmanager
    async def connected(auth: Any) -> AsyncIterator[Call]:
        """A session, as the function that calls a tool."""
        async with httpx.AsyncClient(auth=auth, timeout=60) as http:
            async with Client(streamable_http_client(ENDPOINT, http_client=http)) as client:

                async def call(tool: str) -> str:
                    return (await client.call_tool(tool, {})).content[0].text

                yield call

    def answer(told: dict[str, str]) -> Any:
        """What the client is told, as this SDK wants it."""
        return AuthorizationCodeResult(code=told["code"], state=told.get("state"), iss=told.get("iss"))


class Memory:
    """What a client remembers."""

    def __init__(self, client: Any = None) -> None:
        self.client, self.tokens = client, None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


def provider(memory: Memory, person: Person) -> OAuthClientProvider:
    """The client that sends this person to sign in."""
    told: dict[str, str] = {}

    async def send(link: str) -> None:
        place = await anyio.to_thread.run_sync(person.agree, link, CALLBACK)
        told.clear()
        told.update({name: values[-1] for name, values in parse_qs(urlsplit(place).query).items()})

    async def hear() -> Any:
        return answer(told)

    metadata = OAuthClientMetadata(
        client_name="Checks",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method=None if memory.client else "none",
    )
    return OAuthClientProvider(ENDPOINT, metadata, memory, redirect_handler=send, callback_handler=hear)


def ada() -> Person:
    """The one person there is."""
    return Person("ada", os.environ["OAUTH_PASSWORD"])


def same(actual: object, wanted: object) -> None:
    """Unlike `assert`, this also holds under `python -O`."""
    if actual != wanted:
        raise AssertionError(f"{actual!r} and not {wanted!r}")


def scopes_of(link: str) -> set[str]:
    """What a link asks for, but for what SDKs add by themselves."""
    return set(parse_qs(urlsplit(link).query)["scope"][0].split()) - {"offline_access"}


def who(told: str, subject: str, client_id: str) -> None:
    """The server's own clients are told by whom they are called, too."""
    same(told, f"{subject} by {client_id}" if " by " in told else subject)


async def signs_in() -> None:
    memory, person = Memory(), ada()
    auth = provider(memory, person)
    async with connected(auth) as call:
        who(await call("who"), "ada", memory.client.client_id)
        first = memory.tokens
        same(bool(first.refresh_token), True)
        # Its time is over: it is renewed, without the person.
        auth.context.token_expiry_time = time.time() - 1
        who(await call("who"), "ada", memory.client.client_id)
        same(memory.tokens.access_token == first.access_token, False)
    same([scopes_of(link) for link in person.links], [{READ}])
    # Another process with the same memory goes on.
    async with connected(provider(memory, person)) as call:
        who(await call("who"), "ada", memory.client.client_id)
    same(len(person.links), 1)


async def asks_for_more() -> None:
    memory, person = Memory(), ada()
    async with connected(provider(memory, person)) as call:
        who(await call("who"), "ada", memory.client.client_id)
        same(await call(MORE) in ("more", "changed"), True)
        # SDK 1 asks for what is challenged, and SDK 2 for what it had besides.
        same([scopes_of(link) for link in person.links], [{READ}, {WRITE} if VERSION.startswith("1.") else {READ, WRITE}])


async def is_given() -> None:
    client_id, client_secret = os.environ["OAUTH_GIVEN"].split()
    fields = {"client_id": client_id, "client_secret": client_secret, "redirect_uris": [CALLBACK]}
    for method in os.environ["OAUTH_METHODS"].split():
        memory, person = Memory(OAuthClientInformationFull(**fields, token_endpoint_auth_method=method)), ada()
        async with connected(provider(memory, person)) as call:
            who(await call("who"), "ada", client_id)
        same(memory.client.client_id, client_id)


async def acts_for_itself() -> None:
    client_id, client_secret = os.environ["OAUTH_JOB"].split()
    # In the form SDK 1 sends its secret without its id, by which no server can know it.
    methods = os.environ["OAUTH_METHODS"].split()
    for method in methods[:1] if VERSION.startswith("1.") else methods:
        auth = ClientCredentialsOAuthProvider(
            ENDPOINT, Memory(), client_id, client_secret, token_endpoint_auth_method=method, issuer=ISSUER
        )
        async with connected(auth) as call:
            who(await call("who"), client_id, client_id)


def within(check: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A check with a deadline."""

    async def bounded() -> None:
        with anyio.fail_after(180):
            await check()

    return lambda: anyio.run(bounded)


CHECKS = {
    "registers, signs in, calls, renews, and goes on in another process": signs_in,
    "asks the person again for what a tool needs more": asks_for_more,
    "acts for itself with its own secret": acts_for_itself,
}
if "OAUTH_GIVEN" in os.environ:
    CHECKS["with a given id and secret, without a registration"] = is_given
report({f"Python SDK {VERSION}: {name}": within(check) for name, check in CHECKS.items()})
