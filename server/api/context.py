"""What stands beside an answer made of profiles: the accounts of their hosts, and their number."""

from server.query.selection import Coverage
from server.store.accounts import Accounts


def context(accounts: Accounts, coverage: Coverage) -> dict[str, object]:
    return {
        "accounts": sums(accounts),
        "coverage": {
            "hosts": coverage.hosts,
            "series": coverage.series,
            "profiles": coverage.profiles,
            "recorded": coverage.recorded,
        },
    }


def sums(accounts: Accounts) -> dict[str, object]:
    losses = sorted(accounts.losses.items(), key=lambda loss: (-loss[1], loss[0]))
    return {
        "taken": accounts.taken,
        "stored": accounts.stored,
        "losses": [{"cause": cause, "samples": count} for cause, count in losses],
    }
