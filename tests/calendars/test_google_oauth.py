"""How an owner grants access: consent, the code that comes back, and what must not be accepted."""

from dataclasses import replace
from http.client import HTTPConnection
from secrets import token_hex
from urllib.parse import parse_qsl, urlsplit

import pytest

from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from holdfast.calendars.google_oauth import EVENTS, SCOPES, GoogleOAuth
from holdfast.calendars.port import Refused, Unreachable

_BACK = "https://bookings.test/api/admin/calendars/google/callback"
_VERIFIER = "v" * 64


async def _consented(google: FakeGoogle, *, granted: set[str] | None = None) -> str:
    """Return the code with which the owner comes back."""
    google.oauth.redirect_uris.add(_BACK)
    url = GoogleOAuth(settings_of(google)).authorize_url(_BACK, "the state", _VERIFIER)
    request = google.oauth.ask(dict(parse_qsl(urlsplit(url).query)))
    back = dict(parse_qsl(urlsplit(google.oauth.decide(request, granted=granted)).query))
    assert back["state"] == "the state"
    return back["code"]


def test_consent_is_asked_for_as_google_wants_it(google: FakeGoogle) -> None:
    """Code flow with state and PKCE S256, offline and asking each time, for the least scopes; the verifier stays here
    (C-1, calendars 20).
    """
    url = GoogleOAuth(settings_of(google)).authorize_url(_BACK, "the state", _VERIFIER)
    query = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(settings_of(google).authorize_url + "?")
    assert query.pop("code_challenge") not in {"", _VERIFIER}
    assert query == {
        "client_id": google.oauth.client_id,
        "response_type": "code",
        "redirect_uri": _BACK,
        "scope": " ".join(SCOPES),
        "state": "the state",
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
    }
    assert _VERIFIER not in url


def test_a_browser_can_consent(google: FakeGoogle) -> None:
    """The page of the fake leads back with state and code, or with a refusal (C-1, calendars 20)."""
    google.oauth.redirect_uris.add(_BACK)
    url = GoogleOAuth(settings_of(google)).authorize_url(_BACK, "the state", _VERIFIER)
    for decision, told in (("allow", "code"), ("deny", "error")):
        connection = HTTPConnection("127.0.0.1", int(google.url.rpartition(":")[2]))
        connection.request("GET", url.removeprefix(google.url))
        page = connection.getresponse().read().decode()
        request = page.partition("name=request value=")[2].partition(">")[0]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/o/oauth2/v2/auth", f"request={request}&decision={decision}", headers)
        answer = connection.getresponse()
        answer.read()
        back = urlsplit(answer.headers["Location"])
        connection.close()
        assert answer.status == 302
        assert back.geturl().startswith(_BACK + "?")
        assert dict(parse_qsl(back.query)).keys() >= {"state", told}


async def test_a_code_becomes_tokens_once(google: FakeGoogle) -> None:
    """A code is exchanged for an access and a refresh token; the same code again gives nothing (C-1, calendars 20)."""
    oauth = GoogleOAuth(settings_of(google))
    code = await _consented(google)
    tokens = await oauth.exchange(_BACK, code, _VERIFIER)
    assert tokens.access_token.startswith("ya29.")
    assert tokens.refresh_token is not None
    renewed = await oauth.renew(tokens.refresh_token)
    assert renewed.refresh_token is None
    with pytest.raises(Refused):
        await oauth.exchange(_BACK, code, _VERIFIER)


@pytest.mark.parametrize(
    ("back", "verifier"),
    [(_BACK, "w" * 64), (_BACK, ""), (_BACK, "v" * 63), (_BACK + "/", _VERIFIER), ("https://else.test/", _VERIFIER)],
)
async def test_a_wrong_verifier_or_redirect_gives_no_token(google: FakeGoogle, back: str, verifier: str) -> None:
    """Who has the code but not what belongs to it gets nothing, and the error quotes neither (C-1, calendars 20)."""
    code = await _consented(google)
    with pytest.raises(Refused) as met:
        await GoogleOAuth(settings_of(google)).exchange(back, code, verifier)
    assert not [secret for secret in (code, verifier, back) if secret and secret in repr(met.value)]
    assert google.oauth._refresh == {}


async def test_another_client_gets_nothing(google: FakeGoogle) -> None:
    """A client without the right secret is refused (C-1, calendars 20)."""
    code = await _consented(google)
    settings = replace(settings_of(google), client_secret=token_hex(16))
    with pytest.raises(Refused):
        await GoogleOAuth(settings).exchange(_BACK, code, _VERIFIER)


async def test_an_owner_who_allows_too_little_is_not_connected(google: FakeGoogle) -> None:
    """Google lets owners untick what is asked for: without seeing calendars there is nothing to connect (C-1, calendars 20)."""
    code = await _consented(google, granted={EVENTS})
    with pytest.raises(Refused):
        await GoogleOAuth(settings_of(google)).exchange(_BACK, code, _VERIFIER)


async def test_an_exchange_that_breaks_can_be_told_from_a_refusal(google: FakeGoogle) -> None:
    """When Google does not answer the code has not been refused (C-1, calendars 16)."""
    oauth = GoogleOAuth(settings_of(google))
    code = await _consented(google)
    google.faults.fail(500, only="oauth")
    google.faults.cut(after=False, only="oauth")
    for _ in range(2):
        with pytest.raises(Unreachable):
            await oauth.exchange(_BACK, code, _VERIFIER)
    assert (await oauth.exchange(_BACK, code, _VERIFIER)).refresh_token is not None


async def test_an_answer_may_have_no_refresh_token(google: FakeGoogle) -> None:
    """Without a refresh token in the answer there is none in what is returned: the old one can be kept (C-1, calendars 20)."""
    google.oauth.withholds_refresh_token = True
    tokens = await GoogleOAuth(settings_of(google)).exchange(_BACK, await _consented(google), _VERIFIER)
    assert tokens.refresh_token is None
    assert tokens.access_token.startswith("ya29.")
