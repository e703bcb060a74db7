"""The card: small, without anything active, and readable where a host strips its styles."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from stability_magic.analysis.budgets import Budget
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.summary import summaries
from stability_magic.display.card import MAX_CARD_BYTES, balance_card
from stability_magic.display.palette import LOW_COLOUR, SERIES_COLOURS
from stability_magic.when import BUDGET_PERIODS

from ..analysis.summary_readings import NOW, make_readings, make_summaries


class Page(HTMLParser):
    """The tags, attributes and text of HTML, and whether each tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Collects a tag."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "path", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Closes it."""
        if tag not in ("path", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        """Collects text."""
        self.text += data


def card(*arguments, low_balance=None, **options):
    """The card of made-up readings."""
    return balance_card(
        make_summaries(*arguments, **options), NOW, usd_per_credit=0.01, low_balance=low_balance
    )


@pytest.mark.parametrize("count", [1, 2, 5, 12, 60])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_small_and_nothing_in_it_is_active(count, seed):
    """At most 6,000 bytes for any number of organizations, with inline styles alone."""
    html = card(count, seed=seed, low_balance=3000.0)
    page = Page(html)
    assert len(html.encode()) <= MAX_CARD_BYTES
    assert page.open == []
    assert not {"script", "link", "style", "img", "a", "iframe"} & set(page.tags)
    assert not {"class", "id", "href", "src"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "url(" not in html
    assert "nan" not in page.text.lower()


def test_a_name_is_text_and_no_markup():
    """Whatever an organization calls itself."""
    name = "<script>alert('1')</script> & \"friends\""
    for count in (1, 2):
        page = Page(card(count, names=[name, name]))
        assert "script" not in page.tags
        assert name in page.text


def test_low_comes_before_the_date():
    """It is what there is to act on."""
    page = Page(card(low_balance=1e6))
    assert (
        page.text.index("left") < page.text.index("LOW: under 1,000,000") < page.text.index("empty")
    )
    assert "LOW" not in card()


def test_without_styles_each_fact_is_a_line_of_text():
    """``today 32.00 $0.32``, not one long number."""
    html = re.sub(r' style="[^"]*"', "", card())
    words = " ".join(Page(html).text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert re.search(r"today ([≥≈] )?[\d.,]+ ([≥≈] )?\$[\d.,]+", words)
    assert re.search(r"October ([≥≈] )?[\d.,]+ ([≥≈] )?\$[\d.,]+", words)


def test_all_organizations_add_up():
    """The last row is the total."""
    summaries = make_summaries(3)
    total = sum(each.credits for each in summaries)
    assert f"{total:,.2f}" in Page(card(3)).text.rpartition("together")[2]


def test_of_many_organizations_those_that_spend_most_are_shown():
    """And how many are left out is told."""
    page = Page(card(60))
    hidden = int(re.search(r"together, with (\d+) more", page.text)[1])
    assert page.text.count("Organization") == 60 - hidden


def test_a_new_log_has_a_card():
    """With one reading there is a balance, and no outline, date or window that is unknown."""
    page = Page(card(days=0))
    assert "left" in page.text
    assert "svg" not in page.tags
    assert "last week" not in page.text


def test_an_old_reading_says_when_it_was():
    """A bare time would be taken for today's."""
    summaries = make_summaries()
    html = balance_card(summaries, NOW + timedelta(days=3), usd_per_credit=0.01)
    assert "read Wed 25 Nov, 08:28" in Page(html).text


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#FFFFFF", "#111111"])
def test_lines_stand_out_on_light_and_dark_pages(page):
    """With a contrast of 3:1 or more, as WCAG 2 asks of graphics."""
    for colour in SERIES_COLOURS:
        lighter, darker = sorted((luminance(colour), luminance(page)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3.0, colour


def test_an_organization_has_the_colour_that_the_log_gives_it():
    """Alone as well as among others, in the order in which the log saw them."""
    histories = histories_from_frame(make_readings(3))
    order = ["org-2", "org-0", "org-1"]
    several = summaries(histories, histories, NOW, usd_per_credit=0.01, order=order)
    assert [each.organization for each in several] == order
    html = balance_card(several, NOW, usd_per_credit=0.01)
    assert [html.index(f'stroke="{each}"') for each in SERIES_COLOURS[:3]] == sorted(
        html.index(f'stroke="{each}"') for each in SERIES_COLOURS[:3]
    )
    alone = balance_card(several[2:], NOW, usd_per_credit=0.01)
    assert SERIES_COLOURS[2] in alone
    assert SERIES_COLOURS[0] not in alone


def made_budgets(budget):
    """Summaries of two organizations, of which the first has budgets."""
    readings = make_readings(2)
    histories = histories_from_frame(readings)
    budgets = [Budget("org-0", each, budget) for each in BUDGET_PERIODS]
    return summaries(histories, histories, NOW, usd_per_credit=0.01, budgets=budgets)


@pytest.mark.parametrize(("budget", "words"), [(1e6, "budget: "), (1e-4, "OVER BUDGET: ")])
def test_budgets_stand_beside_what_is_left(budget, words):
    """In red once they are passed; the card stays small."""
    summaries_made = made_budgets(budget)
    html = balance_card(summaries_made[:1], NOW, usd_per_credit=0.01)
    assert len(html.encode()) <= MAX_CARD_BYTES
    page = Page(html)
    assert page.text.count(words) == 3
    assert " this month" in page.text
    assert html.count(LOW_COLOUR) == (3 if budget < 1 else 0)
    several = balance_card(summaries_made, NOW, usd_per_credit=0.01)
    assert several.count("OVER BUDGET") == (1 if budget < 1 else 0)
    for summary in summaries_made[:1]:
        windows = [summary.windows[each] for each in ("today", "this week", "this month")]
        assert [each.spent for each in summary.budgets] == [each.spent for each in windows]
