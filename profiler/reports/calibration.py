"""The measured rate of false alarms, in words."""

from profiler.analysis.calibration import Calibration


def render(found: Calibration, name: str) -> str:
    """false alarms: 3.5 ± 1.3 % of 200 divisions of the 20 units of runs/, at alpha 5 %"""
    half = found.units // 2
    return (
        f"false alarms: {100 * found.rate:.1f} ± {100 * found.error:.1f} % of {found.divisions}"
        f" divisions of the {found.units} units of {name} into {half} and {found.units - half},"
        f" where nothing changed; {100 * found.terms.alpha:g} % are asked for\n"
    )
