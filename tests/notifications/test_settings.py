"""How mail is set up: by an address that says all, and with words for what is wrong (K-3, W-2)."""

import pytest

from holdfast import config
from holdfast.doctor.mail import examine_mail
from holdfast.notifications.settings import MailSettings, SmtpServer, Tls
from notifications.posting import settings_for
from notifications.sink import Sink

ENVIRONMENT = {
    "HOLDFAST_SMTP_URL": "smtp://mail.example.org",
    "HOLDFAST_MAIL_FROM": "desk@practice.test",
    "HOLDFAST_PUBLIC_URL": "https://booking.test/",
}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 587, Tls.REQUIRED)),
        ("smtp://mail.example.org:25?starttls=offered", SmtpServer("mail.example.org", 25, Tls.OFFERED)),
        ("smtp://mail.example.org?starttls=none", SmtpServer("mail.example.org", 587, Tls.NONE)),
        ("smtps://mail.example.org", SmtpServer("mail.example.org", 465, Tls.IMPLICIT)),
        ("smtp://localhost:1025", SmtpServer("localhost", 1025, Tls.OFFERED)),
        ("smtp://[::1]:1025", SmtpServer("::1", 1025, Tls.OFFERED)),
        ("smtps://a%40b:p%2Fw@mail.example.org", SmtpServer("mail.example.org", 465, Tls.IMPLICIT, "a@b", "p/w")),
    ],
)
def test_an_address_says_all_of_a_server(url: str, server: SmtpServer) -> None:
    """Scheme, port, user and `starttls` say how a server is spoken to; in secret unless it is on this machine."""
    assert SmtpServer.of_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://mail.example.org/path",
        "smtp://mail.example.org:many",
        "smtp://mail.example.org?starttls=maybe",
        "smtp://mail.example.org?starttls=implicit",
        "smtp://mail.example.org?tls=none",
        "smtp://user@mail.example.org",
        "smtp://user:hush-hush@mail.example.org?starttls=none",
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str) -> None:
    """An address that is none, or would send a password in plain text, is refused by the name of its setting."""
    with pytest.raises(config.ConfigurationError, match="HOLDFAST_SMTP_URL") as refused:
        config.read(ENVIRONMENT | {"HOLDFAST_SMTP_URL": url})
    assert "hush" not in str(refused.value)


def test_a_server_needs_a_sender_and_an_address_for_links() -> None:
    """With a server, the sender and the public address have to be there; without one nothing has to (K-3)."""
    settings = config.read(ENVIRONMENT).mail
    assert settings == MailSettings(
        SmtpServer("mail.example.org", 587, Tls.REQUIRED), "desk@practice.test", "https://booking.test", 10
    )
    assert settings.domain == "practice.test"
    for name in ("HOLDFAST_MAIL_FROM", "HOLDFAST_PUBLIC_URL"):
        lacking = {key: value for key, value in ENVIRONMENT.items() if key != name}
        with pytest.raises(config.ConfigurationError, match=name):
            config.read(lacking)
    for wrong in ("desk", "Desk <desk@practice.test>", "desk@practice.test\r\nBcc: x@y.z", "a b@c.d", "a..b@c.d"):
        with pytest.raises(config.ConfigurationError, match="HOLDFAST_MAIL_FROM"):
            config.read(ENVIRONMENT | {"HOLDFAST_MAIL_FROM": wrong})
    assert config.read({}).mail.server is None
    assert "hush" not in repr(SmtpServer.of_url("smtp://user:hush-hush@mail.example.org"))


async def test_the_doctor_greets_the_server(sink: Sink) -> None:
    """`holdfast doctor` says whether the server of mail lets us in, and what to do if not; it sends nothing (K-1)."""
    import asyncio  # noqa: PLC0415 - the doctor has a loop of its own

    well = await asyncio.to_thread(examine_mail, settings_for(sink.url))
    assert (well.check, well.level) == ("mail", "ok")
    away = await asyncio.to_thread(examine_mail, settings_for("smtp://127.0.0.1:9"))
    assert (away.level, away.message) == ("problem", "127.0.0.1:9: not_reached")
    bare = await asyncio.to_thread(examine_mail, settings_for(f"{sink.url}?starttls=required"))
    assert (bare.level, "STARTTLS" in bare.advice) == ("problem", True)
    assert examine_mail(MailSettings()).message == "not configured: no mail is sent"
    assert sink.taken() == []
