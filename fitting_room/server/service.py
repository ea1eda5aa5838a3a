"""What all requests of the API share: the opened index, threads, limits, figures."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from contextlib import suppress

from fitting_room.facade import FittingRoom
from fitting_room.preparation import EXPECTED, Preparation, Shared
from fitting_room.search.facets import Choice, choices_of
from fitting_room.server.figures import Figures
from fitting_room.server.problems import Problem
from fitting_room.server.work import Work
from fitting_room.settings import PREFIX, Settings, SettingsError
from fitting_room.util.threads import cores

_log = logging.getLogger(__name__)
#: Searches that may wait for a thread, pictures and other short answers, changes of the catalogue.
SEARCHES_WAITING, SHORT_WAITING, CHANGES_WAITING = 64, 256, 4
#: Seconds that a change of the catalogue may take: it writes a version of all of it.
CHANGE_PATIENCE = 600.0
#: Fewer letters than these can be guessed.
SHORTEST_TOKEN = 16
#: A file of tokens is not read beyond this.
LARGEST_FILE = 2**16


class Service:
    """``prepared`` gives the preparation that the page shares, ``is_local`` says that only this
    machine reaches the server."""

    def __init__(
        self, prepared: Callable[[], Preparation], settings: Settings, *, is_local: bool
    ) -> None:
        self._prepared, self.settings, self.is_local = prepared, settings, is_local
        self.tokens: tuple[bytes, ...] = ()
        self._read_only = f"This server changes nothing: {PREFIX}API_TOKENS names no token."
        try:
            self.tokens = tokens_of(settings)
        except SettingsError as error:  # searching goes on, and nobody changes anything
            _log.error("%s", error)
            self._read_only = "This server changes nothing: its tokens are wrong, as its log says."
        self.figures = Figures()
        self.figures.counts_items(self._count)
        patience = settings.api_timeout
        self.searching = Work(
            "api-search", places=cores(), waiting=SEARCHES_WAITING, patience=patience
        )
        # Of their own, so that a picture for a page does not wait for searches.
        self.showing = Work("api-show", places=2, waiting=SHORT_WAITING, patience=patience)
        self.changing = Work(
            "api-change", places=1, waiting=CHANGES_WAITING, patience=CHANGE_PATIENCE
        )
        self._choices: tuple[str, list[Choice]] | None = None

    def shared(self) -> Shared:
        """The index as it is on disk now. Raises ``Problem`` until there is one, and where it
        turned out to be damaged ``IndexUnusable``."""
        try:
            preparation = self._prepared()
        except SettingsError as error:
            raise Problem("unusable-catalogue", str(error)) from error
        if not preparation.result.done():
            raise Problem("not-ready", "The catalogue is being opened. Try again in a moment.")
        failure = preparation.result.exception()
        if failure is not None:
            unknown = "Something went wrong inside. The server's log says more."
            reason = failure if isinstance(failure, EXPECTED) else unknown
            raise Problem("unusable-catalogue", f"The catalogue cannot be shown. {reason}")
        preparation.refresh()
        shared = preparation.shared
        shared.fitting_room.index.require_sound()
        return shared

    def fitting_room(self) -> FittingRoom:
        """See :meth:`shared`."""
        return self.shared().fitting_room

    def choices(self, fitting_room: FittingRoom) -> list[Choice]:
        """The columns that offer a choice, found once for a version of the index."""
        version, known = fitting_room.index.version, self._choices
        if known is None or known[0] != version:
            known = version, choices_of(fitting_room.index, fitting_room.attributes)
            self._choices = known
        return known[1]

    def _count(self) -> float:
        with suppress(SettingsError, *EXPECTED):
            preparation = self._prepared()
            if preparation.result.done():
                return float(preparation.shared.fitting_room.index.item_count)
        return 0.0

    def require_token(self, given: str | None) -> None:
        """Raise ``Problem`` unless a token of this server's was given. How long that takes says
        nothing of how much of it was right."""
        if not self.tokens:
            raise Problem("read-only", self._read_only)
        of_given = (given or "").encode()
        right = [hmac.compare_digest(of_given, token) for token in self.tokens]
        if not any(right):
            what = "is not one of this server's" if given else "is needed"
            raise Problem("no-token", f"A token {what}.", headers={"WWW-Authenticate": "Bearer"})

    def close(self) -> None:
        """Let go of the threads."""
        for work in (self.searching, self.showing, self.changing):
            work.close()


def tokens_of(settings: Settings) -> tuple[bytes, ...]:
    """The tokens that the settings and their file name. Raises ``SettingsError``, which names no
    token."""
    text = settings.api_tokens
    if settings.api_tokens_file is not None:
        try:
            with settings.api_tokens_file.open("rb") as file:
                text += "\n" + file.read(LARGEST_FILE).decode("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SettingsError(
                f"{PREFIX}API_TOKENS_FILE={settings.api_tokens_file}: cannot be read ({reason})."
            ) from error
    tokens = tuple(dict.fromkeys(token.encode() for token in text.split()))
    if any(len(token) < SHORTEST_TOKEN for token in tokens):
        raise SettingsError(
            f"{PREFIX}API_TOKENS: a token has fewer than {SHORTEST_TOKEN} letters. Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return tokens
