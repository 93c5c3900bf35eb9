"""`python -m holdfast` is `holdfast`; the parts of `serve` are started so, without the commands."""

import sys

if sys.argv[1:2] == ["part"]:
    from holdfast.parts import main
else:
    from holdfast.cli import main

main()
