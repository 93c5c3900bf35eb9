"""Leads and links at the pages of staff: found without a trace, changed by whom it is for, merged knowingly (U-3, D-5)."""

from uuid import UUID

from admin.desk import PLANTED, Desk, Typed, audited, runs_planted
from holdfast.crm import leads
from holdfast.crm.contacts import Contact
from holdfast.crm.leads import Origin
from holdfast.kernel.audit import CLIENT
from journeys.browser import Page
from wording import say

PATH = "/admin/leads"


async def received(at: Desk, email: str, name: str = "Guest") -> UUID:
    """Return the lead of somebody who was in touch."""
    return await at.run(lambda tx: leads.receive(tx, Contact(email, name=name), Origin("form"), CLIENT))


async def test_a_lead_is_found_without_its_address_in_an_address(assistant: Desk) -> None:
    """A lead is found by an address that is sent as a form, so that no log of addresses ever has it; who is not there is
    said to be not (U-3, D-5).
    """
    first = await received(assistant, "first@practice.test")
    second = await received(assistant, "second@practice.test")
    found = await assistant.send(f"{PATH}/find", contact="First@practice.test")
    assert found.status_code == 200
    assert f"{PATH}/{first}" in Page(found).links
    assert f"{PATH}/{second}" not in Page(found).links
    assert "first@" not in str(found.url)
    nobody = Page(await assistant.send(f"{PATH}/find", contact="nobody@practice.test"))
    assert say("en", "Nobody is reached like that.") in nobody.text


async def test_the_list_is_narrowed(assistant: Desk) -> None:
    """The list shows whoever fits stage and source, and says when nobody does; an empty one says who comes there (U-3)."""
    assert say("en", "Nobody has been in touch yet.") in (await assistant.page(PATH)).text
    lead_id = await received(assistant, "one@practice.test")
    assert f"{PATH}/{lead_id}" in (await assistant.page(f"{PATH}?stage=new&source=form")).links
    assert say("en", "Nobody is like that.") in (await assistant.page(f"{PATH}?stage=client")).text
    assert (await assistant.get(f"{PATH}?stage=friend")).status_code == 400


async def test_a_lead_is_changed_by_whom_it_is_for(owner: Desk, assistant: Desk) -> None:
    """An assistant says how far a lead has come; whose it is says the owner alone; what happened is told in words (U-3)."""
    lead_id = await received(owner, "two@practice.test")
    shown = await assistant.done(f"{PATH}/{lead_id}", stage="contacted", version="1")
    assert "Now counts otherwise : New → In contact" in shown.text
    taken = {"stage": "contacted", "assignedTo": str(assistant.user.id), "version": "2"}
    assert (await assistant.send(f"{PATH}/{lead_id}", **taken)).status_code == 403
    assigned = await owner.done(f"{PATH}/{lead_id}", **taken)
    assert "Was assigned" in assigned.text
    stale = await assistant.send(f"{PATH}/{lead_id}", stage="lost", version="2")
    assert stale.status_code == 409
    assert "Somebody else has changed this in the meantime" in Page(stale).text
    assert (await owner.run(lambda tx: leads.find(tx, lead_id))).stage == "contacted"


async def test_notes_are_read_by_few_and_never_unseen(owner: Desk, assistant: Desk) -> None:
    """A note is kept by anybody who works with leads; its text is on no page but that of the notes, which only owners and
    whom the lead is assigned to may open, and the log says who did (D-5, D-7).
    """
    lead_id = await received(owner, "three@practice.test")
    kept = await assistant.done(f"{PATH}/{lead_id}/notes", text="Просит вечер")
    assert say("en", "The note is kept.") in kept.text
    assert "вечер" not in kept.source
    assert (await assistant.get(f"{PATH}/{lead_id}/notes")).status_code == 403
    assert "read_notes" not in await audited(owner.practice, lead_id)
    assert "вечер" in (await owner.page(f"{PATH}/{lead_id}/notes")).text
    assert (await audited(owner.practice, lead_id))[-1] == "read_notes"
    empty = await assistant.send(f"{PATH}/{lead_id}/notes", text="  ")
    assert (empty.status_code, Typed(empty.text).wrong) == (400, {"text"})


