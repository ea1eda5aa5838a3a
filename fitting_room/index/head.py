"""A head: what a catalogue's labels teach about its embeddings, applied without torch.

A head is a small network that makes a shorter embedding of an embedding and the picture's
descriptors, in which similarity means what the labels mean. :mod:`fitting_room.learning.train`
learns it; here it is applied, and kept in a ``.safetensors`` file, which cannot run code. One comes
with the program (``scripts/train_fashion_head.py``), for catalogues that nobody trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from fitting_room.imaging.descriptors import COLOURS, DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.features import normalise
from fitting_room.util.files import sha256_of, write_atomically
from fitting_room.util.identities import plain_network

FORMAT = "fitting-room-head"
#: Format 1 named no network and hid a photograph's colours from the head.
FORMAT_VERSION, OLD_FORMAT_VERSION = 2, 1

#: The head that comes with the program, by name, and its file; and the name of having none.
FASHION, NO_HEAD = "fashion", "none"
FASHION_FILE = Path(__file__).with_name("fashion.safetensors")
#: Of that file; ``scripts/train_fashion_head.py`` says the new one.
FASHION_SHA256 = "efe91b7c5f736b84323eda5185fc33cfe4a9f515c062bb10ac2be15db5bb3e6e"

#: Descriptors that a head looks at: all but the last, which says what to make of them.
DESCRIPTOR_INPUTS = PLAIN_BACKGROUND
#: Standardised inputs are cut off here: a rare colour is no argument a hundred times as strong.
MOST_DEVIATIONS = 5.0
#: How far items are drawn towards their labels. Chosen by evaluation: docs/relevance.md.
LABEL_PULL = 0.8
#: Added under the root of a variance (Ba, Kiros and Hinton 2016); torch's own default.
NORMALISATION_EPSILON = 1e-5

ROWS_AT_ONCE = 4_096
#: Bounds of a head that is read: the file, the sides of its matrices, its columns, and its numbers,
#: so that nothing that is computed from these overflows.
MAX_HEAD_BYTES, MAX_SIDE, MAX_COLUMNS = 512 * 2**20, 2**20, 64
MOST_VALUE, LEAST_SCALE = 1e6, 1e-12

#: The arrays of a head by name, beside one ``proxies.<place>`` for each column.
_ARRAYS = (
    "mean", "scale", "hidden_weight", "hidden_bias", "norm_weight", "norm_bias", "output_weight",
    "output_bias",
)  # fmt: skip
_METADATA = "head"


class HeadError(ValueError):
    """A file that is no head, or a damaged one; says which and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A projection learned on a catalogue's labels. Immutable and safe to share between threads.

    ``(embedding (D,), descriptors) -> (E,)`` of length 1: inputs minus ``mean`` over ``scale``,
    both ``(D + DESCRIPTOR_INPUTS,)``; a hidden layer of ``H`` units with layer normalisation and
    GELU (Hendrycks and Gimpel 2016); a linear layer. All arrays are float32. ``columns`` are the
    label columns it was taught, ``labels`` the values of each and ``proxies``,
    ``(len(labels[column]), E)`` unit rows in the same order, where each value lies among the
    embeddings; ``weights`` says how much each column counts, ``record`` how it was trained.
    """

    columns: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    proxies: Mapping[str, np.ndarray]
    weights: Mapping[str, float]
    record: Mapping[str, Any]
    mean: np.ndarray
    scale: np.ndarray
    hidden_weight: np.ndarray  # (H, D + DESCRIPTOR_INPUTS)
    hidden_bias: np.ndarray  # (H,)
    norm_weight: np.ndarray  # (H,)
    norm_bias: np.ndarray  # (H,)
    output_weight: np.ndarray  # (E, H)
    output_bias: np.ndarray  # (E,)
    label_pull: float = LABEL_PULL
    network: Mapping[str, Any] | None = None
    sees_colours: bool = False

    @property
    def dimension(self) -> int:
        """E, the length of what it answers."""
        return len(self.output_bias)

    @property
    def input_dimension(self) -> int:
        """D, the length of the embeddings it takes."""
        return len(self.mean) - DESCRIPTOR_INPUTS

    def takes(self, network: Mapping[str, Any] | None) -> bool:
        """Whether it was taught with the embeddings of that network, which may be in 8 bits here. A
        head of format 1 does not say which ones it was taught with."""
        return self.network is not None and self.network == plain_network(network)

    def project(self, embeddings: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """What the head makes of pictures, float32 ``(N, E)`` with unit rows, by their embeddings,
        float32 ``(N, D)``, and descriptors, uint8 ``(N, DESCRIPTOR_LENGTH)``; of those of
        photographs the colours count at most. Raises ``ValueError`` for other shapes."""
        result = np.empty((len(embeddings), self.dimension), np.float32)
        for start in range(0, len(embeddings), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            units = self.hidden_units(embeddings[block], descriptors[block])
            result[block] = normalise(self.last_layer(units))
        return result

    def hidden_units(self, embeddings: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """What the hidden layer makes of the inputs of :meth:`project`, float32 ``(N, H)``."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.input_dimension:
            raise ValueError(f"the head takes embeddings of {self.input_dimension} dimensions")
        if descriptors.shape != (len(embeddings), DESCRIPTOR_LENGTH):
            raise ValueError(f"the head takes {DESCRIPTOR_LENGTH} descriptors of each picture")
        inputs = standardised(embeddings, descriptors, self.mean, self.scale, self.sees_colours)
        hidden = inputs @ self.hidden_weight.T + self.hidden_bias
        hidden -= hidden.mean(axis=1, keepdims=True)
        variance = np.square(hidden).mean(axis=1, keepdims=True)
        hidden /= np.sqrt(variance + NORMALISATION_EPSILON)
        hidden *= self.norm_weight
        hidden += self.norm_bias
        return _gelu(hidden)

    def last_layer(self, units: np.ndarray) -> np.ndarray:
        """What the last layer makes of hidden units, float32 ``(N, E)``, of any length."""
        return np.asarray(units @ self.output_weight.T + self.output_bias, np.float32)

    def project_items(
        self, embeddings: np.ndarray, descriptors: np.ndarray, items: pd.DataFrame
    ) -> np.ndarray:
        """:meth:`project` and :meth:`draw` for the catalogue's own ``N`` ``items``."""
        return self.draw(self.project(embeddings, descriptors), items)

    def draw(self, projected: np.ndarray, items: pd.DataFrame) -> np.ndarray:
        """Items drawn towards the proxies of the labels that the catalogue gives them, float32
        ``(N, E)`` with unit rows: what it calls navy blue should be found among what is, even if
        the picture could be black. A label that is missing or was not taught draws nowhere."""
        drawn = np.array(projected, np.float32)
        for column in self.columns:
            if column not in items:
                continue
            places = places_of(items[column], self.labels[column])
            known = np.flatnonzero(places >= 0)
            pull = np.float32(self.label_pull * self.weights[column])
            drawn[known] += pull * self.proxies[column][places[known]]
        return normalise(drawn)

    # --- on disk ------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the head as a ``.safetensors`` file, whole or not at all. Matrices are kept in 16
        bits, half of what they would take and as good: read it again to compute as others will."""
        from safetensors.numpy import save

        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"proxies.{place}": self.proxies[c] for place, c in enumerate(self.columns)}
        kinds = {name: np.float16 if a.ndim == 2 else np.float32 for name, a in arrays.items()}
        description = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "columns": [
                {"name": c, "weight": float(self.weights[c]), "labels": list(self.labels[c])}
                for c in self.columns
            ],
            "label_pull": self.label_pull,
            "network": None if self.network is None else dict(self.network),
            "sees_colours": self.sees_colours,
            "record": dict(self.record),
        }
        text = json.dumps(description, ensure_ascii=False, allow_nan=False)
        data = save(
            {name: np.ascontiguousarray(array, kinds[name]) for name, array in arrays.items()},
            metadata={_METADATA: text},
        )
        write_atomically(path, data)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read a head. Raises :class:`HeadError` when the file is not there or is no head."""
        try:
            description, arrays = _read(path)
            columns, record = _columns(description), description["record"]
            if not isinstance(record, dict):
                _refuse("its record is no object")
            head = cls(
                columns=tuple(name for name, _, _ in columns),
                labels={name: labels for name, _, labels in columns},
                weights={name: weight for name, weight, _ in columns},
                proxies={c[0]: arrays.pop(f"proxies.{i}") for i, c in enumerate(columns)},
                record=record,
                label_pull=_number(description["label_pull"], "label_pull"),
                network=_network(description.get("network")),
                sees_colours=description.get("sees_colours") is True,
                **{name: arrays.pop(name) for name in _ARRAYS},
            )
            _check(head)
            if arrays:
                _refuse(f"it holds {min(arrays)!r:.60}, which no head has")
        except (KeyError, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)[:300]
            raise HeadError(
                f"{path}: this is no head that can be used ({reason}). Train again: "
                "fitting-room train CATALOGUE --index INDEX"
            ) from error
        return head


