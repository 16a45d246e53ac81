"""Every exhibit of the museum is found under its code."""

import pytest
import torch

import shrinkwise as sw

from .museum import EXHIBITS


def test_the_museum_has_at_least_25_exhibits_with_their_sources():
    assert len(EXHIBITS) >= 25
    assert all("https://" in exhibit.__doc__ or "arXiv" in exhibit.__doc__ for exhibit in EXHIBITS)


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.__name__)
def test_found(exhibit):
    torch.manual_seed(0)
    code, arguments = exhibit()
    audit = sw.audit(**arguments)
    found = [finding for finding in audit.findings if finding.code == code]
    assert len(found) == 1
    assert found[0].severity in ("error", "warning")
    assert found[0].where
    assert found[0].fix
