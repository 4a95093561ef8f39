"""`python -m plx_core` is `plx`."""

from plx_core.cli.main import main

if __name__ == "__main__":
    main(prog_name="plx")
