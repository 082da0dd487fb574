"""Fixtures of the black-box tests.

``site`` is a running server of the common tree (``support.sites.FILES``), once for each form
a site comes in: what holds for a packed archive has to hold for any tar and for a directory.
"""

from collections.abc import Iterator

import pytest
from support import sites
from support.proxying import Front, by_field
from support.server import Server, running


@pytest.fixture(scope="session", params=sites.KINDS)
def kind(request: pytest.FixtureRequest) -> sites.Kind:
    """Which form the site of this test comes in."""
    form: sites.Kind = request.param
    return form


@pytest.fixture(scope="session")
def site(kind: sites.Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of ``support.sites.FILES`` with one worker and default options."""
    path = sites.make(kind, tmp_path_factory.mktemp(kind))
    with running(path, "--threads", "1", "--access-log", "off") as server:
        yield server


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server that passes each request on to the upstream it names."""
    with by_field(tmp_path_factory.mktemp("front")) as front:
        yield front


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--bless``: literate tests write what is right into their pages."""
    parser.addoption("--bless", action="store_true", help="renew tests/golden/script")
