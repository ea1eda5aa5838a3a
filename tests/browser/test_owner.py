"""The owner reviews look-alikes, in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from fitting_room.settings import Settings
from tests.browser.conftest import serve
from tests.browser.steps import Visit, wait_until_drawn
from tests.browser.test_accessibility import check


def test_groups_are_marked_and_stay_marked(
    visit: Visit, with_copies: Path, tmp_path: Path, settings: Settings
) -> None:
    first = (with_copies / "images" / "10005.webp").read_bytes()
    (with_copies / "images" / "20005.webp").write_bytes(first)
    with (with_copies / "styles.csv").open("a", encoding="utf-8") as table:
        table.write("20005,Garment 20005\n")
    own = {"cache": settings.cache, "backbone": settings.backbone, "catalogue": with_copies}
    with serve(index=tmp_path / "index", owner="1", **own) as url:
        page = visit(f"{url}/about")
        page.get_by_role("button", name="Find look-alikes").click()
        groups = page.get_by_role("heading", name="Group ")
        # Identical files come before copies.
        expect(groups).to_have_count(2)
        expect(groups.first).to_contain_text("2 items, the very same file")
        expect(groups.last).to_contain_text("4 items, the same picture in another size")
        page.get_by_role("button", name="Keep", exact=True).first.click()
        expect(page.locator(".st-key-fr-group-1").get_by_text("Kept")).to_be_visible()
        page.get_by_role("button", name="Not the same", exact=True).click()
        expect(page.get_by_role("button", name="Undo")).to_have_count(2)
        # The button of that name fades a moment longer.
        badge = page.locator(".st-key-fr-group-2 .stMarkdownBadge", has_text="Not the same")
        expect(badge).to_be_visible()
        check(page, "look-alikes to review")
        # Another visit finds the marks with the index.
        page.reload()
        page.get_by_role("button", name="Find look-alikes").click()
        expect(page.locator(".st-key-fr-group-1").get_by_text("Kept")).to_be_visible()
        wait_until_drawn(page)
        page.close()  # before its server goes
