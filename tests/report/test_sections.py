"""Every file of sections/ is in the list, and what the list leaves out has no section."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules

from report.documents import page_of, render_page
from report.test_exhibits import exhibits
from shrinkwise.report import sections
from shrinkwise.report.schema import SCHEMA, Choice, Page


def test_a_file_in_sections_is_a_section_in_the_list():
    names = [module.name for module in iter_modules(sections.__path__)]
    found = [import_module(f"{sections.__name__}.{name}").SECTION for name in names]
    assert sorted(map(id, found)) == sorted(map(id, sections.SECTIONS))


def test_a_section_is_drawn_because_it_is_in_the_list(page, monkeypatch):
    whole = page_of(page | exhibits())
    html = render_page(page | exhibits())
    for section in sections.SECTIONS:
        drawn = section.render(whole, section.applies(whole)).split("\ue000")[0]  # before the size of the file
        assert drawn in html
        others = [each for each in sections.SECTIONS if each is not section]
        monkeypatch.setattr("shrinkwise.report.page.SECTIONS", others)
        assert drawn not in render_page(page | exhibits())


def test_json_is_the_schema_with_its_version_and_reads_back(page):
    whole = page_of(page | exhibits())
    document = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    assert document["schema"] == SCHEMA
    assert set(document) == {"schema", *(each.name for each in fields(Page))}
    assert set(document["candidates"][0]["best"]) == {each.name for each in fields(Choice)}
    assert page_of(document).to_json() == whole.to_json()


def test_the_kept_choice_is_found_by_its_mark(page):
    kept = page_of(page).kept_row
    assert (kept.name, kept.kept) == ("lasso", kept.one_se)
    page["candidates"][2]["one_se"]["kept"] = False
    assert page_of(page).kept_row is None
