"""Fresh virtual environments, for tests that install packages."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


class Environment:
    """A virtual environment in which the packages installed here can be imported, too.

    The environments of a test session share one cache of plx, beside their folders.

    Args:
        folder: where the environment is created.
        with_plx: whether our own packages are among those that can be imported.
    """

    def __init__(self, folder, with_plx=True):
        venv.create(folder, symlinks=os.name != "nt")
        paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
        self.folder = folder
        self.python = Path(paths["scripts"], "python")
        outer = sysconfig.get_path("purelib") if with_plx else link_third_party(folder)
        Path(paths["purelib"], "outer.pth").write_text(
            f"import site; site.addsitedir({str(outer)!r})\n", encoding="utf-8"
        )
        private = () if with_plx else ("PYTHON", "PIP_", "PLX_")
        self.variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith(private)},
            "PLX_CACHE_DIR": str(folder.parent / "plx_cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def install(self, *packages, dependencies=False):
        """Install wheels or folders, without a network; `dependencies` must be there already."""
        options = ("--quiet", "--no-index", "--no-build-isolation", "--no-compile")
        if not dependencies:
            options += ("--no-deps",)
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install")
        subprocess.run([*pip, *options, *packages], check=True, capture_output=True)

    def run(self, *words, cwd=None):
        """Run Python with some arguments, and return the finished process."""
        return subprocess.run(
            [self.python, *words],
            cwd=cwd or self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def plx(self, *words, cwd):
        """Run a command of plx, and return the finished process."""
        return self.run("-m", "plx_core", *words, cwd=cwd)


def link_third_party(folder):
    """Link what is installed here but for our own packages, whose entry points must not be seen."""
    links = folder / "third_party"
    links.mkdir()
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(site).iterdir():
            is_ours = entry.name.startswith(("plx_", "_plx_", "__editable__"))
            if not is_ours and entry.name != "__pycache__" and entry.suffix != ".pth":
                (links / entry.name).symlink_to(entry)
    return links
