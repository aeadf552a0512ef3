"""`python -m gateway` is `figway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
