"""The sources that only a browser has: pasting, and several files at once."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE
from tests.browser.steps import (
    Visit,
    cards,
    choose,
    ids,
    paste,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.conftest import DEMO, picture_bytes


def test_a_large_pasted_picture_is_taken(visit: Visit, address: str):
    from io import BytesIO

    import numpy as np
    from PIL import Image

    with Image.open(DEMO / "images" / "10005.webp") as picture:
        large = np.asarray(picture.convert("RGB").resize((1536, 2048)), np.int16)
    noise = np.random.default_rng(0).integers(-6, 7, large.shape)
    buffer = BytesIO()
    Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    assert len(buffer.getvalue()) > 4 * 2**20
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    paste(page, buffer.getvalue())
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")


def test_pasted_text_is_not_taken_for_a_picture(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    paste(page, None)
    expect(page.get_by_text("There is no picture in the clipboard")).to_be_visible()
    paste(page, picture_bytes("red", (3, 3), "PNG"))
    expect(page.get_by_text("too small")).to_be_visible()


def test_several_files_each_for_itself_and_together(visit: Visit, address: str):
    items = ["10724", "10005"]
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    choose(page, *(DEMO / "images" / f"{item}.webp" for item in items))
    expect(page.get_by_role("heading", name="Most like each of your pictures")).to_be_visible()
    expect(cards(page)).to_have_count(24)
    wait_until_drawn(page)
    assert [ids(page)[0], ids(page)[12]] == items
    before = ids(page)
    page.get_by_text("Search together", exact=True).click()
    expect(page.get_by_role("heading", name="Most like these")).to_be_visible()
    wait_for_other_cards(page, before)
    expect(cards(page)).to_have_count(12)


def test_the_same_file_twice_is_one_picture(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    picture = {
        "name": "a.webp",
        "mimeType": "image/webp",
        "buffer": (DEMO / "images" / "10005.webp").read_bytes(),
    }
    choose(page, picture, {**picture, "name": "b.webp"})
    wait_for_matches(page)
    expect(page.locator(".fr-query img")).to_have_count(1)
    expect(cards(page)).to_have_count(12)


#: Drags something over an element of the page and lets it go there.
DROP = """([selector, file, link]) => {
    const transfer = new DataTransfer();
    if (file) transfer.items.add(new File([Uint8Array.from(file)], "a.webp", {type: "image/webp"}));
    if (link) transfer.setData("text/uri-list", link);
    const target = document.querySelector(selector);
    const sent = ["dragenter", "dragover", "drop"].map(type => target.dispatchEvent(
        new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: transfer})));
    return sent.slice(1).includes(true);
}"""


def test_a_link_that_is_dropped_does_not_leave_the_page(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    page.wait_for_function("() => window.fittingRoomUpload?.listening")
    left_to_the_browser = page.evaluate(DROP, [".fr-card", None, "https://shop.example/a.jpg"])
    assert not left_to_the_browser
    expect(page.get_by_text("That was a link and no picture")).to_be_visible()


def test_a_file_is_taken_where_words_are_written(visit: Visit, address: str):
    page = visit(f"{address}/?browse=1")
    expect(page.get_by_role("searchbox", name="Find an item")).to_be_visible()
    page.wait_for_function("() => window.fittingRoomUpload?.listening")
    picture = list((DEMO / "images" / "10005.webp").read_bytes())
    assert not page.evaluate(DROP, ["input[type=search]", picture, None])
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")


def test_a_file_that_does_not_arrive_is_said(browser: Browser, address: str):
    page = browser.new_context().new_page()  # whose console will complain
    page.set_default_timeout(PATIENCE)
    page.route("**/_stcore/upload_file/**", lambda route: route.fulfill(status=500))
    page.goto(address)
    expect(cards(page)).to_have_count(12)
    choose(page, DEMO / "images" / "10005.webp")
    expect(page.get_by_text("The picture did not arrive")).to_be_visible()
    expect(page.locator(".fr-upload-status")).to_have_text("")
    page.unroute("**/_stcore/upload_file/**")
    choose(page, DEMO / "images" / "10005.webp")
    wait_for_matches(page)
    expect(page.get_by_text("The picture did not arrive")).to_have_count(0)
    page.context.close()
