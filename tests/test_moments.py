import torch

from sound2scene.moments import windows


def test_a_window_is_centred_on_its_second() -> None:
    waveform_T = torch.arange(160_000.0)
    found_ST = windows(waveform_T, torch.tensor([2.0, 5.5], dtype=torch.float64), 1.0)
    assert found_ST.shape == (2, 16_000)
    assert torch.equal(found_ST[0], waveform_T[24_000:40_000])
    assert torch.equal(found_ST[1], waveform_T[80_000:96_000])


def test_beyond_both_ends_is_silence() -> None:
    waveform_T = torch.ones(16_000)
    first_T, last_T, beyond_T = windows(waveform_T, torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), 1.0)
    assert first_T[:8_000].sum() == 0
    assert first_T[8_000:].sum() == 8_000
    assert last_T[:8_000].sum() == 8_000
    assert last_T[8_000:].sum() == 0
    assert beyond_T.sum() == 0


def test_each_step_of_a_tenth_of_a_second_moves_the_window_by_1600_samples() -> None:
    waveform_T = torch.arange(48_000.0)
    second_S = torch.arange(10, 20, dtype=torch.float64) / 10
    assert windows(waveform_T, second_S, 0.5)[:, 0].diff().tolist() == [1600.0] * 9
