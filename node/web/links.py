"""The link in a text, in the one form of addresses (protocol/url.py); what does not fit is refused. Pure."""

import re
from ipaddress import IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import idna

from node.web.faults import Unseen
from protocol import url
from protocol.url import Parts

_LINK = re.compile(r"(?<![0-9a-z])https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER = ".,;:!?'*_~)]}»”’…。，、！？；：）】》」』"  # what a sentence puts behind a link
_PAIRS = {")": "(", "]": "[", "}": "{"}
_KEPT = "".join(map(chr, range(0x21, 0x7F)))  # of path and query: what stands there stays as it is
_PORT_MIN = 1024  # below it are services that are no web: besides 80 and 443 none of them is asked


def first(text: str) -> str | None:
    """The first link to a page in a text, as it was typed; None where there is none."""
    found = _LINK.search(text)
    if found is None:
        return None
    link = found[0]
    while link[-1] in _AFTER and not (link[-1] in _PAIRS and link.count(_PAIRS[link[-1]]) >= link.count(link[-1])):
        link = link[:-1]
    return link


def parts(typed: str) -> Parts:
    """The parts of an address that somebody typed, or a server named. Raises: Unseen."""
    if len(typed) > url.URL_BYTES_MAX:
        raise Unseen("the link is too long")
    if not typed.isprintable() or " " in typed:
        raise Unseen("the link has signs in it that no link has")
    try:
        split = urlsplit(typed)
        scheme, host, port = split.scheme.lower(), split.hostname or "", split.port
        path, query = quote(split.path or "/", safe=_KEPT), quote(split.query, safe=_KEPT)
    except ValueError:
        raise Unseen("this is no link that weft understands") from None
    if scheme not in url.PORTS:
        raise Unseen("only http and https are looked at")
    if split.username is not None or split.password is not None:
        raise Unseen("the link has a user name in it")
    number = url.PORTS[scheme] if port is None else port
    if number < _PORT_MIN and number not in url.PORTS.values():
        raise Unseen(f"port {number} is not of the web")
    made = Parts(scheme, _host(host), number, f"{path}?{query}" if query else path)
    if url.parts(made.whole) is None:
        raise Unseen("this is no link that weft understands")
    return made


def onward(before: Parts, location: str) -> Parts:
    """Where a page leads to. Raises: Unseen, also for what leads from a sealed line to an open one."""
    try:
        after = parts(urljoin(before.whole, location.strip()))
    except ValueError:
        raise Unseen("the site leads to something that is no link") from None
    if before.scheme == "https" and after.scheme == "http":
        raise Unseen("the site leads from https to http")
    return after


def _host(host: str) -> str:
    """A host in ASCII, as browsers ask for it; IPv6 without brackets. Raises: Unseen."""
    if len(host) > url.HOST_CHARS_MAX:
        raise Unseen("the name of the site is too long")
    try:
        if ":" in host:
            return str(IPv6Address(host))
        if host.isascii():
            return host
        return idna.encode(host, uts46=True).decode()
    except ValueError:  # idna's own are of it
        raise Unseen("the name of the site is none that can be asked for") from None
