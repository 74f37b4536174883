import pickle

import pytest
from torch.utils.data import DataLoader, Dataset

from sound2scene.data.video import errors as video_errors
from sound2scene.data.video.errors import NoAudioError, VideoError
from sound2scene.types import InputError

ERRORS = [e for e in vars(video_errors).values() if isinstance(e, type) and issubclass(e, VideoError)]


class Deaf(Dataset[None]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise NoAudioError("a.mp4: has no sound; leave it out")


def test_every_kind_is_an_input_error_of_its_own() -> None:
    assert all(issubclass(error, InputError) for error in ERRORS)
    kinds = {error.kind for error in ERRORS if error is not VideoError}
    assert kinds == {
        "no_video",
        "no_audio",
        "silent",
        "scale",
        "too_short",
        "too_large",
        "truncated",
        "undecodable",
    }
    assert len(kinds) == len(ERRORS) - 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_goes_through_a_pickle(error: type[VideoError]) -> None:
    again = pickle.loads(pickle.dumps(error("a.mp4: why; remedy")))
    assert (type(again), str(again), again.kind) == (error, "a.mp4: why; remedy", error.kind)


def test_an_error_in_a_loaders_worker_is_still_its_one_line() -> None:
    with pytest.raises(NoAudioError) as caught:
        list(DataLoader(Deaf(), num_workers=1))
    assert str(caught.value) == "a.mp4: has no sound; leave it out"
