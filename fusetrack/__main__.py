"""`python -m pipeline` is the command `fusetrack`."""

from pipeline.cli.main import main

main()
