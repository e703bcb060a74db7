"""What every test of pictures has: matplotlib without windows, and nothing left over."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def clean_matplotlib() -> Iterator[None]:
    """A backend without windows; settings and figures do not reach the next test."""
    matplotlib.use("Agg")
    with matplotlib.rc_context():
        yield
    plt.close("all")
