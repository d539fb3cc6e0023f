"""The doctor: it looks at a machine and its settings before a service starts."""

from runtime.doctor.checkup import Checkup, check_up
from runtime.doctor.findings import Finding

__all__ = ["Checkup", "Finding", "check_up"]
