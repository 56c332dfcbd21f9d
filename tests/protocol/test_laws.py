"""Laws of every record, found through the table of kinds: what is encoded decodes to itself, and to nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Malformed
from protocol import record, wire
from tests.protocol import samples

EVERY = tuple(cls for classes in samples.places().values() for cls in classes)
BYTES_MAX = 1 << 20


@st.composite
def samples_of(draw: st.DrawFn, cls: type) -> Any:
    return samples.sample(cls, samples.Searched(draw))


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_decode_undoes_encode(cls: type, data: st.DataObject) -> None:
    rec = data.draw(samples_of(cls))
    raw = record.encode(rec)
    assert record.decode(cls, raw, len(raw)) == rec
    assert record.parse_fields(cls, record.fields(rec)) == rec
    with pytest.raises(Malformed):
        record.decode(cls, raw, len(raw) - 1)
    with pytest.raises(Malformed):
        record.decode(cls, raw + b"\x00", BYTES_MAX)
    with pytest.raises(Malformed):
        record.decode(cls, raw[:-1], BYTES_MAX)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_no_class_reads_another_kind_or_another_count_of_fields(cls: Any) -> None:
    values = record.fields(samples.sample(cls, samples.Seeded("counts")))
    for kind in (0, cls.KIND + 1, 255, None, "1", b"\x01"):
        with pytest.raises(Malformed):
            record.parse(cls, (kind, *values))
    with pytest.raises(Malformed):
        record.decode(cls, wire.encode((cls.KIND, *values, None)), BYTES_MAX)
    if values:
        with pytest.raises(Malformed):
            record.parse(cls, (cls.KIND,))


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_every_public_field_has_its_sentence(cls: Any) -> None:
    assert (cls.__doc__ or "").strip().splitlines()[0].endswith(".")
    assert all(rule for _, rule in record.rules(cls))
