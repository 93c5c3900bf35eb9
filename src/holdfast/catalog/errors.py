"""What can go wrong about resources, services and programs."""

from holdfast.kernel.errors import UserError


class UnknownProgram(UserError):
    """The business has no such program."""

    code, status, message = "unknown_program", 404, "There is no such program"


class CapacityBelowPeak(UserError):
    """More places are taken at one moment of the future than the new capacity; `details.peak` says how many."""

    code, status = "capacity_below_peak", 409
    message = "The capacity cannot be lowered below the number of places taken at one moment of the future"
