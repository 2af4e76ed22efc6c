"""What a method is: one record, which stands at the end of the method's own file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spin_bench.methods.painter import Painter

if TYPE_CHECKING:  # so that the names of methods are known before any model library is imported
    from spin_bench.core.case import Case
    from spin_bench.models.stack import Stack


@dataclass(frozen=True)
class Method:
    """Everything that the harness knows of a method.

    `build(settings, stack)` checks the settings (`UserError`) and returns the painter. The stack that it gets is lent:
    it may touch those parts alone that `uses` names, and find in `stack.artefacts` what other cases and runs kept.
    """

    title: str  # in tables
    settings: type  # a frozen dataclass, its defaults are the method's
    build: Callable[[Any, Stack], Painter]
    version: str  # raise it when a change of the method changes its pictures
    # parts of the stack that its pictures depend on, or a function from settings to them; None: all
    uses: tuple[str, ...] | Callable[[Any], tuple[str, ...]] | None = None
    colour: str = ""  # in figures and pages, "#rrggbb"; "": the next of those that no method has
    bound: bool = False  # a row that the others lie between, not a competitor
    seeded: bool = True  # False: every seed paints the same picture, so one is enough
    needs: tuple[str, ...] = ()  # facts of a case: it is left out of a run over cases that do not all know them
    batch: Callable[[Any], int] | None = None  # images at once, if the settings have a say in it
    ranked_by: str = ""  # fact of an image, ascending, by which the method's authors choose among its images
    prepare: Callable[[Any, Stack, Sequence[Case]], None] | None = None  # work that cases share, kept in artefacts
    variant_of: str = ""  # the method whose results this one's are named like
    source: str = ""  # digest of a plug-in's code, which names its results, too; the registry fills it in

    def parts(self, settings: Any) -> tuple[str, ...] | None:
        """Parts of the stack that pictures under `settings` depend on; None: all."""
        return self.uses(settings) if callable(self.uses) else self.uses

    def lend(self, stack: Stack, settings: Any) -> Stack:
        """`stack` without the parts that the method does not say it uses; `UserError` for a part that no stack has."""
        return stack.lent(self.title, self.parts(settings))

    def painter(self, settings: Any, stack: Stack) -> Painter:
        """The painter of these settings over the parts of `stack` that it says it uses."""
        return self.build(settings, self.lend(stack, settings))
