def sandbox() -> None:
    """x"""
