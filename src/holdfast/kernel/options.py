"""OPTIONS on every path, with all that can be done there: the framework's own answer knows the first handler only."""

import re
from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.utils.path import normalize_path

from holdfast.kernel import head

_KIND_OF_PARAMETER = re.compile(r":\w+\}")


def options_of(handlers: Iterable[HTTPRouteHandler]) -> HTTPRouteHandler:
    """Return what answers OPTIONS on all paths of the handlers: which methods there are, in the header Allow."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in map(normalize_path, handler.paths):
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    allowed = {_KIND_OF_PARAMETER.sub("}", path): head.allowed(found) for path, found in methods.items()}

    @route(sorted(methods), http_method=["OPTIONS"], status_code=204)
    async def options(request: Request[Any, Any, Any]) -> Response[None]:
        return Response(None, headers={"Allow": allowed[request.scope["path_template"]]})

    return options
