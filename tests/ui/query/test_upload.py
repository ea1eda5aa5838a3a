"""Files are taken once, and what was given back is passed over."""

from __future__ import annotations

import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile, UploadedFileRec

from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects, upload
from fitting_room.ui.query.session import Session, Upload


@pytest.mark.parametrize("named_again", ["in a list", "alone"])
def test_a_file_that_was_taken_is_not_taken_again(
    monkeypatch: pytest.MonkeyPatch, named_again: str
) -> None:
    """A browser that is asked for another source just after a shot names its picture once more."""
    received: list[Upload] = []
    session = Session()
    kept = UploadedFile(UploadedFileRec("2", "b.jpg", "image/jpeg", b"second"), FileURLs())
    gone = DeletedFile("1")
    monkeypatch.setattr(sessions, "current", lambda: session)
    monkeypatch.setattr(
        sessions, "chosen", lambda _: [gone, kept] if named_again == "in a list" else gone
    )
    monkeypatch.setattr(subjects, "receive", received.extend)
    upload._take("upload-0")
    assert [u.data for u in received] == ([b"second"] if named_again == "in a list" else [])
    assert session.uploads_taken == len(received)
