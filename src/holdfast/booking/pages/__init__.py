"""The pages on which a client books: plain HTML that works without JavaScript (U-1).

Choose a service, with whom, a day and a time in one's own zone, or a date of a group; the place is held while the
details are typed; confirmed. A GET never changes anything; a form that is sent twice has one effect. Scripts make it
quicker, and nothing depends on them.
"""

from litestar.handlers import HTTPRouteHandler

from holdfast.booking.pages import choosing, holding, manage, offer, paying, waiting

handlers: list[HTTPRouteHandler] = [
    *choosing.handlers,
    *holding.handlers,
    *waiting.handlers,
    *offer.handlers,
    *paying.handlers,
    *manage.handlers,
]
