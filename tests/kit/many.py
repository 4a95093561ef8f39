"""Many generated plug-ins in one folder, which stands on the path as an environment's would: packages beside their metadata."""

import shutil

from plx_core.cli.new_plugin import write_plugin

BROKEN = {
    "plx-part03": "syntax error",
    "plx-part11": "missing dependency",
    "plx-part19": "wrong hook",
    "plx-part27": "duplicate name",
    "plx-part35": "slow import",
    "plx-part43": "another version of the hooks",
}


def write_many(folder, count=50, broken=BROKEN):
    """Write `count` plug-ins with a layer each, those in `broken` broken in their way."""
    site = folder / "site"
    for number in range(count):
        name = f"plx-part{number:02d}"
        package = name.replace("-", "_")
        written = write_plugin(name, ["layers"], folder / "written")
        shutil.copytree(written / "src" / package, site / package)
        info = site / f"{package}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 0.1.0\n")
        point = "plx_part28" if broken.get(name) == "duplicate name" else package
        (info / "entry_points.txt").write_text(f"[plx]\n{point} = {package}.plugin\n")
        _break(site / package / "plugin.py", broken.get(name, ""))
    return site


def _break(path, how):
    text = path.read_text()
    changes = {
        "syntax error": lambda: text.replace("def provide_layers()", "def provide_layers("),
        "missing dependency": lambda: text.replace(
            "from plx_core import", "import a_package_that_is_missing\nfrom plx_core import"
        ),
        "wrong hook": lambda: text.replace("provide_layers", "provide_layer"),
        "slow import": lambda: "import time\n\ntime.sleep(0.8)\n" + text,
        "another version of the hooks": lambda: text.replace(
            "PLX_API_VERSION = 1", "PLX_API_VERSION = 2"
        ),
    }
    if how in changes:
        path.write_text(changes[how]())
