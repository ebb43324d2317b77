"""`python -m tune` is `foretune`."""

from tune.cli.main import main

if __name__ == "__main__":
    main()
