"""Pages: templates in a language, addresses of their assets, and headers that keep a page to itself.

A page loads scripts and styles from this server alone and has none of them within: what somebody manages to plant into
it does not run (OWASP, Content Security Policy Cheat Sheet).
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.config.compression import CompressionConfig
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware

from holdfast.kernel.languages import LANGUAGES, NAMES, translations

_STATIC = Path(str(files("holdfast") / "static"))

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'self'"
)
# Nobody shows a page of ours within theirs, unless it is made for that.
CLOSED = f"{POLICY}; frame-ancestors 'none'"

# For handlers whose answer is the same for everybody: it is sent in few bytes. A page that shows somebody's secret
# beside what an address says is not, since its length would tell of the secret (BREACH).
COMPRESSED = DefineMiddleware(
    CompressionMiddleware, config=CompressionConfig(backend="gzip", gzip_compress_level=6, minimum_size=1_000)
)

_HEADERS = {
    "Content-Security-Policy": CLOSED,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@cache
def asset(name: str) -> str | None:
    """Return the address of a file of ours, which names its content, so that browsers may keep it for good.

    None when it is not there: what comes from elsewhere is built, and pages work without it.
    """
    try:
        content = (_STATIC / name).read_bytes()
    except FileNotFoundError:
        return None
    return f"/static/{name}?v={hashlib.blake2b(content, digest_size=6).hexdigest()}"


@cache
def _environment(package: str, folder: str, language: str) -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), PackageLoader("holdfast.kernel", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words = translations(language)
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(asset=asset, language=language, languages=LANGUAGES, language_names=NAMES)
    return made


def html(package: str, folder: str, language: str, template: str, **values: Any) -> str:
    """Return a template of a package's folder, in a language, as HTML; values are escaped.

    Templates there may extend `base.html` and import the macros of `parts.html`.
    """
    return _environment(package, folder, language).get_template(template).render(**values)


def page_response(
    text: str, status: int = 200, *, policy: str | None = None, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Return HTML as an answer that no cache keeps; `policy` is what it may load and lead to, if not ours alone."""
    own = _HEADERS if policy is None else _HEADERS | {"Content-Security-Policy": policy}
    return Response(text, status_code=status, media_type="text/html", headers=own | dict(headers or {}))
