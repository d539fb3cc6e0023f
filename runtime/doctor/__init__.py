"""What this machine has, what the settings make of it, and what would fail."""

from runtime.doctor.checkup import Checkup, check_up
from runtime.doctor.findings import Finding

__all__ = ["Checkup", "Finding", "check_up"]
