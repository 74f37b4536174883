import torch
from torch import Tensor, nn

from sound2scene.models.ema import AveragedGenerator


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.mean


def move(net: nn.Module, by: float) -> None:
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.add_(by)


def test_the_average_follows_the_closed_form_in_parameters_and_buffers() -> None:
    net = Net()
    start = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    average = AveragedGenerator(net, decay=0.75)
    average.update(net, started=True)  # the first update copies
    for _ in range(3):
        move(net, 1.0)
        average.update(net, started=True)
    # offset after steps at 1, 2, 3: sum of 0.25 * 0.75^(3-k) * k
    offset = sum(0.25 * 0.75 ** (3 - k) * k for k in (1, 2, 3))
    for name, tensor in average.module.state_dict().items():
        assert torch.allclose(tensor, start[name] + offset, atol=1e-6), name


def test_before_the_start_the_average_equals_the_live_network() -> None:
    net = Net()
    average = AveragedGenerator(net, decay=0.9)
    for _ in range(3):
        move(net, 1.0)
        average.update(net, started=False)
        assert all(
            torch.equal(tensor, net.state_dict()[name])
            for name, tensor in average.module.state_dict().items()
        )
    move(net, 1.0)
    average.update(net, started=True)
    assert not torch.equal(average.module.mean, net.mean)


def test_a_buffer_of_whole_numbers_is_that_of_the_live_network() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = AveragedGenerator(net, decay=0.75)
    for steps in range(1, 4):
        net(torch.randn(4, 3))
        average.update(net, started=True)
        assert int(average.module[1].num_batches_tracked) == steps
    assert average.module[1].num_batches_tracked.dtype == torch.int64
    assert not torch.equal(average.module[1].running_mean, net[1].running_mean)


def test_the_average_asks_for_no_gradient_and_stays_in_eval_mode() -> None:
    average = AveragedGenerator(Net(), decay=0.9)
    nn.ModuleList([average]).train()
    assert not average.module.training
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_a_restored_average_goes_on_as_if_never_stopped() -> None:
    net = Net()
    straight, stopped = AveragedGenerator(net, 0.8), AveragedGenerator(net, 0.8)
    for average in (straight, stopped):
        average.update(net, started=True)
    again = AveragedGenerator(Net(), 0.8)
    again.load_state_dict(stopped.state_dict())
    move(net, 1.0)
    straight.update(net, started=True)
    again.update(net, started=True)
    assert torch.equal(straight.module.mean, again.module.mean)
