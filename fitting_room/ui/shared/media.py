"""Pictures as addresses that the browser keeps, instead of bytes that are sent on every rerun.

Streamlit's media store, the one behind ``st.image``, names a file by the digest of its bytes and
lets go of it with the last session that shows it. Without a server it is a data URI.

Whoever has such an address gets the picture, so that a visitor's own pictures have none: they are
data URIs, sent to their browser and to nobody else.
"""

from __future__ import annotations

import base64

from streamlit import runtime


def address(jpeg: bytes, place: str) -> str:
    """The address of the catalogue's JPEG that is shown at ``place``, a name that is unique within
    the page: what was shown there before is let go."""
    if runtime.exists():
        return str(runtime.get_instance().media_file_mgr.add(jpeg, "image/jpeg", f"fr-{place}"))
    return data_uri(jpeg)


def data_uri(jpeg: bytes) -> str:
    """A JPEG as a data URI. None is remembered here: it may be a visitor's."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
