"""The REST service behind tests/clients/bridges/clients.yaml: two items and an echo of the credential.

Listens on a free loopback port, writes that port to the file named by the only argument, and serves until it is ended.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Text and not a dict: the serial must leave as these digits, and no note must stay a null.
ITEMS = {
    "7": '{"id":7,"title":"Brass gear","labels":["small","yellow"],"note":null,"serial":9007199254740993}',
    "8": '{"id":8,"title":"Steel pin","labels":[],"note":"by the box","serial":8}',
}
BRIDGE_KEY = os.environ["CLIENTS_KEY"]


class Handler(BaseHTTPRequestHandler):
    """Answers GET only; everything is JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, body = self.answer(path)
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def answer(self, path: str) -> tuple[int, str]:
        """The status and the JSON text for a path."""
        key_seen = any(BRIDGE_KEY in value for value in self.headers.values())
        if path == "/relay/whoami":
            # The server masks a credential that comes back, so what came is said and not shown.
            is_theirs = self.headers.get("Authorization") == os.environ["CLIENTS_UPSTREAM_TOKEN"]
            echo = {"upstream_token_seen": is_theirs, "bridge_key_seen": key_seen}
            return 200, json.dumps(echo)
        # The items need no credential, so one that arrives has leaked.
        if key_seen or "Authorization" in self.headers or "X-Upstream-Token" in self.headers:
            return 500, '{"error":"a credential reached a service that asks for none"}'
        if path == "/items":
            return 200, "[" + ",".join(ITEMS.values()) + "]"
        item = ITEMS.get(path.removeprefix("/items/"))
        if item is None:
            return 404, '{"error":"no such item"}'
        return 200, item

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the requests carry credentials and the checks say what was wrong."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port_file = Path(sys.argv[1])
    # Renamed into place, so that whoever waits for the file never reads half a number.
    draft = port_file.with_suffix(".draft")
    draft.write_text(str(server.server_port))
    draft.rename(port_file)
    server.serve_forever()


main()
