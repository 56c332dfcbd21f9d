"""Which machines may be asked, and which links mean which of them."""

from ipaddress import ip_address

import pytest

from node.web import addresses, links, proxies
from node.web.faults import Unseen
from protocol import url

PRIVATE = (
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.0.9",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:192.168.1.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
)
PUBLIC = ("9.9.9.9", "1.1.1.1", "172.32.0.1", "2620:fe::fe", "2a00:1450:4001::1", "::ffff:9.9.9.9", "64:ff9b::909:909")


@pytest.mark.parametrize("text", PRIVATE)
def test_no_machine_that_is_near_is_asked(text: str) -> None:
    assert not addresses.is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_the_internet_is_asked(text: str) -> None:
    assert addresses.is_public(ip_address(text))


@pytest.mark.parametrize(
    ("own", "other", "is_near"),
    [
        ("9.9.9.9", "9.9.9.9", True),
        ("9.9.9.9", "9.9.9.8", False),
        ("2a00:1450:4001:1::7", "2a00:1450:4001:1:ffff::9", True),
        ("2a00:1450:4001:1::7", "2a00:1450:4001:2::7", False),
        ("::9", "0.0.0.9", False),
    ],
)
def test_what_has_our_own_address_or_shares_its_network_is_beside_us(own: str, other: str, is_near: bool) -> None:
    assert addresses.is_beside(ip_address(own), ip_address(other)) is is_near


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "router",
        "a.localhost",
        "nas.local",
        "fritz.box.lan",
        "x.home.arpa",
        "db.internal",
        "1.0.0.127.arpa",
    ],
)
def test_no_name_that_is_known_nearby_alone_is_given_to_a_proxy(name: str) -> None:
    assert not addresses.is_public_name(name)
    assert addresses.is_public_name("example.org")
    assert addresses.is_public_name("weft7k2qexample.onion")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("look: https://example.org/a?b=c#d, it is good", "https://example.org/a?b=c#d"),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)"),
        ("see HTTP://EXAMPLE.org.", "HTTP://EXAMPLE.org"),
        ("看https://例え.テスト/ページ。", "https://例え.テスト/ページ"),
        ("<https://example.org>", "https://example.org"),
        ("xhttps://example.org and https://second.example", "https://second.example"),
        ("ftp://example.org www.example.org weft:i/abc https:// http://", None),
        ("", None),
    ],
)
def test_the_first_link_of_a_text(text: str, link: str | None) -> None:
    assert links.first(text) == link


@pytest.mark.parametrize(
    ("typed", "whole", "shown"),
    [
        ("https://example.org", "https://example.org/", "example.org"),
        ("HTTPS://Example.ORG:443/A?b#c", "https://example.org/A?b", "example.org"),
        ("http://example.org:8080?q=ü", "http://example.org:8080/?q=%C3%BC", "example.org:8080"),
        ("https://straße.de/ä b".replace(" ", "%20"), "https://xn--strae-oqa.de/%C3%A4%20b", "xn--strae-oqa.de"),
        ("https://раураl.com/", "https://xn--l-7sba6dbr.com/", "xn--l-7sba6dbr.com"),
        ("http://192.0.2.1/", "http://192.0.2.1/", "192.0.2.1"),
        ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
        ("https://exa\uff4dple.org\u3002/".replace("\u3002", ""), "https://example.org/", "example.org"),
    ],
)
def test_a_link_has_one_form(typed: str, whole: str, shown: str) -> None:
    made = links.parts(typed)
    assert (made.whole, made.shown) == (whole, shown)
    assert url.parts(whole) == made


@pytest.mark.parametrize(
    "typed",
    [
        "https://good.example@evil.example/",
        "https://a:b@example.org/",
        "http://evil.example\\@good.example/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://exa mple.org/",
        "http://example.org:22/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://[::1%25eth0]/",
        "http://[::1/",
        "http://.example.org/",
        "http://example..org/",
        "http://-x.example.org/",
        "http://exa\u202emple.org/",
        "http://" + "a." * 200 + "org/",
        "http://" + "ü" * 80 + ".org/",
        "http://example.org/" + "x" * 2048,
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "http:///path",
    ],
)
def test_a_link_that_browsers_could_read_in_two_ways_is_none(typed: str) -> None:
    with pytest.raises(Unseen, match=r"\w"):
        links.parts(typed)


def test_where_a_page_leads_is_judged_anew() -> None:
    page = links.parts("https://example.org/a/b?c")
    assert links.onward(page, "../d").whole == "https://example.org/d"
    assert links.onward(page, "//other.example/x").whole == "https://other.example/x"
    for place in (
        "http://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "https://a@b.example/",
    ):
        with pytest.raises(Unseen):
            links.onward(page, place)
    assert links.onward(links.parts("http://example.org"), "https://example.org/").scheme == "https"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("socks5h://127.0.0.1:9050", "socks5h://127.0.0.1:9050"),
        ("SOCKS5H://Tor.lan:9050/", "socks5h://tor.lan:9050"),
        ("http://[::1]:8118", "http://[::1]:8118"),
    ],
)
def test_a_proxy_is_written_so(text: str, same: str) -> None:
    assert proxies.proxy_of(text).text == same


@pytest.mark.parametrize(
    "text",
    [
        "socks5://h:1",
        "socks5h://h",
        "h:1",
        "socks5h://u:p@h:1",
        "https://h:1",
        "http://h:1/x",
        "http://:1",
        "http://[:1",
    ],
)
def test_what_is_no_proxy(text: str) -> None:
    with pytest.raises(ValueError, match="socks5h://HOST:PORT"):
        proxies.proxy_of(text)
