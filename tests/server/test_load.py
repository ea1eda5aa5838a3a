"""Many clients at once at a real server: each gets an answer, and the page answers meanwhile."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.browser.conftest import serve, wait_until_ready
from tests.conftest import SAMPLES

CLIENTS, EACH = 8, 6
PATIENCE = 120.0


def test_clients_are_answered_and_so_is_the_page(
    demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    pictures = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))]
    expected = [demo_fitting_room.search(picture, 3)[0].id for picture in pictures]

    def ask(address: str, number: int) -> list[tuple[int, str | None]]:
        answers = []
        with httpx2.Client(base_url=address, timeout=PATIENCE) as client:
            for turn in range(EACH):
                place = (number + turn) % len(pictures)
                files = {"picture": pictures[place]}
                answer = client.post("/api/v1/search", files=files, data={"n": "3"})
                first = answer.json()["matches"][0]["id"] if answer.status_code == 200 else None
                answers.append((answer.status_code, None if first == expected[place] else first))
        return answers

    with (
        serve(cache=settings.cache, backbone=settings.backbone) as address,
        httpx2.Client(base_url=address, timeout=PATIENCE) as page,
    ):
        wait_until_ready(address)
        with ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(ask, address, number) for number in range(CLIENTS)]
            while not all(each.done() for each in asking):
                assert page.get("/_stcore/health").text == "ok"
                assert "Fitting Room" in page.get("/").text
            answers = [answer for each in asking for answer in each.result()]
        figures = page.get("/metrics").text
    assert Counter(answers) == {(200, None): CLIENTS * EACH}
    assert f'route="/v1/search",status="200"}} {CLIENTS * EACH}.0' in figures
