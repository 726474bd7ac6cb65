"""What a worker says about its machine."""

from __future__ import annotations

from backend import catalog, devices, system


def test_the_device_comes_in_words():
    text = bytes(system.device({}, None)["text"]).decode()
    assert text == devices.describe(catalog.default_device())
    assert text.startswith(("CPU", "GPU"))