async def test_what_belongs_to_another_lead_leads_to_merging(owner: Desk) -> None:
    """A way to reach somebody that another lead has is not taken from it: the page says so and offers to compare the two;
    merged, both are one, and the former address leads to it (U-3, D-5).
    """
    first = await received(owner, "four@practice.test", "Anna")
    second = await received(owner, "five@practice.test", "Anna B.")
    refused = await owner.send(f"{PATH}/{first}/identities", kind="email", value="five@practice.test", version="1")
    compare = f"{PATH}/{first}/merge?other={second}"
    assert refused.status_code == 409
    assert compare in Page(refused).links
    both = await owner.page(compare)
    assert "Anna B." in both.text
    assert say("en", "It cannot be undone.") in both.text
    found = Page(await owner.send(f"{PATH}/{first}/merge/find", contact="five@practice.test"))
    assert compare in found.links
    merged = await owner.done(f"{PATH}/{first}/merge", other=str(second), version="1")
    assert "five@practice.test" in merged.text
    led = await owner.get(f"{PATH}/{second}")
    assert (led.status_code, led.headers["location"]) == (303, f"{PATH}/{first}?done=was_merged")


async def test_a_way_to_reach_somebody_is_added(assistant: Desk) -> None:
    """A number and a name in a messenger are added by one form, and a wrong one is refused at its field (U-3)."""
    lead_id = await received(assistant, "six@practice.test")
    path = f"{PATH}/{lead_id}/identities"
    refused = await assistant.send(path, kind="phone", value="x", version="1")
    assert (refused.status_code, Typed(refused.text).wrong) == (400, {"value"})
    await assistant.done(path, kind="phone", value="+7 900 000-00-01", version="1")
    shown = await assistant.done(path, kind="telegram", value="guest_of_ours", version="2")
    assert "+7 900 000-00-01" in shown.text
    assert "guest_of_ours" in shown.text


async def test_a_planted_name_is_shown_as_text(owner: Desk) -> None:
    """Markup in the name of a lead and in a note is shown as it was typed (U-3)."""
    lead_id = await received(owner, "seven@practice.test", f"lead {PLANTED}")
    await owner.done(f"{PATH}/{lead_id}/notes", text=f"note {PLANTED}")
    for path in (PATH, f"{PATH}/{lead_id}", f"{PATH}/{lead_id}/notes", f"{PATH}/{lead_id}/merge"):
        shown = await owner.page(path)
        assert "<script>planted()</script>" in shown.text
        assert not runs_planted(shown)


async def test_a_lead_of_another_tenant_is_not_there(owner: Desk) -> None:
    """An id of somebody else is 404 on every page and form (T-1)."""
    other = f"{PATH}/00000000-0000-4000-8000-000000000000"
    for path in ("", "/notes", "/merge"):
        assert (await owner.get(f"{other}{path}")).status_code == 404
    sent = {"kind": "email", "value": "a@practice.test", "text": "x", "version": "1", "stage": "lost"}
    for path in ("", "/notes", "/identities"):
        assert (await owner.send(f"{other}{path}", **sent)).status_code == 404
    assert (await owner.send(f"{other}/merge", other=other.rpartition("/")[2], version="1")).status_code in {400, 404}


async def test_a_link_is_made_once_and_retired(editor: Desk) -> None:
    """A link is made with its marks, a name that was given is refused at its field, and a retired one leads nowhere and
    keeps its name (D-4).
    """
    assert say("en", "There is no link yet.") in (await editor.page("/admin/links")).text
    typed = {"targetPath": "/booking/slot", "id": "flyer", "utmSource": "flyer", "utmCampaign": "autumn"}
    made = await editor.done("/admin/links", **typed)
    assert "flyer · autumn" in made.text
    again = await editor.send("/admin/links", **typed)
    assert (again.status_code, Typed(again.text).wrong) == (409, {"id"})
    assert Typed(again.text).fields["utmCampaign"] == "autumn"
    wrong = await editor.send("/admin/links", targetPath="https://elsewhere.test")
    assert (wrong.status_code, Typed(wrong.text).wrong) == (400, {"targetPath"})
    retired = await editor.done("/admin/links/flyer/retire")
    assert "retired" in retired.text
    followed = await editor.browser.http.get(f"/api/public/deep-links/flyer?business={editor.practice.slug}")
    assert followed.status_code == 404
    assert (await editor.send("/admin/links/flyer/retire")).status_code == 404
