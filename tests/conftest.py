"""What the tests share: the pair that ships, on the CPU, and settings that finish in a second."""

import pytest

import vqclip_nb as vq


@pytest.fixture(scope="session")
def pair() -> vq.Pair:
    return vq.load_pair("emoji", device="cpu")


@pytest.fixture
def small():
    """Settings of a small quick run; keywords change them."""

    def make(include="a red apple", **changes) -> vq.Settings:
        quick = dict(total_iter=6, crops=4, height=64, width=64, show_step=2)
        return vq.Settings(include=include, **{**quick, **changes})

    return make