def head_named(name: str) -> Head | None:
    """The head of that name, :data:`FASHION` or none for :data:`NO_HEAD`, or in that file. Its
    record has its ``name``. Raises :class:`HeadError`."""
    if name == NO_HEAD:
        return None
    if name == FASHION:
        _check_packaged()
    head = Head.load(FASHION_FILE if name == FASHION else Path(name))
    if head.network is None:
        raise HeadError(
            f"{name}: this head does not say which network's embeddings it takes. Train it again: "
            "fitting-room train CATALOGUE --index INDEX --save-head FILE"
        )
    return replace(head, record={**head.record, "name": Path(name).name})


def _check_packaged() -> None:
    """Raise :class:`HeadError` unless the packaged head is the one that was packed."""
    try:
        actual = sha256_of(FASHION_FILE)
    except OSError as error:
        actual = str(error)
    if actual != FASHION_SHA256:
        raise HeadError(
            f"{FASHION_FILE}: this is not the head that comes with the program ({actual[:100]}, "
            f"expected sha256 {FASHION_SHA256[:12]}...). Install the program again, or name "
            f"another head, or none: --head {NO_HEAD}"
        )


def is_trained_here(head: Head) -> bool:
    """Whether a head was trained on the index's own catalogue rather than brought from outside."""
    return "name" not in head.record


