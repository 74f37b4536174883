import json
import platform

import torch

from sound2scene import machine

CPU = torch.device("cpu")


def test_the_kind_of_a_machine_holds_no_name_of_it() -> None:
    found = machine.host()
    assert found["system"] == platform.system()
    assert found["cores"] >= 1
    assert found["memory_gib"] is None or found["memory_gib"] > 0.1
    assert platform.node() not in json.dumps(found).split('"')


def test_the_model_of_a_processor_is_that_of_its_device() -> None:
    assert machine.device_model(CPU) == machine.cpu_model() == machine.host()["cpu"] != ""


def test_peak_memory_is_what_this_process_held_and_a_processor_has_none_of_its_own() -> None:
    held = torch.ones(50 * 2**20)  # 200 MiB
    peak = machine.peak_host_gib()
    assert peak is None or 0.19 < peak < 1000
    assert len(held)
    assert machine.peak_device_gib(CPU) is None
