"""How fast it is, each figure beside what it is compared with."""
