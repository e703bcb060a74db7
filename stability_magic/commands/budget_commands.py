"""The command that sets, shows and checks budgets."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import BadArgument
from ..text import clean_text
from .log_queries import check_organizations, own_organizations
from .outcome import Outcome

if TYPE_CHECKING:
    from ..session.session import Session

__all__ = ["budget"]

_SET_A_BUDGET = "%stability_budget 500 --every week sets one."


def budget(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.budgets import budget_frame
    from ..display.budget_words import budget_line
    from ..session.budgets import passed_error, standings_of_budgets

    settings = session.settings
    if arguments.all and arguments.organization:
        raise BadArgument("-a shows the budgets of all organizations; leave out -o, or -a.")
    check_organizations(session, arguments)
    lines = _change_budgets(session, arguments)
    organizations = None if arguments.all else arguments.organization or own_organizations(session)
    now, zone, price = settings.now(), settings.zone(), settings.usd_per_credit
    standings = [
        each
        for each in standings_of_budgets(
            session.journal, organizations, now, zone, local_only=arguments.local
        )
        if arguments.every in (None, each.spend.every)
    ]
    if not standings and arguments.check:
        # A check that checks nothing must not let a job start.
        raise BadArgument(f"there is no budget to check; {_SET_A_BUDGET}")
    if not standings and not lines:
        session.notes.append(f"There is no budget yet; {_SET_A_BUDGET}")
    passed = [each for each in standings if each.spend.is_passed] if arguments.check else []
    # The error tells this budget, so that its line is left out.
    lines += [budget_line(each, now, price) for each in standings if each not in passed[:1]]
    error = passed_error(passed[0].spend, price) if passed else None
    return Outcome(tuple(lines), budget_frame(standings, zone, price), error=error)


def _change_budgets(session: Session, arguments: argparse.Namespace) -> list[str]:
    """Sets or removes the budgets that the arguments tell; a line for each."""
    from ..analysis.budgets import budgets_in_force
    from ..display.budget_words import change_line
    from ..session.budgets import change_budget, parse_budget

    if arguments.amount is None and not arguments.remove:
        return []
    if arguments.amount is not None and arguments.remove:
        raise BadArgument("--remove takes a budget away; leave out the amount, or --remove.")
    if arguments.all:
        raise BadArgument("-a shows all budgets; to change one, say whose it is: -o ID.")
    if arguments.local:
        raise BadArgument("a budget is for all who use the log; leave out --local, or the amount.")
    price = session.settings.usd_per_credit
    credits = None if arguments.remove else parse_budget(arguments.amount, price)
    organizations = _organizations_of_budget(session, arguments)
    names = session.journal.organizations()
    lines = []
    for each in organizations:
        every = arguments.every
        if credits is None:
            known = [one.every for one in budgets_in_force(session.journal.budgets(), [each])]
            if not known or every not in (None, *known):
                kind = f"budget for each {every}" if every else "budget"
                raise BadArgument(f"{clean_text(names.get(each, each))} has no {kind} to remove.")
            if every is None and len(known) > 1:
                raise BadArgument(f"say which budget to remove: --every {' or '.join(known)}.")
            every = every or known[0]
        elif every is None:
            raise BadArgument("say how often so much may be spent: --every day, week or month.")
        before = change_budget(session.journal, each, every, credits, session.settings.now())
        lines.append(change_line(names.get(each, each), every, credits, before, price))
    return lines


def _organizations_of_budget(session: Session, arguments: argparse.Namespace) -> list[str]:
    """Whose budget is changed: the organization of the settings, the key's, or the only one."""
    from ..display.wording import organization_choice

    names = session.journal.organizations()
    chosen = arguments.organization or own_organizations(session) or list(names)
    if not names:
        raise BadArgument(
            "whose budget it is, is not known before the first reading; %stability_balance takes"
            " one."
        )
    unknown = [each for each in chosen if each not in names]
    if unknown:
        choice = organization_choice(unknown[0], names)
        raise BadArgument(f"the log has no organization {unknown[0]!r}; it has: {choice}")
    if len(chosen) > 1 and not arguments.organization:
        choice = organization_choice("", names)
        raise BadArgument(f"say whose budget it is: -o ID; the log has: {choice}")
    return list(dict.fromkeys(chosen))
