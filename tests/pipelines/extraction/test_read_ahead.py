import threading

import pytest

from pipelines.extraction.read_ahead import parts_ahead
from tests.pipelines.squares import Squares

SOURCE = Squares(count=23)
REFERENCES = list(SOURCE.references())


class Tape(Squares):
    """Can only be read from its start to its end, by one reader."""

    def at_most(self):
        return self.count

    def parts(self):
        return [self]

    def encoded(self, references):
        reader = threading.get_ident()
        for reference in references:
            assert threading.get_ident() == reader
            yield reference, b"encoded"

    def decoded(self, result):
        reference, encoded = result
        assert encoded == b"encoded"
        return reference, threading.get_ident()


def numbers(results):
    return sorted(int(reference.location) for reference, _ in results)


@pytest.mark.parametrize("size", [1, 4, 23, 50])
@pytest.mark.parametrize("source", [SOURCE, Tape(count=23)])
def test_everything_is_read_once_and_in_order(source, size):
    assert list(parts_ahead(source, REFERENCES, size, numbers)) == list(range(23))


def test_parts_have_their_size():
    assert list(parts_ahead(SOURCE, REFERENCES, 10, lambda results: [len(list(results))])) == [10, 10, 3]
    tape = Tape(count=23)
    assert list(parts_ahead(tape, REFERENCES, 10, lambda results: [len(list(results))])) == [10, 10, 3]


def test_a_tape_is_decoded_by_other_threads():
    threads = parts_ahead(Tape(count=23), REFERENCES, 4, lambda results: [thread for _, thread in results])
    assert threading.get_ident() not in set(threads)


def test_nothing_is_read_far_ahead():
    read = []

    def noted(results):
        read.append(1)
        return list(results)

    next(parts_ahead(SOURCE, REFERENCES, 1, noted))
    assert len(read) < 10


def test_errors_are_raised():
    def fails(_):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(parts_ahead(SOURCE, REFERENCES, 4, fails))
