"""How the validators here tell what they found: a line for each verdict, its reasons below it, and a
closing line that is counted. The exit code says whether all was good."""

import sys


def conclude(verdicts):
    """Prints verdicts (what was judged, whether it is good, reasons) and ends the program."""
    verdicts = list(verdicts)
    for what, good, reasons in verdicts:
        print("\n  ".join([f"{'OK' if good else 'FAILED'}  {what}", *reasons]))
    failed = sum(not good for _, good, _ in verdicts)
    print(f"{len(verdicts) - failed} passed, {failed} failed")
    sys.exit(failed > 0 or not verdicts)
