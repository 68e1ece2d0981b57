"""Reports: findings as lines for people, the same for the doctor and for health."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from core.seam.adapter import Finding


def show(findings: Iterable[Finding]) -> None:
    """One line each, and beneath what is wrong, how to mend it."""
    screen = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        mark = ("ok   ", "green") if finding.ok else ("wrong", "red")
        screen.print(Text.assemble(mark, f" {finding.subject}: {finding.detail}"))
        if not finding.ok and finding.remedy:
            screen.print(Text(f"      {finding.remedy}"))
