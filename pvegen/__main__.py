"""`python -m pvegen` is the command `pvegen`."""

from pvegen.main import main

main()
