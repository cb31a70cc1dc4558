"""What holds for examples: how long one takes says nothing of it, on a machine that does other things too."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")
