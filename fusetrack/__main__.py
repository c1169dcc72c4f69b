"""`python -m fusetrack` is the command `fusetrack`."""

from pipeline.cli.main import main

main()
