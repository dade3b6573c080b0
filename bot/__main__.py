"""`python -m bot`."""

if __name__ == "__main__":  # a process of the pool imports this module as well, and needs nothing of it
    from bot.cli import main

    main()
