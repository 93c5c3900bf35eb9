"""What can go wrong about figures."""

from holdfast.kernel.errors import UserError


class UnknownDashboard(UserError):
    """There is no dashboard of this name."""

    code, status, message = "unknown_dashboard", 404, "There is no such dashboard"
