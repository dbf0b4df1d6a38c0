"""A person in front of a browser, for OAuth clients in Python, and a report of checks.

The person follows a client's link, fills in whatever forms the pages have, and says yes, until a page leads to where
the client wants to hear of it. Any authorization server will do whose pages are plain forms.
"""

import sys
import traceback
from collections.abc import Callable
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, Request, build_opener


class Form(HTMLParser):
    """The first form of a page: where it goes, its fields with their kinds, and its first button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: list[tuple[str, str, str]] = []
        self.button: tuple[str, str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = known.get("action", "")
        elif tag == "input" and "name" in known:
            self.fields.append((known["name"], known.get("type", "text"), known.get("value", "")))
        elif tag == "button" and self.button is None and "name" in known:
            self.button = (known["name"], known.get("value", ""))

    def filled(self, name: str, password: str) -> dict[str, str]:
        """What is sent when the person has filled it in, and pressed the first button."""
        by_kind = {"text": name, "password": password}
        sent = {field: by_kind.get(kind, value) for field, kind, value in self.fields}
        return sent | dict([self.button] if self.button else [])


class Stay(HTTPRedirectHandler):
    """Redirects are looked at one by one."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Person:
    """Somebody with a password. The browser remembers who signed in."""

    def __init__(self, name: str, password: str) -> None:
        self.name, self.password = name, password
        self.links: list[str] = []
        self.browser = build_opener(HTTPCookieProcessor(CookieJar()), Stay, ProxyHandler({}))

    def agree(self, link: str, callback: str) -> str:
        """Follows a client's link; the address at which the client is told."""
        self.links.append(link)
        request = Request(link)
        for _ in range(20):
            try:
                answer = self.browser.open(request, timeout=60)
            except HTTPError as other:
                answer = other
            page, url, place = answer.read().decode(), request.full_url, answer.headers.get("location")
            if place is not None:
                if urljoin(url, place).startswith(callback):
                    return urljoin(url, place)
                request = Request(urljoin(url, place))
                continue
            form = Form(page)
            if form.action is None:
                raise AssertionError(f"the way ends at {url} with {answer.status}: {page[-600:]}")
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
            sent = urlencode(form.filled(self.name, self.password)).encode()
            request = Request(urljoin(url, form.action), data=sent, headers={"Origin": origin})
        raise AssertionError("the person goes round in circles")


def report(checks: dict[str, Callable[[], None]]) -> None:
    """Runs checks by name, prints a line each and "N passed, N failed", and ends with 0 when nothing failed."""
    failed = 0
    for name, check in checks.items():
        try:
            check()
            print(f"ok    {name}", flush=True)
        except Exception:
            failed += 1
            told = traceback.format_exc().strip().replace("\n", "\n      ")
            print(f"FAIL  {name}\n      {told[-3000:]}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