def sources_of(head: Head) -> list[str]:
    """What a head from outside says that it was trained on."""
    sources = head.record.get("sources")
    if is_trained_here(head) or not isinstance(sources, dict):
        return []
    return [f"{source!s:.100}" for source in list(sources)[:10]]


def same_heads(first: Head | None, second: Head | None) -> bool:
    """Whether two heads, if they are any, were trained by the same training."""
    records = [None if head is None else dict(head.record) for head in (first, second)]
    return records[0] == records[1]


def standardised(
    embeddings: np.ndarray,
    descriptors: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    sees_colours: bool = False,
) -> np.ndarray:
    """A head's inputs, float32 ``(N, D + DESCRIPTOR_INPUTS)``: embeddings and descriptors minus
    ``mean`` over ``scale``, cut off at :data:`MOST_DEVIATIONS`. Photographs have 0 for what their
    surroundings spoil: all descriptors, or with ``sees_colours`` all but the colours."""
    inputs = np.empty((len(embeddings), len(mean)), np.float32)
    dimension = embeddings.shape[1]
    inputs[:, :dimension] = embeddings
    np.divide(descriptors[:, :DESCRIPTOR_INPUTS], np.float32(255), out=inputs[:, dimension:])
    inputs -= mean
    inputs /= scale
    np.clip(inputs, -MOST_DEVIATIONS, MOST_DEVIATIONS, out=inputs)
    photographs = descriptors[:, PLAIN_BACKGROUND] == 0
    inputs[photographs, dimension + (COLOURS.stop if sees_colours else 0) :] = 0
    inputs[~descriptors[:, COLOURS].any(axis=1), dimension:] = 0  # nothing is known of them
    return inputs


