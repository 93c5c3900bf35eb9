"""Staff of the demo business at their browsers: pages opened, forms sent as they were served."""

from typing import Self

import httpx

from booking.served import Clients
from journeys.browser import Form, Page


class Desk:
    """A browser of staff, whose pages are in a language."""

    def __init__(self, clients: Clients, headers: dict[str, str], lang: str) -> None:
        self.clients = clients
        self._http = httpx.Client(
            base_url=clients.http.base_url,
            headers=headers | {"Accept-Language": lang},
            timeout=30,
            follow_redirects=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def open(self, path: str, **query: str) -> Page:
        """Open an address."""
        return Page(self._http.get(path, params=query or None))

    def form(self, page: Page, ending: str) -> Form:
        """Return the form of a page that changes something at an address with this ending, the last of them."""
        return [
            form for form in page.forms if form.method == "post" and form.action.partition("#")[0].endswith(ending)
        ][-1]

    def send(self, page: Page, ending: str, **typed: str) -> Page:
        """Send a form of a page with what was typed."""
        form = self.form(page, ending)
        return Page(self._http.post(form.action, data={**form.fields, **typed}))

    def post(self, path: str, **typed: str) -> httpx.Response:
        """Send a form that no page has shown."""
        return self._http.post(path, data=typed)
