"""The cache of schemas belongs to the packages that it was read from."""

import os
import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from plx_core.components.schema_cache import Signatures
from plx_core.plugins.discovery import Plugin
from plx_core.plugins.registry import Entry

plugin = Plugin("acme", "acme", "acme", "1.0")
signatures = Signatures(Path(sys.argv[1]))
print(*signatures.parameters(Entry("losses", "Loss", plugin, "acme_cached:Loss"))["properties"])
signatures.save()
"""


def test_two_copies_of_a_package_have_schemas_of_their_own(tmp_path):
    def parameters(folder):
        path = os.pathsep.join([str(tmp_path / folder), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "signatures.json")]
        environ = os.environ | {"PYTHONPATH": path}
        return subprocess.check_output(command, text=True, env=environ).split()

    for folder, name in (("old", "by"), ("new", "factor")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "acme_cached.py").write_text(
            f"class Loss:\n    def __init__(self, {name}: float = 1.0): ...\n"
        )
    assert parameters("old") == ["by"]
    assert parameters("new") == ["factor"]
    assert parameters("old") == ["by"]
