"""Guards of who may: tokens, logins, keys, the matrix, and how often."""

from proof.mutations.weakening import Weakening

_GUARDS = "src/holdfast/identity/guards.py"

WEAKENINGS = (
    Weakening(
        "token of a booking",
        "the token of one booking for any other",
        "src/holdfast/booking/tokens.py",
        "return hmac.compare_digest(token.encode(), self.token(business_id, booking_id, nonce).encode())",
        "return len(token) == len(self.token(business_id, booking_id, nonce))",
        ("tests/booking/test_http_appointments.py::test_the_token_of_another_booking",),
    ),
    Weakening(
        "secret of a login's cookie",
        "a cookie with the id of a login and any secret",
        "src/holdfast/identity/logins.py",
        'proved = hmac.compare_digest(token.hash, bytes(found[0]["token_hash"]) if found else _NO_HASH)',
        "proved = bool(found)",
        ("tests/identity/test_signing_in.py::test_what_is_not_the_cookie_opens_nothing",),
    ),
    Weakening(
        "end of a login",
        "a browser that stays signed in for ever",
        "src/holdfast/identity/logins.py",
        'if not proved or not found[0]["live"]:',
        "if not proved:",
        ("tests/identity/test_signing_in.py::test_a_login_runs_out",),
    ),
    Weakening(
        "secret of an API key",
        "a key with the right id and any secret",
        "src/holdfast/identity/api_keys.py",
        'proved = hmac.compare_digest(_hash(secret), found[0]["secret_hash"] if found else _NO_HASH)',
        "proved = bool(found)",
        ("tests/identity/test_api_keys.py::test_what_is_not_the_key_opens_nothing",),
    ),
    Weakening(
        "proof against forged requests",
        "a change by whoever lures a signed-in browser, with any token",
        _GUARDS,
        'if not hmac.compare_digest((shown or "").encode(errors="replace"), token.csrf.encode()):',
        "if not shown:",
        ("tests/identity/test_csrf.py::test_a_change_needs_the_proof_of_its_page",),
    ),
    Weakening(
        "origin of a change",
        "a change that a page elsewhere makes",
        "src/holdfast/identity/cookies.py",
        'if site not in {"same-origin", "none"}:',
        "if site is None:",
        ("tests/identity/test_csrf.py::test_pages_of_others_are_refused",),
    ),
    Weakening(
        "permission before a call of staff",
        "every role to everything",
        _GUARDS,
        "if not staff.may(self.permission):",
        "if False and not staff.may(self.permission):",
        ("tests/booking/test_http_access.py::test_every_role_meets_every_route_as_the_matrix_says",),
    ),
    Weakening(
        "invitation of a user",
        "whoever writes an invitation by himself",
        "src/holdfast/identity/invitations.py",
        "return hmac.compare_digest(proof, invitation.proof) and time.time() < ends",
        "return len(proof) == len(invitation.proof) and time.time() < ends",
        ("tests/identity/test_users.py::test_what_is_no_invitation_opens_nothing",),
    ),
    Weakening(
        "guesses at a password",
        "as many guesses as somebody likes",
        "src/holdfast/identity/attempts.sql",
        "least(a.attempts, %(account_limit)s::integer) + 1",
        "least(a.attempts, %(account_limit)s::integer)",
        ("tests/identity/test_attempts.py::test_the_limit_of_an_account_is_exact",),
    ),
    Weakening(
        "writes of a client in a minute",
        "as many writes as somebody likes",
        "src/holdfast/identity/write_limits.sql",
        "least(c.writes, %(client_limit)s::integer) + 1",
        "least(c.writes, %(client_limit)s::integer)",
        ("tests/identity/test_write_limits.py::test_the_limit_is_exact_across_servers",),
    ),
    Weakening(
        "secret of the scheduler's call",
        "anybody to the cleanup",
        "src/holdfast/booking/health.py",
        "if not hmac.compare_digest(given.encode(), wanted.encode()):",
        'if not given.startswith("Bearer "):',
        ("tests/booking/test_http_operations.py::test_a_cleanup_needs_its_secret",),
    ),
)
