"""What the operators' site looks like. Its figures are in `auterity.admin`, its lists in each app's `admin`."""

from __future__ import annotations

from typing import Any


def operators_site(*, static_url: str) -> dict[str, Any]:
    """The setting `UNFOLD`."""
    return {
        "SITE_TITLE": "Auterity",
        "SITE_HEADER": "Auterity",
        "SITE_SUBHEADER": "Operations",
        "SITE_SYMBOL": "account_tree",
        "SITE_URL": "/docs",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"{static_url}auterity/icon.svg"}],
        "SHOW_VIEW_ON_SITE": False,
        "DASHBOARD_CALLBACK": "auterity.admin.dashboard",
        "STYLES": [lambda _request: f"{static_url}auterity/operators.css"],
        "SIDEBAR": {
            "show_search": True,
            "show_all_applications": True,
            "navigation": "auterity.navigation.most_used",
        },
    }
