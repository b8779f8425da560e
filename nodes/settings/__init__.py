"""What the configurations of several node types share: a forgiving text type, and checks at save time."""
