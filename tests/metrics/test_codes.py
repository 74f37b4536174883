import pytest
import torch

from sound2scene.metrics.codes import CodeUse


def use(*choices: int, codes: int = 4) -> dict[str, float]:
    metric = CodeUse(codes)
    for choice in choices:
        metric.update(torch.tensor([[[choice]]]))
    return metric.compute()


def test_all_codes_alike_have_a_perplexity_of_their_number_and_one_alone_of_one() -> None:
    assert use(0, 1, 2, 3) == {"codes_used": 4.0, "code_perplexity": pytest.approx(4.0)}
    assert use(2, 2, 2) == {"codes_used": 1.0, "code_perplexity": pytest.approx(1.0)}


def test_a_rare_code_counts_as_used_and_little_as_perplexity() -> None:
    found = use(*[0] * 99, 3)
    assert found["codes_used"] == 2
    assert 1 < found["code_perplexity"] < 1.1


def test_batches_add_up_and_a_reset_forgets_them() -> None:
    metric = CodeUse(4)
    metric.update(torch.tensor([[[0, 1]]]))
    metric.update(torch.tensor([[[2, 3]]]))
    assert metric.compute()["code_perplexity"] == pytest.approx(4.0)
    metric.reset()
    metric.update(torch.tensor([[[1]]]))
    assert metric.compute()["codes_used"] == 1
