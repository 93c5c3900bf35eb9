"""Consent, tokens and revocation, as Google's OAuth endpoints have them."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from threading import RLock
from typing import Any
from urllib.parse import urlencode, urlsplit

from calendars.google.discovery import Violation, scopes
from calendars.google.errors import GoogleError

# The same for all fakes of a run: what an application knows of one is what it knows of the next.
_CLIENT_SECRET = secrets.token_hex(16)

Json = dict[str, Any]
Form = dict[str, str]


class OAuthRefused(Exception):
    """An answer of the token endpoint that is an error."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


@dataclass
class Grant:
    """What an account has allowed a client."""

    email: str
    scopes: frozenset[str]
    void: bool = False


@dataclass
class _Asked:
    query: Form
    grant: Grant | None = None
    used: bool = False


@dataclass
class OAuth:
    """One client and the grants that it was given. Every account consents to what it is asked."""

    client_id: str = "holdfast.apps.googleusercontent.test"
    client_secret: str = _CLIENT_SECRET
    redirect_uris: set[str] = field(default_factory=set)
    # Who sits at the browser.
    account: str = "owner@calendar.test"
    expires_in: int = 3_599
    # Whether a renewal brings a new refresh token, and the first answer one at all.
    rotates: bool = False
    withholds_refresh_token: bool = False
    renewals: int = 0
    _codes: dict[str, _Asked] = field(default_factory=dict)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _access: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def ask(self, query: Form) -> str:
        """Return what the page of consent decides about; raises GoogleError where Google shows an error instead."""
        if query.get("client_id") != self.client_id:
            raise GoogleError(401, "invalid_client")
        if query.get("redirect_uri") not in self.redirect_uris:
            raise GoogleError(400, "redirect_uri_mismatch")
        if query.get("response_type") != "code" or not query.get("scope"):
            raise GoogleError(400, "invalid_request")
        if unknown := set(query["scope"].split()) - scopes():
            raise Violation(f"no scope: {unknown}")
        # Google does not insist on these; a client that leaves them out is wrong all the same.
        wanted = {"code_challenge_method": "S256", "access_type": "offline", "prompt": "consent"}
        for name, value in wanted.items():
            if query.get(name) != value:
                raise Violation(f"authorize: {name} is {query.get(name)!r}")
        for name in ("state", "code_challenge"):
            if not query.get(name):
                raise Violation(f"authorize: {name} is missing")
        request = secrets.token_hex(8)
        self._asked[request] = _Asked(query)
        return request

    def decide(self, request: str, *, allow: bool = True, granted: set[str] | None = None) -> str:
        """Let the person at the browser decide; return the address to which the browser goes then."""
        asked = self._asked.pop(request)
        state = {"state": asked.query["state"]}
        if not allow:
            return f"{asked.query['redirect_uri']}?{urlencode(state | {'error': 'access_denied'})}"
        allowed = frozenset(granted if granted is not None else asked.query["scope"].split())
        asked.grant = Grant(self.account, allowed)
        code = "4/" + secrets.token_hex(20)
        self._codes[code] = asked
        return f"{asked.query['redirect_uri']}?{urlencode(state | {'code': code, 'scope': ' '.join(sorted(allowed))})}"

    def token(self, form: Form, authorization: str | None) -> Json:
        """Answer the token endpoint; raises OAuthRefused."""
        self._check_client(form, authorization)
        with self._lock:
            if form.get("grant_type") == "authorization_code":
                return self._exchange(form)
            if form.get("grant_type") == "refresh_token":
                return self._renew(form)
        raise OAuthRefused("unsupported_grant_type")

    def revoke(self, token: str) -> None:
        """Void the grant of a token; raises OAuthRefused for one that is of no grant, or of a void one."""
        with self._lock:
            grant = self._refresh.get(token) or self._access.get(token, (None,))[0]
            if grant is None or grant.void:
                raise OAuthRefused("invalid_token")
            grant.void = True

    def grant(self, email: str, *granted: str) -> tuple[str, str]:
        """Give an account's grant without asking; return an access and a refresh token."""
        made = Grant(email, frozenset(granted))
        refresh = self._new_refresh(made)
        return self._new_access(made), refresh

    def bearer(self, authorization: str | None, allowing: frozenset[str]) -> Grant:
        """Return whose request it is, if one of these scopes was granted; raises GoogleError."""
        kind, _, token = (authorization or "").partition(" ")
        with self._lock:
            grant, until = self._access.get(token, (None, 0.0))
        if kind != "Bearer" or grant is None or grant.void or until < time.time():
            raise GoogleError(401, "authError")
        if not grant.scopes & allowing:
            raise GoogleError(403, "insufficientPermissions")
        return grant

    def expire_access_tokens(self) -> None:
        """Let every access token be too old."""
        with self._lock:
            self._access.clear()

    def void_grants(self) -> None:
        """Let the account take back what it has allowed."""
        with self._lock:
            for grant in self._refresh.values():
                grant.void = True

    def _exchange(self, form: Form) -> Json:
        asked = self._codes.get(form.get("code", ""))
        if asked is None or asked.grant is None:
            raise OAuthRefused("invalid_grant")
        if asked.used:
            asked.grant.void = True
            raise OAuthRefused("invalid_grant")
        if form.get("redirect_uri") != asked.query["redirect_uri"]:
            raise OAuthRefused("redirect_uri_mismatch")
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() != asked.query["code_challenge"]:
            raise OAuthRefused("invalid_grant")
        asked.used = True
        answer = self._answer(asked.grant)
        if not self.withholds_refresh_token:
            answer["refresh_token"] = self._new_refresh(asked.grant)
        return answer

    def _renew(self, form: Form) -> Json:
        grant = self._refresh.get(form.get("refresh_token", ""))
        if grant is None or grant.void:
            raise OAuthRefused("invalid_grant")
        self.renewals += 1
        answer = self._answer(grant)
        if self.rotates:
            del self._refresh[form["refresh_token"]]
            answer["refresh_token"] = self._new_refresh(grant)
        return answer

    def _answer(self, grant: Grant) -> Json:
        return {
            "access_token": self._new_access(grant),
            "expires_in": self.expires_in,
            "scope": " ".join(sorted(grant.scopes)),
            "token_type": "Bearer",
        }

    def _new_access(self, grant: Grant) -> str:
        token = "ya29." + secrets.token_hex(20)
        self._access[token] = (grant, time.time() + self.expires_in)
        return token

    def _new_refresh(self, grant: Grant) -> str:
        token = "1//" + secrets.token_hex(20)
        self._refresh[token] = grant
        return token

    def _check_client(self, form: Form, authorization: str | None) -> None:
        given = (form.get("client_id"), form.get("client_secret"))
        if authorization and authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            given = (name, secret)
        if given != (self.client_id, self.client_secret):
            raise OAuthRefused("invalid_client", 401)


def page(request: str, account: str, action: str) -> str:
    """Return the page of consent: one form, two buttons."""
    path = urlsplit(action).path
    return (
        f"<!doctype html><title>Consent</title><h1>{account}</h1><form method=post action={path}>"
        f"<input type=hidden name=request value={request}><button name=decision value=allow>Allow</button>"
        "<button name=decision value=deny>Cancel</button></form>"
    )
