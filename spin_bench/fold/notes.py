"""The sentences under a table: what was run, what differs from the published defaults, what is missing."""

from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.run.painting import failures
from spin_bench.run.plan import unpainted
from spin_bench.run.prepare import Run

DEVIATION = "Deviation: "  # before what differs from a published default
_MINI = "Made by the embedded mini stack (64 px, models trained on toy scenes): not a number of any paper."
_OTHER_WORLD = f"The embedded models were trained in version {SHIPPED_WORLD}'s world and never saw such individuals."


def notes(run: Run) -> list[str]:
    """One sentence each, in the order in which they are printed."""
    settings = run.settings
    lines = [_MINI] if settings.stack.name == "mini" else []
    if settings.stack.name == settings.dataset.name == "mini" and settings.dataset.version != SHIPPED_WORLD:
        lines.append(_OTHER_WORLD)
    domains = sorted({case.domain for case in run.cases})
    count = f"{len(run.cases)} cases of {settings.dataset.label} ({', '.join(domains)})"
    lines.append(f"{count}, {settings.samples} images a case.")
    if novel := sum(case.novel for case in run.cases):
        lines.append(f"{novel} of the cases show an object that none of the models was trained on.")
    lines.append("Intervals: 95 % BCa bootstrap over cases, after the mean over a case's images.")
    lines += [f"{DEVIATION}{line}" for line in settings.deviations] or ["Deviations from the published defaults: none."]
    return lines + _kept(run) + _missing(run)


def _kept(run: Run) -> list[str]:
    titles = [run.methods[name].title for name in run.keys if name in run.kept]
    return [f"Kept from an earlier run of this name, not asked for by the last: {', '.join(titles)}."] if titles else []


def _missing(run: Run) -> list[str]:
    """What the table counts as missing, and why."""
    lines = []
    if run.unusable:
        reasons = "; ".join(f"{entry.id}: {entry.reason}" for entry in run.unusable)
        lines.append(f"Unusable: {len(run.unusable)} entries, which count as missing cases. {reasons}")
    if unfinished := unpainted(run):
        lines.append(f"Not finished: {unfinished} images are not painted yet.")
    lines += [f"Left out: {run.methods[name].title}: {why}." for name, why in run.left_out.items()]
    if failed := failures(run):
        reasons = "; ".join(sorted({f"{run.methods[f.method].title}, {f.case}: {f.reason}" for f in failed}))
        lines.append(f"Failed: {len(failed)} images. {reasons}")
    return lines
