"""The settings: what is accepted, what is not, and that a node always starts."""

import pytest

from node import config


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("listen.port", "4001", 4001),
        ("listen.port", "", 0),
        ("LISTEN.PORT ", " 0 ", 0),
        ("listen.address", "::", "::"),
        ("log.level", "error", "error"),
        ("lan.beacon", "off", False),
        ("dht.mode", "CLIENT", "client"),
        (
            "dht.bootstrap",
            " /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWNed5HdwXLt2WSWomKQLw9QsXr1KiTrwf7RaSN1H5UwdY , ",
            "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWNed5HdwXLt2WSWomKQLw9QsXr1KiTrwf7RaSN1H5UwdY",
        ),
        ("dht.bootstrap", "/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4001"),
        ("lan.beacon", "Yes", True),
        ("log.level", "DEBUG", "debug"),
        ("find.account", "no", False),
        ("find.handle", " Ana@Example.org", "ana@example.org"),
        ("find.handle", "", ""),
    ],
)
def test_what_is_accepted(name: str, text: str, value: config.Value) -> None:
    parsed = config.parse(name, text)
    assert parsed == value
    assert config.parse(name, config.text_of(parsed)) == parsed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("listen.port", "65536"),
        ("listen.port", "-1"),
        ("listen.port", "1.0"),
        ("listen.port", "٣"),
        ("listen.address", "localhost"),
        ("lan.beacon", "maybe"),
        ("dht.mode", "both"),
        ("dht.bootstrap", "192.0.2.1:4001"),
        ("dht.bootstrap", "/ip4/192.0.2.1/tcp/4001/p2p/"),
        ("log.level", "loud"),
        ("find.handle", "ab"),
        ("find.handle", "x" * 65),
    ],
)
def test_what_is_refused_says_what_would_do(name: str, text: str) -> None:
    with pytest.raises(config.BadSetting, match=name) as caught:
        config.parse(name, text)
    assert caught.value.exit == 2


def test_an_unknown_name_is_told_so() -> None:
    with pytest.raises(config.UnknownSetting) as caught:
        config.parse("listen.prot", "1")
    assert (caught.value.exit, caught.value.next) == (5, "weft config list")


def test_what_an_older_version_wrote_does_not_stop_a_node() -> None:
    values = config.effective({"listen.port": "any", "log.level": "error", "gone": "1", "lan.beacon": ""})
    assert list(values) == [setting.name for setting in config.SETTINGS]
    assert (values["listen.port"], values["log.level"], values["lan.beacon"]) == (0, "error", True)


def test_every_setting_is_explained() -> None:
    assert all(setting.doc.endswith(".") for setting in config.SETTINGS)
    assert all(
        config.parse(setting.name, config.text_of(setting.default)) == setting.default for setting in config.SETTINGS
    )
