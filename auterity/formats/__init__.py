"""How moments are written where Django writes them: on the operators' site."""
