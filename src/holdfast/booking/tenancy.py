"""Which business a call is for: named by slug or id, or found by the id of what the call is about."""

from collections import OrderedDict
from uuid import UUID

from holdfast.booking.admission import queries
from holdfast.identity import businesses
from holdfast.identity.businesses import Business
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.about import BUSINESS_ID, note
from holdfast.kernel.database import Database
from holdfast.kernel.errors import ValidationFailed

_KEPT = 20_000


class Tenancy:
    """Finds the business of a call. Ids never change their business, so what was found once is remembered."""

    def __init__(self, database: Database, default_business: str | None) -> None:
        self._database = database
        self._default = default_business
        self._found: OrderedDict[UUID, UUID] = OrderedDict()

    async def named(self, name: str | None) -> Business:
        """Return the business with this slug or id; without a name the default one, else the only one.

        Raises UnknownBusiness (404), ValidationFailed when there are several to choose from.
        """
        wanted = name or self._default
        async with self._database.reading() as tx:
            if wanted is not None:
                business = await businesses.find(tx, wanted)
                if business is None:
                    raise UnknownBusiness
            else:
                business = await businesses.only(tx)
                if business is None:
                    raise ValidationFailed.at("business", "name the business by its slug or id")
        note(BUSINESS_ID, business.id)
        return business

    async def of(self, thing_id: UUID) -> UUID | None:
        """Return the business that a booking, schedule or service belongs to, or None when there is no such thing."""
        business_id = self._found.get(thing_id)
        if business_id is not None:
            self._found.move_to_end(thing_id)
            note(BUSINESS_ID, business_id)
            return business_id
        async with self._database.reading() as tx:
            found: UUID | None = await tx.value(queries["locate"], {"id": thing_id})
        if found is not None:
            note(BUSINESS_ID, found)
            self.remember(thing_id, found)
        return found

    def remember(self, thing_id: UUID, business_id: UUID) -> None:
        """Keep what is known already."""
        self._found[thing_id] = business_id
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)
