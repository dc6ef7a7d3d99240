"""Who uses the admin in its tests."""

import pytest
from django.test import Client

from tests.django.admin.test_admin import staff


@pytest.fixture
def operator(db: None) -> Client:
    """May do everything with jobs."""
    return staff("operator", "view", "change", "delete")


@pytest.fixture
def reader(db: None) -> Client:
    return staff("reader", "view")
