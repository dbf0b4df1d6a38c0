"""Authlib against the authorization server inside: every grant, to the letter of its RFCs."""

import json
import os
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

# The server is on this machine, where there is no TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import httpx2 as httpx  # noqa: E402
from authlib.common.security import generate_token  # noqa: E402
from authlib.integrations.base_client import OAuthError  # noqa: E402
from authlib.integrations.httpx_client import OAuth2Client  # noqa: E402
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # noqa: E402

from person import Person, report  # noqa: E402

ENDPOINT, ISSUER, CALLBACK = (os.environ[f"OAUTH_{name}"] for name in ("ENDPOINT", "ISSUER", "CALLBACK"))
READ, WRITE = os.environ["OAUTH_SCOPES"].split()
JOB, GIVEN = (os.environ[name].split() for name in ("OAUTH_JOB", "OAUTH_GIVEN"))
METHODS = ("client_secret_basic", "client_secret_post")
SERVER = httpx.get(f"{ISSUER}/.well-known/oauth-authorization-server").json()
ADA = Person("ada", os.environ["OAUTH_PASSWORD"])


def same(actual: object, wanted: object) -> None:
    """Unlike `assert`, this also holds under `python -O`."""
    if actual != wanted:
        raise AssertionError(f"{actual!r} and not {wanted!r}")


def who(token: dict[str, str]) -> object:
    """Whom the server takes the holder of a token for; its status where it takes it for nobody."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who", "arguments": {}}}
    headers = {"authorization": f"Bearer {token['access_token']}", "accept": "application/json, text/event-stream"}
    answer = httpx.post(ENDPOINT, json=message, headers=headers)
    return answer.json()["result"]["content"][0]["text"] if answer.status_code == 200 else answer.status_code


def judged(token: str) -> dict[str, object]:
    """What the server says a token is worth."""
    judge = OAuth2Client(*JOB, token_endpoint_auth_method="client_secret_post")
    return judge.introspect_token(SERVER["introspection_endpoint"], token=token).json()


def refused(attempt: object, code: str) -> None:
    """Runs what must fail with this code."""
    try:
        attempt()
    except OAuthError as fault:
        same(fault.error, code)
    else:
        raise AssertionError(f"this had to be refused with {code}")


def metadata_is_valid() -> None:
    text = json.dumps(SERVER).replace(ISSUER, "https://mcp.example.com")
    AuthorizationServerMetadata(json.loads(text)).validate()


def with_a_code() -> None:
    for method in METHODS:
        options = {"scope": READ, "redirect_uri": CALLBACK, "code_challenge_method": "S256"}
        client = OAuth2Client(*GIVEN, token_endpoint_auth_method=method, **options)
        verifier = generate_token(48)
        link, state = client.create_authorization_url(
            SERVER["authorization_endpoint"], code_verifier=verifier, resource=ENDPOINT
        )
        told = ADA.agree(link, CALLBACK)
        same(parse_qs(urlsplit(told).query)["iss"], [ISSUER])

        def exchange(verifier: str) -> dict[str, str]:
            told_at = {"authorization_response": told, "state": state}
            return client.fetch_token(SERVER["token_endpoint"], code_verifier=verifier, **told_at)

        refused(lambda: exchange(generate_token(48)), "invalid_grant")
        first = dict(exchange(verifier))
        same((first["token_type"], first["scope"], who(first)), ("Bearer", READ, f"ada by {GIVEN[0]}"))
        second = dict(client.refresh_token(SERVER["token_endpoint"], refresh_token=first["refresh_token"]))
        same(who(second), f"ada by {GIVEN[0]}")
        same(first["refresh_token"] == second["refresh_token"], False)
        worth = judged(second["access_token"])
        same([worth[name] for name in ("active", "sub", "client_id", "scope")], [True, "ada", GIVEN[0], READ])
        same(judged("made up"), {"active": False})
        gone = client.revoke_token(SERVER["revocation_endpoint"], token=second["refresh_token"])
        same(gone.status_code, 200)
        same((who(second), judged(second["access_token"])), (401, {"active": False}))
        refused(
            lambda: client.refresh_token(SERVER["token_endpoint"], refresh_token=second["refresh_token"]),
            "invalid_grant",
        )
        refused(lambda: exchange(verifier), "invalid_grant")


def for_itself() -> None:
    for method in METHODS:
        client = OAuth2Client(*JOB, token_endpoint_auth_method=method)
        token = dict(client.fetch_token(SERVER["token_endpoint"], grant_type="client_credentials"))
        same((who(token), "refresh_token" in token), (f"{JOB[0]} by {JOB[0]}", False))
        narrow = OAuth2Client(*JOB, token_endpoint_auth_method=method, scope=READ)
        token = dict(narrow.fetch_token(SERVER["token_endpoint"], grant_type="client_credentials"))
        same(token["scope"], READ)
        wrong = OAuth2Client(JOB[0], GIVEN[1], token_endpoint_auth_method=method)
        refused(lambda: wrong.fetch_token(SERVER["token_endpoint"], grant_type="client_credentials"), "invalid_client")
        other = OAuth2Client(*GIVEN, token_endpoint_auth_method=method)
        ways = {"grant_type": "client_credentials"}
        refused(lambda: other.fetch_token(SERVER["token_endpoint"], **ways), "unauthorized_client")


CHECKS = {
    "the metadata is what RFC 8414 wants": metadata_is_valid,
    "code with PKCE, refresh, introspection, revocation": with_a_code,
    "a client acts for itself": for_itself,
}
report({f"Authlib {version('authlib')}: {name}": check for name, check in CHECKS.items()})
