"""When a rule looks at growth anew, and how sure it must be each time.

A rule is evaluated every minute, and each time that the gate looks at other samples is one more
chance to be wrong: half an hour of looks a minute is wrong nine times as often as one. So there are
four looks a window, in between which the range stays as it is, and each may be wrong at a fourth of
the rate (Bonferroni, which holds whatever samples looks have in common; the bound that allows for
that, a Pocock's of 1977, would let each be wrong at 0.28 of it).

After a deploy the range grows by doubling: what is much dearer is seen early. Growth against the
week before is looked at where a quarter of a window ends, the same for all servers.

>>> [since_deploy(age, window_ns=80) for age in (9, 10, 19, 20, 79, 80, 500)]
[0, 10, 10, 20, 40, 80, 80]
>>> ends(now_ns=1019, window_ns=80)
1000
"""

LOOKS = 4


def since_deploy(age_ns: int, window_ns: int) -> int:
    """How long after a deploy the last look reached, 0 where there was none yet."""
    lengths = (window_ns >> halvings for halvings in range(LOOKS))
    return next((length_ns for length_ns in lengths if length_ns <= age_ns), 0)


def ends(now_ns: int, window_ns: int) -> int:
    """Where the last look's window ended."""
    return now_ns - now_ns % max(window_ns // LOOKS, 1)
