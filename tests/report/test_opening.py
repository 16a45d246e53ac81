"""The first page: the answer, the picture of the scores, three sentences, the rest folded."""

import re

from report.documents import page_of, render_page
from shrinkwise.report.charts.scores import score_chart


def scored(page, *scores, se=0.03):
    """The page with so many candidates, the second one kept and the last one for reference."""
    known = [*page["candidates"][:1] * (len(scores) - 1), page["candidates"][-1]]
    best = [{"score": score, "se": se, "kept": i == 1} for i, score in enumerate(scores)]
    rows = [row | {"best": row["best"] | new, "one_se": None} for row, new in zip(known, best, strict=True)]
    return page | {"candidates": rows}


def places(html):
    """Percent from the left of the marks that lie on the scale, in the order of the lines."""
    return [float(at) for at in re.findall(r'<u style="left:([\d.]+)%"', html)]


def test_marks_stand_in_the_order_and_the_proportion_of_the_scores(page):
    html = score_chart(page_of(scored(page, 0.5, 0.3, 0.4, 0.35)))
    a, b, c, d = places(html)
    assert abs((a - b) / (c - b) - 2) < 0.02
    assert abs((d - b) / (c - b) - 0.5) < 0.02
    assert re.search(r'<li class="kept"><b>[^<]*<small>kept', html)
    assert re.search(r'<li class="reference"><b>[^<]*<small>for reference', html)
    left, width = map(float, re.search(r'<s style="left:([\d.]+)%;width:([\d.]+)%"', html).groups())
    assert abs(left + width / 2 - a) < 0.2
    assert abs(width / (a - b) - 0.06 / 0.2) < 0.02


def test_a_score_far_from_the_others_is_an_arrow_with_its_number(page):
    html = score_chart(page_of(scored(page, 51.3, 0.3, 0.4, 0.35)))
    assert len(places(html)) == 3
    assert html.count("beyond right") == 1
    assert "51.300 ± 0.030" in html


def test_the_arrow_points_to_the_side_on_which_the_score_lies(page):
    html = score_chart(page_of(scored(page, 0.9, 0.3, 0.4, 0.35)))  # just beyond the scale
    assert len(places(html)) == 3
    assert "→</u>" in html
    higher = page | {"score": page["score"] | {"lower_is_better": False}}
    html = score_chart(page_of(scored(higher, 0.1, 0.7, 0.65, 0.68)))
    assert len(places(html)) == 3
    assert "←</u>" in html


def test_a_score_without_an_error_or_that_is_no_number_breaks_nothing(page):
    assert len(places(score_chart(page_of(scored(page, 0.5, 0.3, 0.4, se=None))))) == 3
    assert len(places(score_chart(page_of(scored(page, None, 0.3, 0.4))))) == 2
    assert score_chart(page_of(scored(page, None, 0.3))) is None
    assert len(places(score_chart(page_of(scored(page, 0.3, 0.3, 0.3, se=0.0))))) == 3


def test_the_answer_three_sentences_and_the_rest_folded(page):
    verdict = [f"Sentence {i}." for i in range(6)]
    html = render_page(page | {"verdict": verdict, "plain": [*verdict, "How it was measured."]})
    open_part, folded = html.split('<details class="more">')
    folded = folded.split("</details>")[0]
    assert '<p class="verdict">Sentence 0.</p>' in open_part
    assert [f"Sentence {i}." in open_part for i in range(6)] == [True] * 4 + [False] * 2
    assert all(sentence in folded for sentence in ("Sentence 4.", "Sentence 5.", "How it was measured."))
