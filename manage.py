#!/usr/bin/env python
"""Django's command line, for Auterity. `python manage.py help` lists what it can do."""

import os
import sys

from auterity.kernel.memory import begin_loading


def main() -> None:
    begin_loading()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auterity.settings.dev")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
