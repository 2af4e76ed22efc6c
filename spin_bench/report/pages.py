"""Static pages: a template, its style and its script become one file that opens from disk."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def page(template: str, *, scripts: Sequence[str], values: Mapping[str, object]) -> bytes:
    """Render `templates/<template>` with `static/gallery.css` and the `scripts` of that folder inside it.

    Values show as text whatever they hold; `tojson` in a template escapes what could end a script block. A float that
    JSON does not know (NaN) is a ValueError.
    """
    environment = Environment(
        loader=PackageLoader("spin_bench", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":"), "ensure_ascii": False}
    static = files("spin_bench") / "report" / "static"
    # ours, so they are not escaped
    own = {
        "style": Markup((static / "gallery.css").read_text("utf-8")),
        "script": Markup("\n".join((static / name).read_text("utf-8") for name in scripts)),
    }
    return environment.get_template(template).render({**values, **own}).encode()
