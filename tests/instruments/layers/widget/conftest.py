"""A service without a model, for every test of a widget."""

import pytest

from tests.widgets.fake_service import FakeService


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def building_service() -> FakeService:
    """A service whose index is not complete."""
    return FakeService(ready=False)
