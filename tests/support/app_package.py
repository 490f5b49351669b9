"""Made-up IDs for app packages."""

from __future__ import annotations

APP_ID = "9a3c1f0e-5b7d-4c2a-8e61-0d4f7b2a6c95"
TENANT = "11111111-2222-4333-8444-555555555555"
