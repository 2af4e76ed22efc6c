"""A sheet as a LaTeX table to paste into a paper; needs the package booktabs only."""

import re
from itertools import groupby

from spin_bench.report.markdown import LEGEND
from spin_bench.report.sheet import Sheet
from spin_bench.report.wording import DASH, header, interval, number

SPECIAL = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        DASH: "--",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "[": "{[}",  # at the start of a row it would be the argument of the line break before it
        "\n": " ",
    }
)


def escape(text: str) -> str:
    """Escape `text` so that LaTeX prints it as it stands."""
    return text.translate(SPECIAL)


def latex(sheet: Sheet) -> str:
    """Write one `table*` with everything the Markdown says; bounding rows are set off by a rule."""
    blocks = [
        "\n".join(_row(sheet, method) for method in block)
        for _, block in groupby(sheet.methods, lambda method: sheet.methods[method].bound)
    ]
    encoders = "; ".join(f"{record.title}: {record.encoder or 'none'}" for record in sheet.records.values())
    below = [*sheet.missing, LEGEND, f"Encoders: {encoders}.", *sheet.notes]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table*}[t]",
        r"\centering",
        rf"\caption{{{escape(sheet.title)}. {escape(sheet.size)}.}}",
        r"\footnotesize",
        rf"\begin{{tabular}}{{l{'r' * len(sheet.records)}}}",
        r"\toprule",
        _line([escape(text) for text in ("Method", *map(header, sheet.records.values()))]),
        r"\midrule",
        "\n\\midrule\n".join(blocks),
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip",
        rf"\parbox{{\linewidth}}{{\raggedright {escape(' '.join(_sentence(text) for text in below))}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _row(sheet: Sheet, method: str) -> str:
    return _line([escape(sheet.methods[method].title), *(_cell(sheet, method, metric) for metric in sheet.records)])


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(sheet: Sheet, method: str, metric: str) -> str:
    mean, lo, hi = sheet.cells[method, metric]
    digits = sheet.records[metric].digits
    text = _minus(escape(number(mean, digits)))
    if (method, metric) in sheet.best:
        text = rf"\textbf{{{text}}}"
    between = _minus(interval(lo, hi, digits))
    return rf"{text} {{\scriptsize {between}}}" if between else text


def _minus(text: str) -> str:
    """A number's hyphen as a minus sign; the two hyphens of a dash stay."""
    return re.sub(r"-(?=\d)", "$-$", text)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
