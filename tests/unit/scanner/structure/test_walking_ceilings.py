"""The walkers refuse by the decoder's own numbers: two stages, one truth."""

from services.scanner.structure import ceilings
from services.transcoder.domain import ceilings as decoders


def names(module: object) -> set[str]:
    return {name for name in vars(module) if name.isupper()}


def test_a_limit_of_the_same_name_is_the_same_limit() -> None:
    shared = names(ceilings) & names(decoders)
    assert len(shared) >= 10
    assert {name: getattr(ceilings, name) for name in shared} == {name: getattr(decoders, name) for name in shared}


def test_the_decoder_takes_no_larger_profile_than_metadata_may_be_in_all() -> None:
    assert decoders.MAX_ICC_BYTES <= ceilings.MAX_METADATA_BYTES