def places_of(values: pd.Series, labels: Sequence[str]) -> np.ndarray:
    """Where each value stands in ``labels``, int64 ``(N,)``; -1 for one that is missing or not
    there."""
    places = values.map({label: place for place, label in enumerate(labels)})
    return places.astype("float64").fillna(-1).to_numpy(np.int64)


def _gelu(values: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return np.asarray(values * ndtr(values), np.float32)


# --- reading what anybody may have written ----------------------------------------------------


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        _refuse("there is no such file")
    if path.stat().st_size > MAX_HEAD_BYTES:
        _refuse(f"it is larger than {MAX_HEAD_BYTES / 2**20:.0f} MB")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_METADATA)
            names = list(file.keys())
            if text is None or len(names) > len(_ARRAYS) + MAX_COLUMNS:
                _refuse("it holds something else")
            arrays = {name: np.array(file.get_tensor(name)) for name in names}
    except SafetensorError as error:
        raise ValueError(f"it is damaged: {error}") from error
    description = json.loads(text, parse_constant=lambda word: _refuse(f"{word} is no number"))
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        _refuse("it holds something else")
    version = description.get("format_version")
    if version not in (FORMAT_VERSION, OLD_FORMAT_VERSION) or isinstance(version, bool):
        _refuse(f"it has format {version!r:.20}, this program reads {FORMAT_VERSION}")
    for name, array in arrays.items():
        if array.dtype not in (np.float16, np.float32):
            _refuse(f"{name!r:.60} holds other things than numbers of 16 or 32 bits")
        arrays[name] = array.astype(np.float32)
        # Written so that it is false of what is no number at all.
        if not (np.abs(arrays[name]) <= MOST_VALUE).all():
            _refuse(f"{name!r:.60} holds other things than numbers of a sensible size")
    return description, arrays


def _network(value: object) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        _refuse("its network is no object")
    return value


def _columns(description: dict[str, Any]) -> list[tuple[str, float, tuple[str, ...]]]:
    columns = []
    for entry in description["columns"]:
        name, labels = entry["name"], entry["labels"]
        if not isinstance(name, str) or not isinstance(labels, list):
            _refuse("a column has no name or no list of labels")
        if not all(isinstance(label, str) for label in labels) or len(set(labels)) != len(labels):
            _refuse(f"the labels of {name!r:.60} are not all texts, or one occurs twice")
        columns.append((name, _number(entry["weight"], "weight"), tuple(labels)))
    if not 0 < len({name for name, _, _ in columns}) == len(columns) <= MAX_COLUMNS:
        _refuse(f"it must have 1 to {MAX_COLUMNS} different columns")
    return columns


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        _refuse(f"{name} is no number from 0 to 100")
    return float(value)


def _check(head: Head) -> None:
    """Raise ``ValueError`` unless all arrays fit each other."""
    inputs, hidden, output = head.mean.size, head.hidden_bias.size, head.output_bias.size
    if inputs <= DESCRIPTOR_INPUTS or min(hidden, output) < 1 or max(inputs, hidden) > MAX_SIDE:
        _refuse(f"it has layers of {inputs}, {hidden} and {output} numbers")
    shapes = {
        "mean": (inputs,), "scale": (inputs,), "hidden_weight": (hidden, inputs),
        "hidden_bias": (hidden,), "norm_weight": (hidden,), "norm_bias": (hidden,),
        "output_weight": (output, hidden), "output_bias": (output,),
    }  # fmt: skip
    arrays = [(name, getattr(head, name), shape) for name, shape in shapes.items()]
    for column, proxies in head.proxies.items():
        arrays.append((f"proxies of {column}", proxies, (len(head.labels[column]), output)))
    for name, array, shape in arrays:
        if array.shape != shape:
            _refuse(f"{name[:60]} has the shape {array.shape}, not {shape}")
    if not (head.scale >= LEAST_SCALE).all():
        _refuse("a scale is not above 0")
